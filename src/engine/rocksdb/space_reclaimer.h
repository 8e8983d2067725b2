// SpaceReclaimer: gives the disk back what large clears and replaced large values left behind.
//
// Purpose:       a range tombstone, and a value's reference that is gone, free no space until a compaction meets what
//                they hide; in a store that is seldom written to there would be none. This one compacts the ranges that
//                were cleared, some seconds later, and the whole store when most of its large values' bytes are dead.
// Ownership:     owns its thread; borrows the database.
// Thread safety: cleared() from any thread.
// Invariants:    never more than one compaction at a time, and three times as long a pause after it; closing cancels
//                it. A range is compacted when the last snapshot from before its clear is gone. Errors are RocksDB's to
//                remember: a failed compaction stops writes as any other does.
#pragma once

#include <rocksdb/db.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "base/bytes.h"

namespace strata::kv {

class SpaceReclaimer {
 public:
  // The delay lets the versions expire that may still be read from before a clear.
  SpaceReclaimer(rocksdb::DB& db, int64_t delay_ms, uint64_t least_garbage_bytes);
  ~SpaceReclaimer();
  SpaceReclaimer(const SpaceReclaimer&) = delete;
  SpaceReclaimer& operator=(const SpaceReclaimer&) = delete;

  // [begin, end) was cleared, and it held much.
  void cleared(BytesView begin, BytesView end);

 private:
  using Ranges = std::map<Bytes, Bytes, std::less<>>;

  void run();
  void wait_for_snapshots(std::unique_lock<std::mutex>& lock);
  void compact(const Ranges& ranges);
  void collect_garbage();

  rocksdb::DB& db_;
  const std::chrono::milliseconds delay_;
  const uint64_t least_garbage_bytes_;
  uint64_t garbage_left_ = 0;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  Ranges ranges_;  // disjoint
  std::thread thread_;
};

}  // namespace strata::kv
