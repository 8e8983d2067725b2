// ReferenceTransaction: the life of a transaction over the reference store.
//
// Purpose:       says what each call must answer, and at the commit which answers are right: a transaction must fail
//                when a read would come out differently now, and may fail only when somebody wrote where it read.
// Ownership:     borrows the store and the clock.
// Thread safety: none.
// Invariants:    see kv/transaction.h; what that page leaves open is left open here (CommitVerdict).
#pragma once

#include "base/clock.h"
#include "model/reference.h"

namespace strata::model {

// Bytes a page aims at: 0 is no limit. nullopt for what the engine must refuse.
struct PageLimits {
  size_t rows = 0;
  size_t bytes = 0;
};
Result<PageLimits> page_limits(const kv::RangeOptions& options);

struct CommitVerdict {
  // Nothing reaches the engine.
  bool read_only = false;
  // What it must answer in any case.
  std::optional<ErrorCode> error;
  bool must_conflict = false;
  bool may_conflict = false;
  // The first read that comes out differently, for the message.
  std::string why;
};

class ReferenceTransaction {
 public:
  ReferenceTransaction(ReferenceStore& store, const Clock& clock);

  // What every call answers now, if it cannot work.
  std::optional<ErrorCode> unusable() const;
  std::optional<ErrorCode> unreadable() const;

  Result<std::optional<Bytes>> get(const Bytes& key, bool snapshot);
  Result<Bytes> get_key(const KeySelector& selector, bool snapshot);
  Result<Page> get_range(const KeySelector& begin, const KeySelector& end, const kv::RangeOptions& options,
                         bool snapshot);
  // Index of the commit that it reads at.
  Result<size_t> get_read_version();
  // The value that the watch was set on.
  Result<std::optional<Bytes>> watch(const Bytes& key);
  Result<void> check_range(const Bytes& begin, const Bytes& end) const;

  // Of every type, set and the clears included.
  void write(MutationType type, const Bytes& key, const Bytes& value);
  // A mutation that is none.
  void refuse_write(ErrorCode code);
  Result<void> add_read_conflict(const Bytes& begin, const Bytes& end);
  Result<void> add_write_conflict(const Bytes& begin, const Bytes& end);

  // A version that is no commit's: `bad` says what a read answers.
  Result<void> set_read_version(std::optional<size_t> index, ErrorCode bad);
  void disable_read_your_writes();
  void enable_snapshot_read_your_writes(bool enable) { snapshot_read_your_writes_ += enable ? 1 : -1; }
  void hide_next_write() { hide_next_write_ = true; }
  void set_size_limit(size_t bytes) { size_limit_bytes_ = bytes; }
  void set_timeout(int64_t ms) { timeout_ms_ = ms; }
  void set_retry_limit(int64_t retries) { retry_limit_ = retries; }

  // Before the engine is asked. If the commit reached it, what became of it goes to finish_commit.
  CommitVerdict judge();
  void finish_commit(bool committed, bool read_only, kv::Version version, const Bytes& stamp);

  void reset();
  void cancel();
  Result<void> on_error(ErrorCode code);

  bool is_fresh() const { return !used_ && !read_index_ && !bad_version_; }
  bool is_done() const { return phase_ != Phase::active || deferred_; }
  // A write was refused: whether that was a use is nobody's promise.
  bool is_ambiguous() const { return deferred_ && !used_; }
  // It reads at a version that cannot be read. What needs no reading, because its own writes decide it or nothing is
  // there to be read, may be answered all the same.
  bool is_unsure() const { return bad_version_ && (!writes_.empty() || has_walked_); }
  bool has_bad_version() const { return bad_version_.has_value(); }
  bool has_timeout() const { return timeout_ms_ > 0; }
  bool reads_your_writes() const { return read_your_writes_; }
  bool has_size_limit() const { return size_limit_bytes_ > 0; }
  bool has_writes() const { return !writes_.empty(); }
  std::optional<size_t> read_index() const { return read_index_; }
  // Some write since it began that it could have met.
  bool met_by_newer_write(const KeyRange& range) const;

 private:
  enum class Phase { active, sent, committed, cancelled };
  struct Read {
    std::string what;
    size_t writes_seen;
    std::function<bool(const View&)> comes_out_the_same;
  };

  bool sees_writes(bool snapshot) const { return read_your_writes_ && (!snapshot || snapshot_read_your_writes_ > 0); }
  Result<void> fix_version();
  View view(bool snapshot) const;
  // Of [begin, end), what its own writes do not decide.
  void may_conflict_with(const Bytes& begin, const Bytes& end);
  void must_conflict_with(const Bytes& begin, const Bytes& end);
  void remember(std::string what, std::function<bool(const View&)> same);
  void range_may_conflict(const KeySelector& begin, const KeySelector& end, bool reverse, const Page& page);
  std::optional<ErrorCode> refusal(MutationType type, const Bytes& key, const Bytes& value) const;
  void start_attempt();

  ReferenceStore& store_;
  const Clock& clock_;

  Phase phase_ = Phase::active;
  std::optional<ErrorCode> deferred_;
  bool used_ = false;
  std::optional<size_t> read_index_;
  std::optional<ErrorCode> bad_version_;
  bool has_walked_ = false;  // asked for a key or a range
  std::vector<Write> writes_;
  std::vector<KeyRange> write_conflicts_;
  bool hides_writes_ = false;
  std::vector<KeyRange> must_;
  std::vector<KeyRange> may_;
  std::vector<Read> reads_;

  bool read_your_writes_ = true;
  int snapshot_read_your_writes_ = 1;
  bool hide_next_write_ = false;
  size_t size_limit_bytes_ = 0;
  size_t written_bytes_ = 0;

  int64_t timeout_ms_ = 0;
  int64_t retry_limit_ = -1;
  int64_t retries_ = 0;
  int64_t started_us_;
};

}  // namespace strata::model
