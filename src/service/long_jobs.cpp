#include "service/long_jobs.h"

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

std::list<LongJobs::Job> LongJobs::take_done() {
  std::list<Job> done;
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    const auto next = std::next(job);
    if (job->done) done.splice(done.end(), jobs_, job);
    job = next;
  }
  return done;
}

Result<void> LongJobs::start(std::shared_ptr<StopFlag> stop, std::function<void()> function) {
  std::list<Job> done;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return ErrorCode::operation_cancelled;
    done = take_done();
    if (jobs_.size() >= max_jobs) {
      return Error(ErrorCode::too_many_requests, "too many long tasks at a time: try again when one is done");
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

void LongJobs::stop() {
  std::list<Job> jobs;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Job& job : jobs_) job.stop->set();
    jobs.swap(jobs_);
  }
  for (Job& job : jobs) job.thread.join();
}

}  // namespace strata::service
