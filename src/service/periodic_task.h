// PeriodicTask: a thread that does one thing again and again, and earlier when it is told to.
//
// Purpose:       passes in the background: clearing what nobody needs, ending what nobody uses.
// Ownership:     owns the thread.
// Thread safety: wake and stop from any thread; the function runs on the task's thread alone.
// Invariants:    after stop() returned the function does not run and will not.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace strata::service {

class PeriodicTask {
 public:
  PeriodicTask() = default;
  ~PeriodicTask() { stop(); }
  PeriodicTask(const PeriodicTask&) = delete;
  PeriodicTask& operator=(const PeriodicTask&) = delete;

  // Once.
  void start(int64_t interval_ms, std::function<void()> function) {
    function_ = std::move(function);
    thread_ = std::thread([this, interval_ms] { run(std::chrono::milliseconds(interval_ms)); });
  }
  void wake() {
    {
      std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_one();
  }
  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run(std::chrono::milliseconds interval) {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      changed_.wait_for(lock, interval, [this] { return stopping_ || woken_; });
      if (stopping_) return;
      woken_ = false;
      lock.unlock();
      function_();
      lock.lock();
    }
  }

  std::function<void()> function_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace strata::service
