// SpaceReclaimer: gives the disk back what large clears and replaced large values left behind.
//
// Purpose:       a range tombstone, and a value's reference that is gone, free no space until a compaction meets what
//                they hide; in a store that is seldom written to there would be none. This one compacts the ranges that
//                were cleared, some seconds later, and has dead files of values removed, then and from time to time.
// Ownership:     owns its thread, between start() and stop(); borrows the database and the collector.
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

class ValueCollector;

class SpaceReclaimer {
 public:
  // The delay lets the versions expire that may still be read from before a clear.
  SpaceReclaimer(rocksdb::DB& db, int64_t delay_ms) : db_(db), delay_(delay_ms) {}
  // The collector commits, so that it comes after the committer, which needs this: it is there until stop().
  void start(ValueCollector& collector);
  void stop();
  ~SpaceReclaimer() { stop(); }
  SpaceReclaimer(const SpaceReclaimer&) = delete;
  SpaceReclaimer& operator=(const SpaceReclaimer&) = delete;

  // [begin, end) was cleared, and it held much.
  void cleared(BytesView begin, BytesView end);

 private:
  using Ranges = std::map<Bytes, Bytes, std::less<>>;

  void run(ValueCollector& collector);
  void wait_for_snapshots(std::unique_lock<std::mutex>& lock);
  void compact(const Ranges& ranges);

  rocksdb::DB& db_;
  const std::chrono::milliseconds delay_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  Ranges ranges_;  // disjoint
  std::thread thread_;
};

}  // namespace strata::kv
