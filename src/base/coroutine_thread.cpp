#include "base/coroutine_thread.h"

#include "base/assert.h"

namespace strata {

CoroutineThread::CoroutineThread() : thread_([this] { loop(); }) {}

CoroutineThread::~CoroutineThread() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    woken_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CoroutineThread::start(std::function<void()> function) {
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(function));
    woken_ = true;
  }
  changed_.notify_all();
}

void CoroutineThread::on_ready() {
  // Under the lock: the thread may end, and this object with it, as soon as it is not held.
  std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void CoroutineThread::loop() {
  for (;;) {
    std::vector<std::function<void()>> functions;
    bool ending = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return woken_; });
      woken_ = false;
      functions.swap(waiting_);
      ending = ending_;
    }
    run(std::move(functions));
    pool_.run_ready();
    if (!ending || pool_.running() != 0) continue;
    std::lock_guard lock(mutex_);
    if (waiting_.empty()) return;
  }
}

void CoroutineThread::run(std::vector<std::function<void()>> functions) {
  for (std::function<void()>& function : functions) {
    auto owned = std::make_unique<std::function<void()>>(std::move(function));
    const auto body = [](void* argument) {
      const std::unique_ptr<std::function<void()>> taken(static_cast<std::function<void()>*>(argument));
      (*taken)();
    };
    // Without memory for a stack the function runs on the thread itself and holds it while it waits: late, not lost.
    std::function<void()>* argument = owned.release();
    if (!pool_.start(body, argument)) body(argument);
  }
}

}  // namespace strata
