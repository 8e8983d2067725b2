// TransactionState: what a Transaction, its snapshot views and its pending futures share. Internal to kv/.
//
// Purpose:       the bookkeeping between an engine's versions and a program's reads and writes.
// Ownership:     shared by the Transaction and every future that is still to finish a read for it.
// Thread safety: callers are one at a time; the mutex is for engines that answer later, on another thread.
// Invariants:    fields below "guarded" are touched under the mutex, and no engine is called while it is held.
//                `attempt` grows with each reset: what finishes for an earlier attempt answers transaction_cancelled.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>

#include "base/clock.h"
#include "base/random.h"
#include "kv/database.h"
#include "kv/transaction.h"
#include "kv/write_map.h"

namespace strata::kv {

inline constexpr size_t default_transaction_bytes = 10'000'000;
// What a page aims at when nothing smaller is asked for, and what selectors are resolved by.
inline constexpr size_t page_bytes = 80'000;
inline constexpr int64_t first_back_off_us = 10'000;

struct TransactionOptions {
  bool read_your_writes = true;
  bool read_system_keys = false;
  bool write_system_keys = false;
  bool bypass_unreadable = false;
  bool report_conflicting_keys = false;
  bool special_key_space_relaxed = false;
  bool next_write_without_conflict = false;
  int snapshot_read_your_writes = 1;  // a counter: enabled while positive
  size_t size_limit_bytes = default_transaction_bytes;
  Durability durability = Durability::engine_default;
};

struct PendingWatch {
  Bytes key;
  std::optional<Bytes> value;
  Promise<void> promise;
};

class TransactionState : public std::enable_shared_from_this<TransactionState> {
 public:
  TransactionState(Engine& engine, std::shared_ptr<const DatabaseOptions> options);
  ~TransactionState();

  enum class Phase { active, committing, committed, cancelled };

  // Under the mutex: the error that every use answers now, if any.
  std::optional<Error> unusable() const;
  // Under the mutex: unusable, or the deferred error of a mutator.
  std::optional<Error> unreadable_now() const;
  // The end of the keys that may be read or written: "\xff", or "\xff\xff" with the system keys.
  BytesView read_end() const { return options.read_system_keys ? BytesView("\xff\xff", 2) : BytesView("\xff", 1); }
  BytesView write_end() const { return options.write_system_keys ? BytesView("\xff\xff", 2) : BytesView("\xff", 1); }
  bool sees_writes(bool snapshot) const {
    return options.read_your_writes && (!snapshot || options.snapshot_read_your_writes > 0);
  }

  // Under the mutex: why a read that was started in attempt `started_in` may not end, if so.
  std::optional<Error> stale(uint64_t started_in) const;

  // A read that is on its way: a commit waits for it, so that its conflict range counts. Not under the mutex.
  void start_read();
  void end_read();
  // Ready when no read is on its way.
  Future<void> when_idle();

  // The version this attempt reads at, asked for once.
  Future<Version> version();

  // All under the mutex.
  void defer(ErrorCode code);
  void add_read_conflict(BytesView begin, BytesView end);
  void add_read_conflict_key(BytesView key);
  // Without the keys whose outcome the transaction's own writes decide.
  void add_dependent_read_conflict(BytesView begin, BytesView end);
  void add_write_conflict(BytesView begin, BytesView end);
  void add_mutation(MutationType type, BytesView key, BytesView value);
  // Own writes so far; built when the first read asks for them, so that blind writers never pay for it.
  const WriteMap& own_writes();
  void start_attempt();

  // Not shared: an engine must not die on a thread of its own, which may hold the last future of a transaction.
  Engine* const engine;
  const std::shared_ptr<const DatabaseOptions> database_options;

  mutable std::mutex mutex;
  // guarded
  TransactionOptions options;
  Phase phase = Phase::active;
  // commit was called, and waits for reads that are on their way.
  bool commit_is_asked = false;
  size_t reads_on_their_way = 0;
  std::vector<Promise<void>> idle_waiters;
  std::atomic<uint64_t> attempt = 0;
  bool used = false;
  std::optional<Error> deferred;
  CommitRequest request;
  size_t size_bytes = 0;
  std::optional<Version> read_version;
  bool version_is_asked = false;
  std::vector<Promise<Version>> version_waiters;
  std::vector<PendingWatch> watches;
  std::vector<Promise<Bytes>> versionstamp_waiters;
  std::optional<Committed> committed;
  std::vector<KeyRange> conflicting;

  // Kept over resets by on_error.
  int64_t timeout_ms;
  int64_t retry_limit;
  int64_t max_retry_delay_ms;
  int64_t started_us;
  int64_t retries = 0;
  // What the first attempt with an unknown result had read at.
  std::optional<Version> unknown_since;
  int64_t back_off_us;
  Random random;

 private:
  void apply_to_write_map(const Mutation& mutation);

  WriteMap write_map_;
  size_t write_map_covers_ = 0;  // mutations
};

// start_read and end_read of a scope, or of what a continuation holds.
class ReadOnItsWay {
 public:
  explicit ReadOnItsWay(std::shared_ptr<TransactionState> state) : state_(std::move(state)) { state_->start_read(); }
  ~ReadOnItsWay() { state_->end_read(); }
  ReadOnItsWay(const ReadOnItsWay&) = delete;
  ReadOnItsWay& operator=(const ReadOnItsWay&) = delete;

 private:
  std::shared_ptr<TransactionState> state_;
};

// One page of [begin, end) with the transaction's own writes merged in; adds no conflict ranges. limit 0: none.
struct MergedRange {
  Bytes begin;
  Bytes end;
  size_t limit_rows = 0;
  size_t limit_bytes = 0;
  bool reverse = false;
  bool with_own_writes = true;
  bool one_pass = false;
};
Future<RangePage> read_merged_range(std::shared_ptr<TransactionState> state, MergedRange range, Version version);

// A selector's place. ran_off_begin and ran_off_end: there were not enough keys.
struct ResolvedSelector {
  Bytes key;
  bool ran_off_begin = false;
  bool ran_off_end = false;
};
Future<ResolvedSelector> resolve_selector(std::shared_ptr<TransactionState> state, const KeySelector& selector,
                                          bool with_own_writes, Version version);

// The selector's key with or_equal folded into it, at most `end`.
Bytes selector_base(const KeySelector& selector, BytesView end);

Future<void> commit_transaction(const std::shared_ptr<TransactionState>& state);
Future<void> retry_transaction(const std::shared_ptr<TransactionState>& state, const Error& error);

}  // namespace strata::kv
