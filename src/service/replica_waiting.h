// How a replica's coroutines wait: for time to pass, and for their turn.
//
// Purpose:       PauseGate is a sleep that somebody else can end; Turnstile lets only so many in at a time.
// Ownership:     values that outlive whoever waits at them.
// Thread safety: any thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>

#include "base/future.h"
#include "base/timer.h"

namespace strata::service {

class PauseGate {
 public:
  // False: end() was called, before or meanwhile.
  bool pause(int64_t duration_us) {
    Future<void> slept = sleep_us(duration_us);
    uint64_t number = 0;
    {
      std::lock_guard lock(mutex_);
      if (ended_) return false;
      number = next_++;
      sleepers_.emplace(number, slept.cancel_handle());
    }
    static_cast<void>(slept.get());
    std::lock_guard lock(mutex_);
    sleepers_.erase(number);
    return !ended_;
  }
  // Those who pause go on at once; so does whoever comes later, once end was called.
  void wake() {
    std::map<uint64_t, std::function<void()>> sleepers;
    {
      std::lock_guard lock(mutex_);
      sleepers.swap(sleepers_);
    }
    for (const auto& [number, wake_sleeper] : sleepers) wake_sleeper();
  }
  void end() {
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wake();
  }
  bool ended() const {
    std::lock_guard lock(mutex_);
    return ended_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<uint64_t, std::function<void()>> sleepers_;
  uint64_t next_ = 0;
  bool ended_ = false;
};

class Turnstile {
 public:
  explicit Turnstile(size_t places) : free_(places) {}

  // A place, until it is destroyed.
  class Place {
   public:
    Place() = default;
    explicit Place(Turnstile& turnstile) : turnstile_(&turnstile) {}
    Place(Place&& other) noexcept : turnstile_(std::exchange(other.turnstile_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(turnstile_, other.turnstile_);
      return *this;
    }
    ~Place() {
      if (turnstile_) turnstile_->leave();
    }
    explicit operator bool() const { return turnstile_ != nullptr; }

   private:
    Turnstile* turnstile_ = nullptr;
  };

  // In the order of coming.
  Place enter() {
    Future<void> turn;
    {
      std::lock_guard lock(mutex_);
      if (free_ > 0) {
        --free_;
        return Place(*this);
      }
      waiting_.emplace_back();
      turn = waiting_.back().future();
    }
    static_cast<void>(turn.get());
    return Place(*this);
  }

 private:
  void leave() {
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

  std::mutex mutex_;
  size_t free_;
  std::deque<Promise<void>> waiting_;
};

}  // namespace strata::service
