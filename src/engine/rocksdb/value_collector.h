// ValueCollector: gives back the space of large values that nobody refers to.
//
// Purpose:       removes value files without a reference; when half of all bytes are dead, writes what lives in files
//                that are mostly dead again, so that those files die too.
// Ownership:     borrows everything.
// Thread safety: one thread, which is not the committer's.
// Invariants:    a file is removed when it was sealed and not in use, then the memtables were flushed, and then no
// table
//                referred to it: tables keep what a snapshot still sees, and nothing can refer to it anew. A value is
//                moved by a commit that is refused when its key holds anything else by then. After a failed write
//                nothing is removed: the log may hold a commit that was answered with an error.
#pragma once

#include <rocksdb/db.h>

#include <atomic>
#include <optional>
#include <set>

#include "engine/rocksdb/value_usage.h"
#include "engine/rocksdb/value_writer.h"

namespace strata::kv {

class ValueCollector {
 public:
  ValueCollector(Store& store, Committer& committer, ValueWriter& writer, const RocksdbOptions& options)
      : db_(*store.db), files_(*store.values), committer_(committer), writer_(writer), options_(options) {}

  // One look. What it moved is gone after a later one. `stop` ends it early.
  void collect(const std::atomic<bool>& stop);

 private:
  using Files = std::vector<ValueFiles::Sealed>;
  struct Moved {
    rocksdb::SequenceNumber at = 0;
    std::optional<Bytes> first;  // the keys
    std::optional<Bytes> last;
  };

  Result<void> look(const std::atomic<bool>& stop);
  // Where so much was deleted or written anew that it may be half of all: the tables that refer to values are
  // compacted, which nobody would ask for otherwise, since references are little.
  Result<void> find_dead(const std::atomic<bool>& stop);
  void compact(BytesView first, BytesView last, const std::atomic<bool>& stop);
  // What the tables say of files that were sealed before the memtables were flushed; flushes where that is needed.
  Result<ValueUsage> usage_of(const Files& files);
  void compact_moved(const std::atomic<bool>& stop);
  Result<void> move_living(const Files& files, const ValueUsage& usage, const std::atomic<bool>& stop);
  Result<void> move_out(uint64_t file, const std::atomic<bool>& stop);
  struct Batch;
  Result<void> add_if_alive(Batch& batch, BytesView key, const ValueReference& reference);
  Result<void> commit(Batch& batch);

  rocksdb::DB& db_;
  ValueFiles& files_;
  Committer& committer_;
  ValueWriter& writer_;
  const RocksdbOptions& options_;
  std::set<uint64_t> flushed_;  // files that no memtable refers to
  std::optional<Moved> moved_;  // their old references wait for a compaction
  uint64_t appended_ = 0;       // when find_dead last compacted
};

}  // namespace strata::kv
