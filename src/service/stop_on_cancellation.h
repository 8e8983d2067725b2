// StopOnCancellation: long work ends when the client leaves.
//
// Purpose:       a handler hands the flag to work on other threads, and waits for its end either way, since the work
//                uses the request.
// Ownership:     borrows the request's cancellation.
// Thread safety: the handler's.
#pragma once

#include <memory>

#include "base/cancellation.h"
#include "service/long_jobs.h"

namespace strata::service {

class StopOnCancellation {
 public:
  explicit StopOnCancellation(Cancellation& cancellation) : cancellation_(cancellation) {
    cancellation_.on_request([flag = flag_] { flag->set(); });
  }
  ~StopOnCancellation() { cancellation_.on_request({}); }
  StopOnCancellation(const StopOnCancellation&) = delete;
  StopOnCancellation& operator=(const StopOnCancellation&) = delete;
  const std::shared_ptr<StopFlag>& flag() const { return flag_; }

 private:
  Cancellation& cancellation_;
  const std::shared_ptr<StopFlag> flag_ = std::make_shared<StopFlag>();
};

}  // namespace strata::service
