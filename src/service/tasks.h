// Tasks: long work in the background, with progress, that can be watched and cancelled.
//
// Purpose:       a request that would take minutes is answered with the id of a task; whoever has the id sees how far
//                it is and how it ended.
// Ownership:     owns its threads and what it remembers. A task's function may use what outlives the Tasks.
// Thread safety: any thread. A function runs on one of the task threads, where blocking is allowed.
// Invariants:    at most max_running run and max_waiting wait; the newest max_ended of those that ended are remembered.
//                They end with the process: after a restart no id is known. stop(), and the destructor, cancel every
//                task and wait for those that run.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace strata::service {

enum class TaskStatus : uint8_t { pending, running, completed, failed, cancelled };
std::string_view task_status_name(TaskStatus status);
inline bool has_ended(TaskStatus status) { return status != TaskStatus::pending && status != TaskStatus::running; }

struct TaskInfo {
  // A UUID, unguessable.
  std::string id;
  std::string type;
  TaskStatus status = TaskStatus::pending;
  // A JSON object: what it was started with.
  std::string arguments = "{}";
  int64_t created_us = 0;  // wall clock
  int64_t started_us = 0;  // 0: not yet
  int64_t ended_us = 0;    // 0: not yet
  uint64_t done = 0;
  uint64_t total = 0;  // 0: not known
  // At the pace so far; absent where nothing is known yet, or it does not run.
  std::optional<int64_t> left_us;
  std::string message;
  // Why it failed.
  std::string error;
};

// What a running task tells and is told. Its methods may be called as often as one likes.
class TaskProgress {
 public:
  bool cancelled() const { return cancelled_; }
  // operation_cancelled when it is.
  Result<void> check() const;
  void set_total(uint64_t total) { total_ = total; }
  void set_done(uint64_t done) { done_ = done; }
  void add_done(uint64_t count) { done_ += count; }
  void set_message(std::string message);

 private:
  friend class Tasks;
  std::atomic<bool> cancelled_{false};
  std::atomic<uint64_t> done_{0};
  std::atomic<uint64_t> total_{0};
  mutable std::mutex mutex_;
  std::string message_;
};

class Tasks {
 public:
  static constexpr size_t max_running = 4;
  static constexpr size_t max_waiting = 1'000;
  static constexpr size_t max_ended = 1'000;
  using Function = std::function<Result<void>(TaskProgress&)>;

  explicit Tasks(Clock& clock = system_clock());
  ~Tasks() { stop(); }
  Tasks(const Tasks&) = delete;
  Tasks& operator=(const Tasks&) = delete;

  // The new task's id. type: "restore_table"; arguments: a JSON object. too_many_requests: max_waiting wait;
  // unavailable: after stop().
  Result<std::string> start(std::string_view type, std::string arguments, Function function);
  // Newest first.
  std::vector<TaskInfo> list() const;
  // not_found.
  Result<TaskInfo> find(std::string_view id) const;
  // One that waits is cancelled at once; one that runs is told to end and does so soon. One that has ended stays as it
  // is. not_found.
  Result<TaskInfo> cancel(std::string_view id);
  void stop();

 private:
  struct Task {
    TaskInfo info;
    uint64_t number = 0;
    int64_t started_steady_us = 0;
    Function function;
    TaskProgress progress;
  };

  void work();
  void run(const std::shared_ptr<Task>& task, std::unique_lock<std::mutex>& lock);
  void end(Task& task, TaskStatus status);
  TaskInfo describe(const Task& task) const;
  Error no_such_task(std::string_view id) const;

  Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<Task>, std::less<>> tasks_;
  std::deque<std::shared_ptr<Task>> waiting_;
  std::deque<std::string> ended_;  // oldest first
  size_t idle_ = 0;
  uint64_t last_number_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace strata::service
