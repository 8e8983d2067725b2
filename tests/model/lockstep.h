// Lockstep: one random history, given to three at once.
//
// Purpose:       the same calls go to transactions on the engine under test, on the memory engine and on the reference;
//                every answer is compared. Several transactions are open at a time on one thread, in an order that the
//                seed draws: a failure is replayed by its seed.
// Ownership:     owns the memory engine and the reference; borrows the subject.
// Thread safety: none.
// Invariants:    both engines commit in the same order and at the same versions (the memory engine's clock is moved to
//                the subject's answer), so that keys, values and versionstamps are compared as they are.
#pragma once

#include <deque>
#include <string>

#include "engine/memory/memory_engine.h"
#include "kv/database.h"
#include "model/reference_transaction.h"
#include "model/workload.h"

namespace strata::model {

// The engine under test.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual std::shared_ptr<kv::Engine> engine() = 0;
  virtual ManualClock& clock() = 0;
  // False: it forgets when it is closed.
  virtual bool can_reopen() const = 0;
  // Nobody holds the engine.
  virtual void reopen() = 0;
};

struct LockstepOptions {
  uint64_t seed = 1;
  uint64_t operations = 1'000;
  size_t open_transactions = 5;
};

struct LockstepCounts {
  uint64_t operations = 0;
  uint64_t reads = 0;
  uint64_t writes = 0;
  uint64_t commits = 0;
  uint64_t conflicts = 0;
  uint64_t watches_fired = 0;
  uint64_t reopens = 0;
  uint64_t mapped_rows = 0;
};

class Lockstep {
 public:
  Lockstep(Subject& subject, const LockstepOptions& options);
  ~Lockstep();

  // nullopt: all answers agreed. Else what did not, with the last calls.
  std::optional<std::string> run();
  const LockstepCounts& counts() const { return counts_; }

 private:
  struct Slot {
    kv::Transaction subject;
    kv::Transaction oracle;
    ReferenceTransaction reference;
    // Of its commit.
    std::optional<ErrorCode> last_error;
    std::optional<Future<Bytes>> subject_stamp;
    std::optional<Future<Bytes>> oracle_stamp;
    bool has_read_together = false;  // several reads outstanding at a time
  };
  enum class WatchState { pending, active, fired, cancelled };
  struct Watch {
    size_t slot;
    Bytes key;
    std::optional<Bytes> seen;
    Future<void> subject;
    Future<void> oracle;
    WatchState state = WatchState::pending;
  };
  struct ReadCall {
    enum class Kind { get, get_key, get_range, get_read_version } kind;
    bool snapshot;
    Bytes key;
    KeySelector begin;
    KeySelector end;
    kv::RangeOptions options;
  };

  void open_databases();
  void open_slots();
  void step();
  Slot& slot() { return slots_[current_]; }
  const Map& existing() const { return store_.state(); }
  // Notes the call, for the message.
  void trace(std::string call);
  void expect_same(const Bytes& reference, const Bytes& subject, const Bytes& oracle);
  void fail(const std::string& what);

  // Calls, one of which each step makes.
  void read();
  void read_mapped();
  void write();
  void write_refused();
  void add_conflict_range();
  void watch();
  void check_watches();
  void estimate();
  void set_read_version();
  void set_option();
  void commit();
  void reset();
  void cancel();
  void on_error();
  void approximate_size();
  void ask_versionstamp();
  void let_time_pass();
  void compare_all();

  ReadCall random_read();
  std::function<Bytes()> start(const kv::Transaction& transaction, const ReadCall& call);
  Bytes answer_of_reference(const ReadCall& call);
  void settle_commit(const CommitVerdict& verdict, const Result<void>& subject, const Result<void>& oracle);
  void check_versionstamps(const Result<void>& answer, bool read_only, const Bytes& stamp);
  void check_conflicting_ranges();
  void end_watches_of_slot(WatchState state);
  void settle_active_watches();
  void move_oracle_to(kv::Version version);
  void reset_if_old();
  void end_attempt();
  void reopen();

  Subject& subject_;
  const LockstepOptions options_;
  Random random_;
  Workload workload_;
  LockstepCounts counts_;

  ManualClock transaction_clock_;  // for time-outs
  ManualClock oracle_clock_;
  kv::Version oracle_clock_version_;
  int64_t committed_at_us_ = 0;  // the subject's clock at the newest commit
  std::shared_ptr<kv::MemoryEngine> oracle_engine_;
  std::optional<kv::Database> subject_database_;
  std::optional<kv::Database> oracle_database_;
  ReferenceStore store_;
  std::vector<Slot> slots_;
  std::vector<Watch> watches_;
  size_t current_ = 0;

  std::deque<std::string> trace_;
  std::optional<std::string> failure_;
};

}  // namespace strata::model
