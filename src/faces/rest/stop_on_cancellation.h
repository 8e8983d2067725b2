// StopOnCancellation of a request: service/stop_on_cancellation.h.
//
// Purpose:       for handlers, which have the request at hand.
// Ownership:     borrows the request.
// Thread safety: the handler's.
#pragma once

#include "faces/rest/request.h"
#include "service/stop_on_cancellation.h"

namespace strata::rest {

class StopOnCancellation : public service::StopOnCancellation {
 public:
  explicit StopOnCancellation(Request& request) : service::StopOnCancellation(request.cancellation()) {}
};

}  // namespace strata::rest
