// BatchBuilder: the mutations of a batch of transactions as one RocksDB WriteBatch.
//
// Purpose:       evaluates what depends on what is there: atomics, versionstamps, clears of ranges.
// Ownership:     borrows the requests' bytes until clear(), and writes the stamps into them.
// Thread safety: none: the committer's.
// Invariants:    transactions are added in their order; each sees what the earlier ones of the batch wrote. While a
//                batch is built nobody else writes to the database.
// Why sorted:    the batch holds the last write of each key, in the order of keys. Log records and other keys that grow
//                then follow each other, and the memtable finds the place of one behind the other without a search from
//                the top.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/rocksdb/value_files.h"
#include "kv/engine.h"

namespace strata::kv {

class BatchBuilder {
 public:
  // Clears of up to this many keys become deletions of each: a range tombstone costs every later read of the range.
  static constexpr size_t most_single_deletes = 512;
  // Of large values fewer, since it is the range that gives their space back soon; more than what one request of 1 MiB
  // leaves.
  static constexpr size_t most_large_deletes = 16;

  BatchBuilder(rocksdb::DB& db, const ValueFiles& values, size_t value_limit_bytes)
      : db_(db), values_(values), value_limit_bytes_(value_limit_bytes) {}

  // Writers may leave their conflict ranges out: what a move replaces is compared itself. Errors: not_committed.
  Result<void> check_held(const CommitRequest& request, const std::vector<ValueReference>& references);
  // An error leaves the batch half built: clear() and start again without that transaction.
  Result<void> add(const CommitRequest& request, const Committed& committed);
  // Whether a request needs to see what the batch wrote before it; if one of a batch does, say so before the first add.
  static bool needs_overlay(const CommitRequest& request);
  void use_overlay() { overlaid_ = true; }

  // Of what was added since clear(). Called once, after the last add.
  rocksdb::WriteBatch& finish();
  // The range deletions of the batch as it is: disjoint, begin to end.
  using Cleared = std::map<BytesView, BytesView, std::less<>>;
  const Cleared& cleared() const { return cleared_; }
  void clear();

 private:
  // nullopt: removed.
  using Written = std::optional<BytesView>;

  void write(BytesView key, Written value);
  void put_into_batch(BytesView key, const Written& value);
  Result<void> clear_range(BytesView begin, BytesView end);
  bool is_cleared(BytesView begin, BytesView end) const;
  void add_cleared(BytesView begin, BytesView end);
  // False: more keys than most_single_deletes or most_large_deletes, or too many tombstones to tell.
  Result<bool> find_keys(BytesView begin, BytesView end, std::vector<BytesView>& keys);
  Result<void> apply_atomic_mutation(const Mutation& mutation);
  // Of a value that was computed here.
  static Result<void> refuse_reference(BytesView value);
  // What the tree holds for the key after what was added so far; until the next call.
  Result<Written> stored_value(BytesView key);
  // The same with large values themselves.
  Result<Written> value_of(BytesView key);

  rocksdb::DB& db_;
  const ValueFiles& values_;
  const size_t value_limit_bytes_;
  rocksdb::WriteBatch batch_;
  // What was written so far: in order of writing, or, when overlaid_, by key.
  std::vector<std::pair<BytesView, Written>> writes_;
  bool overlaid_ = false;
  std::map<BytesView, Written, std::less<>> overlay_;
  // Disjoint ranges, begin to end, that the batch removes whole; keys written into them later are in overlay_.
  Cleared cleared_;
  Arena arena_;
  rocksdb::PinnableSlice found_;
  Bytes whole_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace strata::kv
