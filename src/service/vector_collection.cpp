#include "service/vector_collection.h"

#include <fmt/format.h>

#include "base/timer.h"
#include "service/run.h"

namespace strata::service {

std::string_view recovery_path_name(RecoveryPath path) {
  switch (path) {
    case RecoveryPath::none:
      return "none";
    case RecoveryPath::snapshot_only:
      return "snapshot_only";
    case RecoveryPath::snapshot_plus_wal:
      return "snapshot_plus_wal";
    case RecoveryPath::full_wal_replay:
      return "full_wal_replay";
  }
  return "none";
}

Result<void> VectorCollection::wait_until_ready(const Context& context, const Clock& clock) {
  if (is_ready_.load(std::memory_order_acquire)) return {};
  ASSIGN_OR_RETURN(const int64_t left_ms, timeout_ms(context, clock));
  Future<void> ready;
  {
    std::lock_guard lock(mutex_);
    if (is_ready_) return {};
    if (failed_) return *failed_;
    const auto promise = std::make_shared<Promise<void>>();
    waiting_.push_back(promise);
    ready = promise->future();
    if (left_ms > 0) {
      sleep_us(left_ms * 1'000).on_ready([promise, name = name()](const Result<void>&) {
        promise->fulfil(Error(ErrorCode::unavailable, fmt::format("collection '{}' is being recovered", name)));
      });
    }
  }
  return ready.get();
}

std::optional<Result<void>> VectorCollection::readiness() const {
  std::lock_guard lock(mutex_);
  if (failed_) return Result<void>(*failed_);
  if (is_ready_) return Result<void>();
  return std::nullopt;
}

void VectorCollection::attach(std::shared_ptr<VectorView> view, std::unique_ptr<VectorWriter> writer) {
  if (view_) view_->abandon();
  writer_ = std::move(writer);
  view_ = std::move(view);
}

void VectorCollection::set_ready(RecoveryPath path) {
  std::vector<std::shared_ptr<Promise<void>>> woken;
  {
    std::lock_guard lock(mutex_);
    recovery_path_ = path;
    is_ready_.store(true, std::memory_order_release);
    woken.swap(waiting_);
  }
  for (const auto& promise : woken) promise->fulfil(Result<void>());
}

void VectorCollection::set_failed(const Error& error) {
  std::vector<std::shared_ptr<Promise<void>>> woken;
  {
    std::lock_guard lock(mutex_);
    failed_ = error;
    woken.swap(waiting_);
  }
  for (const auto& promise : woken) promise->fulfil(error);
}

}  // namespace strata::service
