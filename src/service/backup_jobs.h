// BackupJobs: long work on threads of its own, and the bytes that it sends to a request.
//
// Purpose:       a backup reads and hashes for minutes; the threads that serve requests must not.
// Ownership:     owns the threads; a job's function may use what outlives the BackupJobs.
// Thread safety: any thread. A pipe has one writer and one reader.
// Invariants:    at most max_jobs at a time. stop(), and the destructor, tell every job to stop and wait for it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/future.h"
#include "layers/records/backup_format.h"

namespace strata::service {

// Set by whoever wants the work to end; looked at between pages.
class StopFlag {
 public:
  void set();
  // Called once, by set(), or at once where that has been. For work that waits and cannot look.
  void on_set(std::function<void()> function);
  bool is_set() const { return set_; }
  Result<void> check() const {
    if (set_) return Error(ErrorCode::operation_cancelled, "the backup was stopped");
    return {};
  }

 private:
  std::atomic<bool> set_{false};
  std::mutex mutex_;
  std::function<void()> function_;
};

class BackupJobs {
 public:
  static constexpr size_t max_jobs = 8;

  BackupJobs() = default;
  ~BackupJobs() { stop(); }
  BackupJobs(const BackupJobs&) = delete;
  BackupJobs& operator=(const BackupJobs&) = delete;

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

// A few blocks of bytes on their way from a job to a request.
class BytesPipe final : public ByteSink {
 public:
  // Waits while `max_blocks` are on their way, as a thread. operation_cancelled after close() or refuse().
  Result<void> write(BytesView bytes) override;
  // The writer's end: what it wrote is all, or it failed.
  void finish(Result<void> result);

  // The next block; empty: the end. Then, and after an error, no more.
  Future<Bytes> read();
  // The reader does not want more.
  void close();
  // The writer gets no further, and has to finish().
  void refuse();

 private:
  static constexpr size_t max_blocks = 4;

  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<Bytes> blocks_;
  std::optional<Promise<Bytes>> waiting_;
  std::optional<Result<void>> result_;
  bool closed_ = false;
};

}  // namespace strata::service
