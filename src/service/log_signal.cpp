#include "service/log_signal.h"

#include <utility>

namespace strata::service {

std::shared_ptr<LogSignal::Slot> LogSignal::slot(int64_t namespace_id) {
  {
    std::shared_lock lock(slots_mutex_);
    const auto found = slots_.find(namespace_id);
    if (found != slots_.end()) return found->second;
  }
  std::unique_lock lock(slots_mutex_);
  std::shared_ptr<Slot>& slot = slots_[namespace_id];
  if (!slot) slot = std::make_shared<Slot>();
  return slot;
}

void LogSignal::wake(Slot& slot) {
  std::vector<Promise<void>> woken;
  {
    std::lock_guard lock(slot.mutex);
    slot.has_waiting = false;
    woken.swap(slot.waiting);
  }
  for (Promise<void>& promise : woken) promise.fulfil(Result<void>());
}

void LogSignal::notify(int64_t namespace_id) {
  const std::shared_ptr<Slot> slot = this->slot(namespace_id);
  // Before the flag is read: who waits sets the flag first and then reads the sequence, so one of the two sees the
  // other (sequentially consistent order).
  slot->sequence.fetch_add(1);
  if (!slot->written.load(std::memory_order_relaxed) && !slot->written.exchange(true)) {
    std::lock_guard lock(written_mutex_);
    written_.push_back(namespace_id);
  }
  if (slot->has_waiting.load()) wake(*slot);
}

uint64_t LogSignal::sequence(int64_t namespace_id) { return slot(namespace_id)->sequence.load(); }

Future<void> LogSignal::changed(int64_t namespace_id, uint64_t seen) {
  const std::shared_ptr<Slot> slot = this->slot(namespace_id);
  std::lock_guard lock(slot->mutex);
  slot->has_waiting = true;
  if (slot->sequence.load() != seen) return Result<void>();
  Promise<void> promise;
  Future<void> future = promise.future();
  slot->waiting.push_back(std::move(promise));
  return future;
}

std::vector<int64_t> LogSignal::take_written() {
  std::vector<int64_t> written;
  {
    std::lock_guard lock(written_mutex_);
    written.swap(written_);
  }
  // Cleared before anybody looks at the namespace: a write from here on is announced again.
  for (const int64_t id : written) slot(id)->written = false;
  return written;
}

void LogSignal::wake_all() {
  std::vector<std::shared_ptr<Slot>> slots;
  {
    std::shared_lock lock(slots_mutex_);
    for (const auto& [id, slot] : slots_) {
      if (slot->has_waiting.load()) slots.push_back(slot);
    }
  }
  for (const auto& slot : slots) wake(*slot);
}

void LogSignal::forget(int64_t namespace_id) {
  std::shared_ptr<Slot> slot;
  {
    std::unique_lock lock(slots_mutex_);
    const auto found = slots_.find(namespace_id);
    if (found == slots_.end()) return;
    slot = std::move(found->second);
    slots_.erase(found);
  }
  wake(*slot);
}

}  // namespace strata::service
