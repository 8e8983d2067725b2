// ValueCollector: gives back the space of large values that nobody refers to.
//
// Purpose:       removes value files without a reference; has the tree compacted, which drops the references to what is
//                dead, when that costs less than the files take; and when half of all bytes are dead, writes what lives
//                in files that are mostly dead again, so that those die too.
// Ownership:     borrows everything but what it knows.
// Thread safety: one thread, which is not the committer's.
// Invariants:    a file is removed when it was sealed and not in use, then the memtables were flushed, and then no
//                table referred to it and none of its keys held its values: tables keep what a snapshot still sees,
//                and nothing can refer to it anew. A value is moved by a commit that is refused when its key holds
//                anything else by then. After a failed write nothing is removed: the log may hold a commit that was
//                answered with an error.
#pragma once

#include <rocksdb/db.h>

#include <atomic>
#include <set>
#include <vector>

#include "engine/rocksdb/value_survey.h"
#include "engine/rocksdb/value_usage.h"
#include "engine/rocksdb/value_writer.h"

namespace strata::kv {

class ValueCollector {
 public:
  ValueCollector(Store& store, Committer& committer, ValueWriter& writer, const RocksdbOptions& options)
      : store_(store),
        db_(*store.db),
        files_(*store.values),
        committer_(committer),
        writer_(writer),
        options_(options),
        survey_(*store.db, *store.values, options.large_value_bytes) {}

  // One look. What it finds dead is gone after a later one. `stop` ends it early.
  void collect(std::atomic<bool>& stop);

 private:
  using Files = std::vector<ValueFiles::Listed>;
  struct Batch;

  Result<void> look(std::atomic<bool>& stop);
  // Where a memtable may hold what refers to dead files, with what replaced it.
  Result<void> flush_if_needed(const Files& files, const ValueUsage& usage);
  // Of files that were sealed and not in use before it.
  Result<void> flush(const Files& files);
  Result<void> compact_if_worth_it(const Files& files, const ValueUsage& usage, std::atomic<bool>& stop);
  // The others. `stop` ends it early.
  Result<Files> remove_dead(const Files& files, const std::atomic<bool>& stop);
  // One that cannot be written would stop the store.
  bool has_room_for(uint64_t bytes) const;
  uint64_t living_bytes(const ValueFiles::Listed& file) const;
  Result<void> seal_if_mostly_dead(const std::atomic<bool>& stop);
  Result<void> move_living(const Files& files, const std::atomic<bool>& stop);
  Result<void> move_out(uint64_t file, const std::atomic<bool>& stop);
  Result<void> add_if_held(Batch& batch, BytesView key, const ValueReference& reference);
  Result<void> commit(Batch& batch);

  Store& store_;
  rocksdb::DB& db_;
  ValueFiles& files_;
  Committer& committer_;
  ValueWriter& writer_;
  const RocksdbOptions& options_;
  ValueSurvey survey_;
  std::set<uint64_t> flushed_;                // files that no memtable refers to
  rocksdb::SequenceNumber compacted_at_ = 0;  // what was dead at it, no table refers to
  rocksdb::SequenceNumber sealing_looked_at_ = 0;
};

}  // namespace strata::kv
