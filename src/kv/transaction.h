// Transaction: what a program does to the key space, all of it or nothing.
//
// Purpose:       FoundationDB's transaction over any Engine: reads at one version, own writes visible, conflicts found
//                at commit, atomic mutations, versionstamps, watches. This is the public C++ API and what layers take.
// Ownership:     a Transaction refers to its Database's engine, which must outlive it and its futures. Arguments are
//                copied.
// Thread safety: none: one thread or coroutine at a time. Futures may outlive the transaction.
// Invariants:    errors of mutators (set, clear, mutate, ...) are deferred: the first one comes back from the next read
//                or commit, and nothing is committed. After commit the transaction must be reset.
// Sizes:         keys up to 10,000 bytes, values up to 100,000, a transaction up to 10,000,000 unless size_limit says
//                otherwise (raise_size_limit_to_engine for what the engine allows).
// Errors:        error.h gives each its FoundationDB number; the page docs/core.md says which call returns which.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kv/engine.h"

namespace strata::kv {

// A place in the key space relative to a key: the offset-th key after (or, from 0 downwards, before) the base.
struct KeySelector {
  Bytes key;
  bool or_equal = false;
  int offset = 1;

  static KeySelector last_less_than(BytesView key) { return {Bytes(key), false, 0}; }
  static KeySelector last_less_or_equal(BytesView key) { return {Bytes(key), true, 0}; }
  static KeySelector first_greater_than(BytesView key) { return {Bytes(key), true, 1}; }
  static KeySelector first_greater_or_equal(BytesView key) { return {Bytes(key), false, 1}; }
  KeySelector add(int by) const { return {key, or_equal, offset + by}; }
};

// FoundationDB's numbers. Bytes a page aims at: iterator grows 4096, 6144, ...; exact: no limit; small 256; medium
// 1000; large 4096; serial and want_all 80,000.
enum class StreamingMode : int {
  want_all = -2,
  iterator = -1,
  exact = 0,
  small = 1,
  medium = 2,
  large = 3,
  serial = 4,
};

struct RangeOptions {
  // 0 and -1: no limit; below -1: range_limits_invalid.
  int limit = 0;
  bool reverse = false;
  StreamingMode mode = StreamingMode::iterator;
  // Which page of an iteration this is, from 1; read by StreamingMode::iterator alone.
  int iteration = 1;
  // A byte limit of the caller's own, 0: the mode's alone. The smaller one counts.
  int target_bytes = 0;
  // Part of a scan that reads much, and once: not for the engine's cache.
  bool one_pass = false;
};

struct MappedRow {
  Bytes key;    // of the index
  Bytes value;  // of the index
  // What the mapper asked for: the range [begin, end) and its rows; a single key is a range of that key alone.
  KeyRange range;
  Rows rows;
};
struct MappedPage {
  std::vector<MappedRow> rows;
  bool more = false;
};

// FoundationDB's numbers. Every number of its list is accepted; those that are not named here change nothing.
enum class TransactionOption : int {
  causal_write_risky = 10,
  causal_read_risky = 20,
  next_write_no_write_conflict_range = 30,
  read_your_writes_disable = 51,
  access_system_keys = 301,
  read_system_keys = 302,
  timeout = 500,          // ms, 8-byte little-endian; 0: none
  retry_limit = 501,      // -1: none
  max_retry_delay = 502,  // ms
  size_limit = 503,       // bytes, 32 .. 10,000,000
  snapshot_ryw_enable = 600,
  snapshot_ryw_disable = 601,
  lock_aware = 700,
  read_lock_aware = 702,
  report_conflicting_keys = 712,
  special_key_space_relaxed = 713,
  special_key_space_enable_writes = 714,
  bypass_unreadable = 1100,
};

class TransactionState;
class Database;

// The reads of a transaction. Snapshot reads (Transaction::snapshot) add no read conflict ranges and do see the
// transaction's own writes unless snapshot_ryw_disable is set.
class ReadTransaction {
 public:
  ReadTransaction(std::shared_ptr<TransactionState> state, bool snapshot)
      : state_(std::move(state)), snapshot_(snapshot) {}

  bool is_snapshot() const { return snapshot_; }
  Future<std::optional<Bytes>> get(BytesView key) const;
  // Past the end: "\xff"; before the start: "".
  Future<Bytes> get_key(const KeySelector& selector) const;
  // One page. `more`: ask again from behind the last row (before it, in reverse).
  Future<RangePage> get_range(const KeySelector& begin, const KeySelector& end, const RangeOptions& options = {}) const;
  Future<RangePage> get_range(BytesView begin, BytesView end, const RangeOptions& options = {}) const;
  Future<MappedPage> get_mapped_range(const KeySelector& begin, const KeySelector& end, BytesView mapper,
                                      const RangeOptions& options = {}) const;
  Future<int64_t> get_estimated_range_size_bytes(BytesView begin, BytesView end) const;
  Future<std::vector<Bytes>> get_range_split_points(BytesView begin, BytesView end, int64_t chunk_bytes) const;
  Future<Version> get_read_version() const;

 protected:
  std::shared_ptr<TransactionState> state_;
  bool snapshot_;
};

// Walks a range page by page; waits where a page is not there yet.
//   for (RangeIterator rows(tr, begin, end); rows.next();) use(rows.key(), rows.value());
//   RETURN_IF_ERROR(rows.status());
class RangeIterator {
 public:
  RangeIterator(const ReadTransaction& transaction, KeySelector begin, KeySelector end, RangeOptions options = {});
  RangeIterator(const ReadTransaction& transaction, BytesView begin, BytesView end, RangeOptions options = {});

  // False at the end and on an error: status() tells which.
  bool next();
  // Views live until the next call of next().
  BytesView key() const { return page_.rows.key(at_); }
  BytesView value() const { return page_.rows.value(at_); }
  const Result<void>& status() const { return status_; }

 private:
  bool fetch();

  ReadTransaction transaction_;
  KeySelector begin_;
  KeySelector end_;
  RangeOptions options_;
  RangePage page_;
  size_t at_ = 0;
  int left_;  // rows; 0: no limit
  bool started_ = false;
  bool done_ = false;
  Result<void> status_;
};

class Transaction : public ReadTransaction {
 public:
  explicit Transaction(std::shared_ptr<TransactionState> state) : ReadTransaction(std::move(state), false) {}
  Transaction(Transaction&&) = default;
  Transaction& operator=(Transaction&&) = default;

  ReadTransaction snapshot() const { return ReadTransaction(state_, true); }

  void set(BytesView key, BytesView value);
  void clear(BytesView key);
  // [begin, end); inverted: inverted_range, deferred.
  void clear_range(BytesView begin, BytesView end);
  void clear_prefix(BytesView prefix);
  // The types of atomic.h and the two versionstamped sets; others: invalid_mutation_type, deferred.
  void mutate(MutationType type, BytesView key, BytesView operand);
  // Any number, as it comes from a client.
  void mutate(int type, BytesView key, BytesView operand);

  Result<void> add_read_conflict_range(BytesView begin, BytesView end);
  Result<void> add_write_conflict_range(BytesView begin, BytesView end);
  Result<void> add_read_conflict_key(BytesView key);
  Result<void> add_write_conflict_key(BytesView key);

  // Ready when the key's committed value differs from what this transaction sees now. Becomes active with the commit
  // (transaction_cancelled if that never comes), outlives the transaction.
  Future<void> watch(BytesView key);

  // Read-only: nothing to do, committed version -1.
  Future<void> commit();
  // After a successful commit; -1 for a read-only one. Before: transaction_invalid_version.
  Result<Version> get_committed_version() const;
  // Asked before the commit, ready after it: 10 bytes. Read-only: no_commit_version.
  Future<Bytes> get_versionstamp();
  // Bytes so far, mutations and conflict ranges.
  Future<int64_t> get_approximate_size() const;
  // Else a commit with so many bytes more would be transaction_too_large.
  bool has_room_for(size_t bytes) const;

  Result<void> set_read_version(Version version);
  // `value` as the C API passes it: integers 8-byte little-endian.
  Result<void> set_option(int option, BytesView value = {});
  Result<void> set_option(TransactionOption option, int64_t value);
  Result<void> set_option(TransactionOption option) { return set_option(static_cast<int>(option)); }
  // How durable this commit is; the engine's default otherwise.
  void set_durability(Durability durability);
  // Limits::transaction_bytes instead of 10,000,000.
  void raise_size_limit_to_engine();

  // Ok: the transaction was reset and backed off, try again. Else the error is final and the transaction cancelled.
  Future<void> on_error(const Error& error);
  // As new; options are gone too, but for timeout, retry_limit and max_retry_delay after on_error.
  void reset();
  // Every outstanding and later call answers transaction_cancelled until reset.
  void cancel();

  // An earlier attempt ended in commit_unknown_result: its commit, if there was one, is newer than this version.
  // Whoever can recognise what it wrote need not write it again.
  std::optional<Version> unknown_since() const;

  // With report_conflicting_keys, after not_committed: the read ranges that met a newer write.
  std::vector<KeyRange> conflicting_ranges() const;
};

}  // namespace strata::kv
