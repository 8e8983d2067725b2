// BatchBuilder: the mutations of a batch of transactions as one RocksDB WriteBatch.
//
// Purpose:       evaluates what depends on what is there: atomics, versionstamps, clears of ranges.
// Ownership:     borrows the requests' bytes until clear().
// Thread safety: none: the committer's.
// Invariants:    transactions are added in their order; each sees what the earlier ones of the batch wrote. While a
//                batch is built nobody else writes to the database.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <map>
#include <memory>
#include <vector>

#include "kv/engine.h"

namespace strata::kv {

class BatchBuilder {
 public:
  // Clears of up to this many keys become deletions of each: a range tombstone costs every later read of the range.
  static constexpr size_t most_single_deletes = 512;

  BatchBuilder(rocksdb::DB& db, size_t value_limit_bytes) : db_(db), value_limit_bytes_(value_limit_bytes) {}

  // An error leaves the batch half built: clear() and start again without that transaction.
  Result<void> add(const CommitRequest& request, const Committed& committed);
  // Whether a request needs to see what the batch wrote before it; if one of a batch does, say so before the first add.
  static bool needs_overlay(const CommitRequest& request);
  void use_overlay() { overlaid_ = true; }

  rocksdb::WriteBatch& batch() { return batch_; }
  // Of the batch as it is.
  size_t range_deletions() const { return range_deletions_; }
  void clear();

 private:
  void put(BytesView key, BytesView value);
  void remove(BytesView key);
  Result<void> clear_range(BytesView begin, BytesView end);
  bool is_cleared(BytesView begin, BytesView end) const;
  void add_cleared(BytesView begin, BytesView end);
  // False: more keys than most_single_deletes, or too many tombstones to tell.
  Result<bool> find_keys(BytesView begin, BytesView end, std::vector<BytesView>& keys);
  Result<void> apply_atomic_mutation(const Mutation& mutation);
  // What the key holds after what was added so far.
  Result<std::optional<BytesView>> value_of(BytesView key);

  rocksdb::DB& db_;
  const size_t value_limit_bytes_;
  rocksdb::WriteBatch batch_;
  // What the batch wrote so far; nullopt: removed. Filled only when overlaid_.
  bool overlaid_ = false;
  std::map<BytesView, std::optional<BytesView>, std::less<>> overlay_;
  // Disjoint ranges, begin to end, that the batch removed whole; keys written into them later are in overlay_.
  std::map<BytesView, BytesView, std::less<>> cleared_;
  size_t range_deletions_ = 0;
  Arena arena_;
  rocksdb::PinnableSlice found_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace strata::kv
