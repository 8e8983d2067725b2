// RocksdbEngine: the embedded engine, one directory on one machine.
//
// Purpose:       Engine over RocksDB. Reads go to snapshots of published versions on the caller's thread and come back
//                ready; commits go through one committer thread that makes batches of whatever waits (committer.h).
// Ownership:     owns the directory while open: a second open is refused. Closing answers every waiting commit, syncs,
//                and gives the directory back.
// Thread safety: any thread.
// Invariants:    what was answered as committed with Durability::sync is there after any crash. After a failed write
//                or sync nothing is written any more until the store is opened again (health() says why); reads go on.
//                The layout is described in docs/formats/rocksdb-store.md.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "kv/engine.h"

namespace rocksdb {
class Env;
}

namespace strata::kv {

struct RocksdbOptions {
  std::filesystem::path directory;
  Limits limits = {};
  // What Durability::engine_default means.
  Durability durability = Durability::sync;
  // Filled as blocks are read, not before.
  size_t block_cache_bytes = 256u << 20;
  size_t write_buffer_bytes = 64u << 20;
  // Bytes of commits that may wait, and of those whose large values are not written yet as much again; beyond it:
  // commit_proxy_memory_limit_exceeded.
  size_t queue_bytes = 256u << 20;
  Clock* clock = &system_clock();
  // Where files are; nullptr: the machine's. For fault injection; outlives the engine.
  rocksdb::Env* env = nullptr;
  // How long the committer waits for company at most, as a part of the last sync's duration; 0: never.
  double gather_part = 0.5;
  // Keeps a core awake while a sync is outstanding, where that makes syncs faster (sync_spinner.h).
  bool spin_during_sync = true;
  // So many clears of large ranges and the memtable is flushed: the first read after a new range tombstone sorts all
  // that it holds, 6 us for 1,000 and 19 us for 4,000.
  size_t most_range_deletions = 1'000;
  // Values of this size and more lie in files of their own, beside the tree (docs/decisions/large-values.md).
  size_t large_value_bytes = 64u << 10;
  // How long such a file gets.
  size_t value_file_bytes = 256u << 20;
  // So long after a large clear its space is given back; and so much of large values is dead before any are moved.
  int64_t reclaim_delay_ms = 10'000;
  uint64_t least_garbage_bytes = 128u << 20;
  // Nothing is logged: what is committed is on disk once a commit with Durability::sync, sync() or the end of the
  // engine has flushed it. A crash before leaves what was flushed, a state between two commits; async promises no time.
  bool bulk_load = false;
};

// Of a program that has a store for itself and fills it: a few large memtables that are written once, instead of a log
// and tables that are compacted with the next ones. Up to 400 MB of memory.
RocksdbOptions bulk_load_options(std::filesystem::path directory);

// Everything since the engine was opened, but for what says "now".
struct RocksdbStats {
  uint64_t commits = 0;
  uint64_t batches = 0;
  uint64_t conflicts = 0;
  uint64_t too_old = 0;
  uint64_t syncs = 0;
  uint64_t log_bytes = 0;
  // Of the files of large values.
  uint64_t value_bytes = 0;
  uint64_t value_syncs = 0;
  uint64_t last_batch_commits = 0;
  // Of syncs: how many took less than 2^i microseconds (the last: all others), and their sum.
  static constexpr int sync_buckets = 24;
  uint64_t sync_us_bucket[sync_buckets] = {};
  uint64_t sync_us_sum = 0;
  uint64_t waiting_commits = 0;         // now
  uint64_t block_cache_bytes = 0;       // now
  uint64_t memtable_bytes = 0;          // now
  uint64_t conflict_history_bytes = 0;  // now
  uint64_t snapshots = 0;               // now
  uint64_t watches = 0;                 // now
  std::string stopped;                  // why writes stopped; empty: they have not
};

struct RocksdbReport {
  int format = 0;
  uint64_t files = 0;
  uint64_t file_bytes = 0;
  uint64_t keys = 0;  // roughly
  Version version = invalid_version;
};

class RocksdbEngine final : public Engine {
 public:
  // Creates the directory where it is missing. Errors: unavailable (in use by another process), invalid_argument (not
  // a store, or of a newer format; nothing was touched), corruption, io_error.
  static Result<std::shared_ptr<RocksdbEngine>> open(RocksdbOptions options);
  // Reads every block of a store that nobody has open, changing nothing.
  static Result<RocksdbReport> verify(const std::filesystem::path& directory, rocksdb::Env* env = nullptr);
  ~RocksdbEngine() override;

  // The error that stopped writes.
  Result<void> health() const;
  RocksdbStats stats() const;
  // Every commit that was answered before is on disk afterwards.
  Result<void> sync();

  const Limits& limits() const override;
  Future<Version> read_version() override;
  Future<std::optional<Bytes>> get(BytesView key, Version version) override;
  Future<RangePage> range(const RangeRequest& request) override;
  Future<Committed> commit(CommitRequest request) override;
  Future<void> watch(BytesView key, std::optional<Bytes> value, Version version) override;
  Future<int64_t> estimated_bytes(BytesView begin, BytesView end) override;
  Future<std::vector<Bytes>> split_points(BytesView begin, BytesView end, int64_t chunk_bytes) override;

 private:
  struct Parts;
  explicit RocksdbEngine(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace strata::kv
