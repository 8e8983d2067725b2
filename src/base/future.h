// Future<T> and Promise<T>: a Result<T> that may come later.
//
// Purpose:       engines answer with futures; one that is ready at once (an embedded read) costs no allocation.
// Ownership:     a Future owns its result, or shares the state that its Promise fills. A Promise that dies unfulfilled
//                answers operation_cancelled.
// Thread safety: a Future belongs to one thread at a time; a Promise may be fulfilled from any thread, the first
//                fulfilment counts.
// Invariants:    the result is taken once (get or on_ready, then the future is empty). A callback runs exactly once:
//                inline when the result is already there, else on the thread that fulfils the promise.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/result.h"
#include "base/wait.h"

namespace strata {

template <class T>
class Future;

namespace detail {

template <class T>
class FutureState {
 public:
  // False when a result was there already.
  bool fulfil(Result<T> result) {
    std::function<void(Result<T>)> callback;
    std::function<void()> woken;
    {
      std::lock_guard lock(mutex_);
      if (fulfilled_) return false;
      fulfilled_ = true;
      if (callback_) {
        callback = std::move(callback_);
        callback_ = nullptr;
      } else {
        result_.emplace(std::move(result));
        woken = std::move(on_wake_);
        on_wake_ = nullptr;
        // Under the lock: the waiter may destroy this state as soon as it can see the result.
        if (!woken) condition_.notify_all();
      }
      on_cancel_ = nullptr;
    }
    if (callback) callback(std::move(result));
    if (woken) woken();
    return true;
  }

  bool is_ready() {
    std::lock_guard lock(mutex_);
    return fulfilled_;
  }

  Result<T> wait_and_take() {
    if (Suspender* suspender = current_suspender()) {
      suspender->suspend_until([this](std::function<void()> resume) {
        {
          std::lock_guard lock(mutex_);
          if (!fulfilled_) {
            on_wake_ = std::move(resume);
            return;
          }
        }
        resume();
      });
      std::lock_guard lock(mutex_);
      return std::move(*result_);
    }
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return fulfilled_; });
    return std::move(*result_);
  }

  void on_ready(std::function<void(Result<T>)> callback) {
    std::unique_lock lock(mutex_);
    if (!fulfilled_) {
      callback_ = std::move(callback);
      return;
    }
    Result<T> result = std::move(*result_);
    lock.unlock();
    callback(std::move(result));
  }

  void set_cancel_hook(std::function<void()> hook) {
    std::lock_guard lock(mutex_);
    if (!fulfilled_) on_cancel_ = std::move(hook);
  }

  void cancel() {
    std::function<void()> hook;
    {
      std::lock_guard lock(mutex_);
      hook = std::move(on_cancel_);
      on_cancel_ = nullptr;
    }
    if (hook) hook();
    fulfil(ErrorCode::operation_cancelled);
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool fulfilled_ = false;
  std::optional<Result<T>> result_;
  std::function<void(Result<T>)> callback_;
  std::function<void()> on_wake_;
  std::function<void()> on_cancel_;
};

template <class T>
struct UnwrapFuture {
  using type = T;
};
template <class T>
struct UnwrapFuture<Result<T>> {
  using type = T;
};
template <class T>
struct UnwrapFuture<Future<T>> {
  using type = T;
};

}  // namespace detail

template <class T>
class [[nodiscard]] Future {
 public:
  using value_type = T;

  Future() = default;
  Future(Result<T> ready) : ready_(std::move(ready)) {}         // NOLINT
  Future(Error error) : ready_(Result<T>(std::move(error))) {}  // NOLINT
  Future(ErrorCode code) : ready_(Result<T>(code)) {}           // NOLINT
  template <class U>
    requires(!std::is_void_v<T> && std::is_convertible_v<U &&, T>)
  Future(U&& value) : ready_(Result<T>(T(std::forward<U>(value)))) {}  // NOLINT
  explicit Future(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  Future(Future&&) noexcept = default;
  Future& operator=(Future&&) noexcept = default;
  Future(const Future&) = delete;
  Future& operator=(const Future&) = delete;

  // Neither taken nor default-constructed.
  bool valid() const { return ready_.has_value() || state_ != nullptr; }

  bool is_ready() const {
    STRATA_ASSERT(valid());
    return ready_.has_value() || state_->is_ready();
  }

  // Waits (base/wait.h says how) and takes the result.
  Result<T> get() {
    STRATA_ASSERT(valid());
    if (ready_) {
      Result<T> result = std::move(*ready_);
      ready_.reset();
      return result;
    }
    return std::exchange(state_, nullptr)->wait_and_take();
  }

  // Takes the result by callback instead.
  void on_ready(std::function<void(Result<T>)> callback) {
    STRATA_ASSERT(valid());
    if (ready_) {
      Result<T> result = std::move(*ready_);
      ready_.reset();
      callback(std::move(result));
      return;
    }
    std::exchange(state_, nullptr)->on_ready(std::move(callback));
  }

  // Completes a pending future with operation_cancelled (1101) and tells its source; a ready one stays as it is.
  void cancel() {
    if (state_) state_->cancel();
  }

  // cancel(), for somebody else to call while this future waits elsewhere.
  std::function<void()> cancel_handle() const {
    return [state = state_] {
      if (state) state->cancel();
    };
  }

  // A future of what `next` makes of the result. next: Result<T> -> U, Result<U> or Future<U>; runs inline when the
  // result is there, else on the fulfilling thread.
  template <class Next>
  auto then(Next next) {
    using Returned = std::invoke_result_t<Next, Result<T>>;
    using U = typename detail::UnwrapFuture<Returned>::type;
    if (is_ready()) return Future<U>(next(get()));
    auto state = std::make_shared<detail::FutureState<U>>();
    auto source = state_;
    state->set_cancel_hook([source] { source->cancel(); });
    on_ready([state, next = std::move(next)](Result<T> result) mutable {
      Future<U> outcome(next(std::move(result)));
      // From here on the source of the second half is the one to tell.
      state->set_cancel_hook(outcome.cancel_handle());
      if (state->is_ready()) outcome.cancel();
      outcome.on_ready([state](Result<U> final_result) { state->fulfil(std::move(final_result)); });
    });
    return Future<U>(std::move(state));
  }

 private:
  std::optional<Result<T>> ready_;
  std::shared_ptr<detail::FutureState<T>> state_;
};

template <class T>
class Promise {
 public:
  Promise() : state_(std::make_shared<detail::FutureState<T>>()) {}
  Promise(Promise&&) noexcept = default;
  Promise& operator=(Promise&& other) noexcept {
    if (this != &other) {
      abandon();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~Promise() { abandon(); }

  // Once.
  Future<T> future() { return Future<T>(state_); }
  void fulfil(Result<T> result) { state_->fulfil(std::move(result)); }
  // Called when the other side cancels before the result is there.
  void on_cancel(std::function<void()> hook) { state_->set_cancel_hook(std::move(hook)); }

 private:
  void abandon() {
    if (state_) state_->fulfil(ErrorCode::operation_cancelled);
  }
  std::shared_ptr<detail::FutureState<T>> state_;
};

}  // namespace strata
