// Turns: one at a time, in the order of arrival, without holding a thread.
//
// Purpose:       requests that use the same transaction wait for each other.
// Ownership:     a Turn refers to its Turns, which outlive it.
// Thread safety: any thread; a waiting coroutine suspends.
// Invariants:    at most one Turn lives; at most `most_waiting` wait.
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

  static constexpr size_t most_waiting = 64;

  // too_many_requests when enough wait already.
  Result<Turn> take() {
    Future<void> woken;
    {
      std::lock_guard lock(mutex_);
      if (!taken_) {
        taken_ = true;
        return Turn(this);
      }
      if (waiting_.size() >= most_waiting) {
        return Error(ErrorCode::too_many_requests, "too many requests wait for the same transaction");
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
    if (taken_) return std::nullopt;
    taken_ = true;
    return Turn(this);
  }

 private:
  void pass_on() {
    std::optional<Promise<void>> next;
    {
      std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        taken_ = false;
        return;
      }
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    next->fulfil(Result<void>());
  }

  std::mutex mutex_;
  bool taken_ = false;
  std::deque<Promise<void>> waiting_;
};

}  // namespace strata::service
