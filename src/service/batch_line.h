// BatchLine: requests that come while others are done wait, and are then done together.
//
// Purpose:       whoever finds nobody at work leads: it takes a batch off the line, its own request first, does all of
//                it and hands the lead to the first that still waits. So what many ask at once costs one transaction.
// Ownership:     borrows the requests for as long as their enter() takes.
// Thread safety: any thread; who waits suspends (base/wait.h).
// Invariants:    one batch at a time, requests in the order in which they came.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "base/future.h"

namespace strata::service {

// Request has a member `Promise<bool> woken` of its own, which is the line's.
template <class Request>
class BatchLine {
 public:
  // After its request was done, by this call or another. take: how many of those that wait make a batch, at least one.
  // execute: does a batch. False: max_waiting wait, and nothing was done.
  template <class Take, class Execute>
  Result<bool> enter(Request& own, size_t max_waiting, Take take, Execute execute) {
    Future<bool> woken;
    {
      std::lock_guard lock(mutex_);
      if (waiting_.size() >= max_waiting) return false;
      waiting_.push_back(&own);
      if (leading_) woken = own.woken.future();
      leading_ = true;
    }
    bool lead = true;
    if (woken.valid()) {
      ASSIGN_OR_RETURN(lead, woken.get());
    }
    if (!lead) return true;
    const std::vector<Request*> batch = take_batch(take);
    execute(batch);
    for (Request* request : batch) {
      if (request != &own) answer(*request);
    }
    pass_on();
    return true;
  }

 private:
  // The leader's own request is the first that waits.
  template <class Take>
  std::vector<Request*> take_batch(Take take) {
    std::lock_guard lock(mutex_);
    const auto end = waiting_.begin() + static_cast<ptrdiff_t>(take(std::as_const(waiting_)));
    std::vector<Request*> batch(waiting_.begin(), end);
    waiting_.erase(waiting_.begin(), end);
    return batch;
  }

  static void answer(Request& request) {
    // The request dies with the call that waits for it, perhaps before fulfil has returned.
    Promise<bool> woken = std::move(request.woken);
    woken.fulfil(false);
  }

  void pass_on() {
    std::optional<Promise<bool>> next;
    {
      std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        leading_ = false;
        return;
      }
      next = std::move(waiting_.front()->woken);
    }
    next->fulfil(true);
  }

  std::mutex mutex_;
  std::deque<Request*> waiting_;
  bool leading_ = false;
};

}  // namespace strata::service
