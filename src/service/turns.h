// Turns: one at a time, or some, in the order of arrival, without holding a thread.
//
// Purpose:       requests that use the same transaction wait for each other; long computations for a processor.
// Ownership:     a Turn refers to its Turns, which outlive it.
// Thread safety: any thread; a waiting coroutine suspends.
// Invariants:    at most `at_once` Turns live; at most `most_waiting` wait.
#pragma once

#include <deque>
#include <mutex>

#include "base/future.h"

namespace strata::service {

class Turns {
 public:
  class Turn {
   public:
    explicit Turn(Turns* turns) : turns_(turns) {}
    Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ != nullptr) turns_->pass_on();
    }

   private:
    Turns* turns_;
  };

  explicit Turns(size_t at_once = 1, size_t most_waiting = 64) : most_waiting_(most_waiting), free_(at_once) {}

  // too_many_requests when enough wait already.
  Result<Turn> take() {
    Future<void> woken;
    {
      std::lock_guard lock(mutex_);
      if (free_ > 0) {
        --free_;
        return Turn(this);
      }
      if (waiting_.size() >= most_waiting_) {
        return Error(ErrorCode::too_many_requests, "too many requests wait for their turn");
      }
      waiting_.emplace_back();
      woken = waiting_.back().future();
    }
    RETURN_IF_ERROR(woken.get());
    return Turn(this);
  }
  // nullopt instead of waiting.
  std::optional<Turn> try_take() {
    std::lock_guard lock(mutex_);
    if (free_ == 0) return std::nullopt;
    --free_;
    return Turn(this);
  }

 private:
  void pass_on() {
    std::optional<Promise<void>> next;
    {
      std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        ++free_;
        return;
      }
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    next->fulfil(Result<void>());
  }

  const size_t most_waiting_;
  std::mutex mutex_;
  size_t free_;
  std::deque<Promise<void>> waiting_;
};

}  // namespace strata::service
