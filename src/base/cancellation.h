// Cancellation: tells a request that runs long to stop.
//
// Purpose:       the client is gone, the deadline is over, or the server ends: whoever notices asks, what runs hears.
// Ownership:     of the request; the callback's captures are the handler's affair.
// Thread safety: the thread that runs the request, while its coroutine is suspended or runs.
// Invariants:    the callback runs at most once.
#pragma once

#include <functional>
#include <utility>

namespace strata {

class Cancellation {
 public:
  bool requested() const { return requested_; }
  // One at a time; runs at once if it was requested already. An empty function takes it back.
  void on_request(std::function<void()> callback) {
    callback_ = std::move(callback);
    if (requested_ && callback_) std::exchange(callback_, nullptr)();
  }
  void request() {
    if (requested_) return;
    requested_ = true;
    if (callback_) std::exchange(callback_, nullptr)();
  }
  void clear() {
    requested_ = false;
    callback_ = nullptr;
  }

 private:
  bool requested_ = false;
  std::function<void()> callback_;
};

}  // namespace strata
