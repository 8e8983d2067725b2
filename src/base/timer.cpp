#include "base/timer.h"

#include <chrono>
#include <map>
#include <thread>

namespace strata {
namespace {

class Timer {
 public:
  Timer() : thread_([this] { loop(); }) {}
  ~Timer() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  Future<void> add(int64_t delay_us) {
    Promise<void> promise;
    Future<void> future = promise.future();
    const auto due = std::chrono::steady_clock::now() + std::chrono::microseconds(delay_us);
    bool is_first;
    {
      std::lock_guard lock(mutex_);
      is_first = waiting_.emplace(due, std::move(promise)) == waiting_.begin();
    }
    if (is_first) changed_.notify_all();
    return future;
  }

 private:
  void loop() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (waiting_.empty()) {
        changed_.wait(lock);
        continue;
      }
      const auto due = waiting_.begin()->first;
      if (std::chrono::steady_clock::now() < due) {
        changed_.wait_until(lock, due);
        continue;
      }
      Promise<void> promise = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
      lock.unlock();
      promise.fulfil(Result<void>());
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<std::chrono::steady_clock::time_point, Promise<void>> waiting_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the members above
};

}  // namespace

Future<void> sleep_us(int64_t delay_us) {
  if (delay_us <= 0) return Result<void>();
  static Timer timer;
  return timer.add(delay_us);
}

}  // namespace strata
