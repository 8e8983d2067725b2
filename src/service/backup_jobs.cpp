#include "service/backup_jobs.h"

namespace strata::service {

void StopFlag::set() {
  std::function<void()> function;
  {
    std::lock_guard lock(mutex_);
    set_ = true;
    function = std::exchange(function_, nullptr);
  }
  if (function) function();
}

void StopFlag::on_set(std::function<void()> function) {
  {
    std::lock_guard lock(mutex_);
    if (!set_) {
      function_ = std::move(function);
      return;
    }
  }
  function();
}

std::list<BackupJobs::Job> BackupJobs::take_done() {
  std::list<Job> done;
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    const auto next = std::next(job);
    if (job->done) done.splice(done.end(), jobs_, job);
    job = next;
  }
  return done;
}

Result<void> BackupJobs::start(std::shared_ptr<StopFlag> stop, std::function<void()> function) {
  std::list<Job> done;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return ErrorCode::operation_cancelled;
    done = take_done();
    if (jobs_.size() >= max_jobs) {
      return Error(ErrorCode::too_many_requests, "too many backups at a time: try again when one is done");
    }
    Job& job = jobs_.emplace_back();
    job.stop = std::move(stop);
    job.thread = std::thread([this, &job, function = std::move(function)] {
      function();
      std::lock_guard ended(mutex_);
      job.done = true;
    });
  }
  for (Job& job : done) job.thread.join();
  return {};
}

void BackupJobs::stop() {
  std::list<Job> jobs;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Job& job : jobs_) job.stop->set();
    jobs.swap(jobs_);
  }
  for (Job& job : jobs) job.thread.join();
}

Result<void> BytesPipe::write(BytesView bytes) {
  std::optional<Promise<Bytes>> reader;
  {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return closed_ || blocks_.size() < max_blocks; });
    if (closed_) return Error(ErrorCode::operation_cancelled, "the reader of the backup is gone");
    if (!waiting_) {
      blocks_.emplace_back(bytes);
      return {};
    }
    reader = std::exchange(waiting_, std::nullopt);
  }
  reader->fulfil(Bytes(bytes));
  return {};
}

void BytesPipe::finish(Result<void> result) {
  std::optional<Promise<Bytes>> reader;
  {
    std::lock_guard lock(mutex_);
    reader = std::exchange(waiting_, std::nullopt);
    if (!reader) {
      result_ = std::move(result);
      return;
    }
  }
  reader->fulfil(result.ok() ? Result<Bytes>(Bytes()) : Result<Bytes>(std::move(result).error()));
}

Future<Bytes> BytesPipe::read() {
  std::lock_guard lock(mutex_);
  if (!blocks_.empty()) {
    Bytes block = std::move(blocks_.front());
    blocks_.pop_front();
    room_.notify_one();
    return Future<Bytes>(Result<Bytes>(std::move(block)));
  }
  if (result_) return result_->ok() ? Future<Bytes>(Result<Bytes>(Bytes())) : Future<Bytes>(result_->error());
  return waiting_.emplace().future();
}

void BytesPipe::close() {
  std::optional<Promise<Bytes>> reader;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    reader = std::exchange(waiting_, std::nullopt);
  }
  room_.notify_one();
}

void BytesPipe::refuse() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  room_.notify_one();
}

}  // namespace strata::service
