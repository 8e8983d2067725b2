// ValueSurvey: which of the values in value files some key still holds.
//
// Purpose:       a value is dead when its key holds something else, which the tables' sums (value_usage.h) tell only
//                after a compaction has met both. The files know the keys of their values: looking them up tells at
//                once.
// Ownership:     borrows database and files.
// Thread safety: none: the collector's.
// Invariants:    a value of a sealed file that no commit under way refers to dies once, so that what is known is never
//                less than what lives, but for what lies behind a damaged record. A look is bounded: least_lookups and
//                twice what was appended since the last one (which may have replaced as much), or longer while half of
//                what it sees is dead. Nothing is looked up twice while nothing is written.
#pragma once

#include <rocksdb/db.h>

#include <atomic>
#include <map>
#include <vector>

#include "engine/rocksdb/value_files.h"

namespace strata::kv {

class ValueSurvey {
 public:
  static constexpr uint64_t least_lookups = 1'024;

  struct Found {
    uint64_t living_bytes = 0;
    rocksdb::SequenceNumber at = 0;  // dead for everyone who reads at it or later
  };

  ValueSurvey(rocksdb::DB& db, const ValueFiles& files, size_t large_value_bytes)
      : db_(db), files_(files), large_value_bytes_(large_value_bytes) {}

  // Sealed and unused ones; those first that were not looked at for longest. Errors: io_error, corruption of the tree.
  Result<void> look(std::vector<ValueFiles::Listed> files, const std::atomic<bool>& stop);
  Result<void> look_at(uint64_t file, const std::atomic<bool>& stop);
  // nullptr: not known yet.
  const Found* find(uint64_t file) const;
  void forget(uint64_t file) { known_.erase(file); }
  // Of any file; nothing is remembered. Less when it was stopped.
  Result<Found> count_living(uint64_t file, const std::atomic<bool>& stop);

 private:
  rocksdb::DB& db_;
  const ValueFiles& files_;
  const size_t large_value_bytes_;
  std::map<uint64_t, Found> known_;
  uint64_t lookups_ = 0;
  uint64_t appended_bytes_ = 0;  // at the last look
};

// Whether the key holds it, for who reads so. Errors: io_error, corruption.
Result<bool> is_held(rocksdb::DB& db, const rocksdb::ReadOptions& read, BytesView key, const ValueReference& reference);

}  // namespace strata::kv
