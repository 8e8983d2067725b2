#include "engine/rocksdb/space_reclaimer.h"

#include <algorithm>

#include "engine/rocksdb/value_collector.h"

namespace strata::kv {
namespace {

// Beyond it they become one that holds them all.
constexpr size_t most_ranges = 256;
// Times the delay: how often dead values are looked for while nothing is cleared, since values are also replaced one by
// one.
constexpr int garbage_interval_delays = 6;

}  // namespace

void SpaceReclaimer::start(ValueCollector& collector) {
  thread_ = std::thread([this, &collector] { run(collector); });
}

void SpaceReclaimer::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void SpaceReclaimer::cleared(BytesView begin, BytesView end) {
  {
    std::lock_guard lock(mutex_);
    Bytes first(begin);
    Bytes last(end);
    if (ranges_.size() >= most_ranges) {
      first = std::min(first, ranges_.begin()->first);
      last = std::max(last, ranges_.rbegin()->second);
    }
    auto it = ranges_.upper_bound(first);
    if (it != ranges_.begin() && std::prev(it)->second >= first) first = (--it)->first;
    while (it != ranges_.end() && it->first <= last) {
      last = std::max(last, it->second);
      it = ranges_.erase(it);
    }
    ranges_.emplace(std::move(first), std::move(last));
  }
  changed_.notify_one();
}

void SpaceReclaimer::run(ValueCollector& collector) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait_for(lock, garbage_interval_delays * delay_, [this] { return stopping_ || !ranges_.empty(); });
    // Clears come in series: what follows is compacted together.
    if (!ranges_.empty()) changed_.wait_for(lock, delay_, [this] { return stopping_.load(); });
    if (stopping_) return;
    const Ranges ranges = std::exchange(ranges_, {});
    if (!ranges.empty()) wait_for_snapshots(lock);
    if (stopping_) return;
    lock.unlock();
    const auto began = std::chrono::steady_clock::now();
    compact(ranges);
    collector.collect(stopping_);
    const auto took = std::chrono::steady_clock::now() - began;
    lock.lock();
    changed_.wait_for(lock, 3 * took, [this] { return stopping_.load(); });
  }
}

// A compaction keeps what a snapshot from before the clear still sees, and nobody would ask for another one.
void SpaceReclaimer::wait_for_snapshots(std::unique_lock<std::mutex>& lock) {
  const rocksdb::SequenceNumber cleared_at = db_.GetLatestSequenceNumber();
  while (!stopping_ && oldest_visible(db_) < cleared_at) {
    changed_.wait_for(lock, delay_, [this] { return stopping_.load(); });
  }
}

void SpaceReclaimer::compact(const Ranges& ranges) {
  for (const auto& [begin, end] : ranges) {
    const rocksdb::Slice first = to_slice(begin);
    const rocksdb::Slice last = to_slice(end);
    db_.CompactRange(background_compaction(stopping_), &first, &last).PermitUncheckedError();
  }
}

}  // namespace strata::kv
