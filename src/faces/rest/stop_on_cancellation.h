// StopOnCancellation: long work ends when the client leaves.
//
// Purpose:       a handler hands the flag to work on other threads, and waits for its end either way, since the work
//                uses the request.
// Ownership:     borrows the request.
// Thread safety: the handler's.
#pragma once

#include <memory>

#include "faces/rest/request.h"
#include "service/backup_jobs.h"

namespace strata::rest {

class StopOnCancellation {
 public:
  explicit StopOnCancellation(Request& request) : cancellation_(request.cancellation()) {
    cancellation_.on_request([flag = flag_] { flag->set(); });
  }
  ~StopOnCancellation() { cancellation_.on_request({}); }
  StopOnCancellation(const StopOnCancellation&) = delete;
  StopOnCancellation& operator=(const StopOnCancellation&) = delete;
  const std::shared_ptr<service::StopFlag>& flag() const { return flag_; }

 private:
  Cancellation& cancellation_;
  const std::shared_ptr<service::StopFlag> flag_ = std::make_shared<service::StopFlag>();
};

}  // namespace strata::rest
