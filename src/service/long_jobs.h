// LongJobs: long work on threads of its own.
//
// Purpose:       a backup or an index build takes minutes; the threads that serve requests must not.
// Ownership:     owns the threads; a job's function may use what outlives the LongJobs.
// Thread safety: any thread.
// Invariants:    at most max_jobs at a time. stop(), and the destructor, tell every job to stop and wait for it.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "base/future.h"
#include "base/result.h"

namespace strata::service {

// Set by whoever wants the work to end; looked at between pages.
class StopFlag {
 public:
  void set();
  // Called once, by set(), or at once where that has been. For work that waits and cannot look.
  void on_set(std::function<void()> function);
  bool is_set() const { return set_; }
  Result<void> check() const {
    if (set_) return Error(ErrorCode::operation_cancelled, "it was stopped");
    return {};
  }

 private:
  std::atomic<bool> set_{false};
  std::mutex mutex_;
  std::function<void()> function_;
};

// Set by a face when its client has gone; null: nobody will.
using StopHandle = std::shared_ptr<StopFlag>;

class LongJobs {
 public:
  static constexpr size_t max_jobs = 8;

  LongJobs() = default;
  ~LongJobs() { stop(); }
  LongJobs(const LongJobs&) = delete;
  LongJobs& operator=(const LongJobs&) = delete;

  // too_many_requests when max_jobs run; operation_cancelled after stop(). The function does not throw.
  Result<void> start(std::shared_ptr<StopFlag> stop, std::function<void()> function);
  // Of a function that returns Result<T>; waits for its end, a coroutine without holding its thread.
  template <class T>
  Result<T> run(std::shared_ptr<StopFlag> stop, std::function<Result<T>()> function) {
    auto promise = std::make_shared<Promise<T>>();
    Future<T> done = promise->future();
    RETURN_IF_ERROR(start(std::move(stop), [promise, function] { promise->fulfil(function()); }));
    return done.get();
  }
  void stop();

 private:
  struct Job {
    std::shared_ptr<StopFlag> stop;
    std::thread thread;
    bool done = false;
  };
  // Those that have ended; their threads are joined without the lock.
  std::list<Job> take_done();

  std::mutex mutex_;
  std::list<Job> jobs_;
  bool stopping_ = false;
};

}  // namespace strata::service
