#include "service/tasks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hex.h"
#include "base/log.h"
#include "base/random.h"

namespace strata::service {
namespace {

// Version 4 of RFC 4122.
std::string make_id() {
  Bytes bytes = secure_random_bytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  std::string id = to_hex(bytes);
  for (const size_t at : {20, 16, 12, 8}) id.insert(at, 1, '-');
  return id;
}

}  // namespace

std::string_view task_status_name(TaskStatus status) {
  switch (status) {
    case TaskStatus::pending:
      return "pending";
    case TaskStatus::running:
      return "running";
    case TaskStatus::completed:
      return "completed";
    case TaskStatus::failed:
      return "failed";
    case TaskStatus::cancelled:
      return "cancelled";
  }
  return "";
}

Result<void> TaskProgress::check() const {
  if (cancelled_) return Error(ErrorCode::operation_cancelled, "the task was cancelled");
  return {};
}

void TaskProgress::set_message(std::string message) {
  std::lock_guard lock(mutex_);
  message_ = std::move(message);
}

Tasks::Tasks(Clock& clock) : clock_(clock) {}

Result<std::string> Tasks::start(std::string_view type, std::string arguments, Function function) {
  auto task = std::make_shared<Task>();
  task->info.id = make_id();
  task->info.type = type;
  task->info.arguments = std::move(arguments);
  task->info.created_us = clock_.wall_us();
  task->function = std::move(function);
  std::lock_guard lock(mutex_);
  if (stopping_) return Error(ErrorCode::unavailable, "the server is stopping");
  if (waiting_.size() >= max_waiting) {
    return Error(ErrorCode::too_many_requests, fmt::format("{} tasks are waiting: try again later", max_waiting));
  }
  task->number = ++last_number_;
  tasks_.emplace(task->info.id, task);
  waiting_.push_back(task);
  if (waiting_.size() > idle_ && threads_.size() < max_running) threads_.emplace_back([this] { work(); });
  changed_.notify_one();
  return task->info.id;
}

void Tasks::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    --idle_;
    if (waiting_.empty()) return;
    const std::shared_ptr<Task> task = std::move(waiting_.front());
    waiting_.pop_front();
    run(task, lock);
  }
}

void Tasks::run(const std::shared_ptr<Task>& task, std::unique_lock<std::mutex>& lock) {
  task->info.status = TaskStatus::running;
  task->info.started_us = clock_.wall_us();
  task->started_steady_us = clock_.steady_us();
  const Function function = std::move(task->function);
  lock.unlock();
  const Result<void> done = function(task->progress);
  lock.lock();
  if (done.ok()) {
    end(*task, TaskStatus::completed);
  } else if (task->progress.cancelled()) {
    end(*task, TaskStatus::cancelled);
  } else {
    task->info.error = done.error().message();
    end(*task, TaskStatus::failed);
    log::warning("a task failed",
                 {{"id", task->info.id}, {"type", task->info.type}, {"error", std::string_view(task->info.error)}});
  }
}

void Tasks::end(Task& task, TaskStatus status) {
  task.info.status = status;
  task.info.ended_us = clock_.wall_us();
  task.function = nullptr;
  ended_.push_back(task.info.id);
  if (ended_.size() <= max_ended) return;
  tasks_.erase(ended_.front());
  ended_.pop_front();
}

TaskInfo Tasks::describe(const Task& task) const {
  TaskInfo info = task.info;
  info.done = task.progress.done_;
  info.total = task.progress.total_;
  {
    std::lock_guard lock(task.progress.mutex_);
    info.message = task.progress.message_;
  }
  if (info.status == TaskStatus::running && info.done > 0 && info.total >= info.done) {
    const double pace_us =
        static_cast<double>(clock_.steady_us() - task.started_steady_us) / static_cast<double>(info.done);
    info.left_us = static_cast<int64_t>(pace_us * static_cast<double>(info.total - info.done));
  }
  return info;
}

Error Tasks::no_such_task(std::string_view id) const {
  return {ErrorCode::not_found, "task not found: " + printable(id, 64)};
}

std::vector<TaskInfo> Tasks::list() const {
  std::lock_guard lock(mutex_);
  std::vector<const Task*> tasks;
  for (const auto& [id, task] : tasks_) tasks.push_back(task.get());
  std::sort(tasks.begin(), tasks.end(), [](const Task* a, const Task* b) { return a->number > b->number; });
  std::vector<TaskInfo> infos;
  infos.reserve(tasks.size());
  for (const Task* task : tasks) infos.push_back(describe(*task));
  return infos;
}

Result<TaskInfo> Tasks::find(std::string_view id) const {
  std::lock_guard lock(mutex_);
  const auto found = tasks_.find(id);
  if (found == tasks_.end()) return no_such_task(id);
  return describe(*found->second);
}

Result<TaskInfo> Tasks::cancel(std::string_view id) {
  std::lock_guard lock(mutex_);
  const auto found = tasks_.find(id);
  if (found == tasks_.end()) return no_such_task(id);
  const std::shared_ptr<Task> task = found->second;
  if (!has_ended(task->info.status)) task->progress.cancelled_ = true;
  if (task->info.status == TaskStatus::pending) {
    std::erase(waiting_, task);
    end(*task, TaskStatus::cancelled);
  }
  return describe(*task);
}

void Tasks::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& task : waiting_) end(*task, TaskStatus::cancelled);
    waiting_.clear();
    for (const auto& [id, task] : tasks_) task->progress.cancelled_ = true;
  }
  changed_.notify_all();
  // No thread is added any more.
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace strata::service
