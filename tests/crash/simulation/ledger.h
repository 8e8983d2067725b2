// Ledger: the workload of the key space itself. Commit i writes i into one key and changes others.
//
// Purpose:       whatever crashed, the store must hold exactly the first k commits for some k that the suite allows.
// Ownership:     keeps every commit of its life in memory.
// Thread safety: marks() from any thread.
// Invariants:    commits are blind and queue in order, several at a time, so that their order is known; each sets,
//                clears, clears ranges and appends, in values from nothing to the limit. Versions only grow, also over
//                crashes that lost some.
#pragma once

#include <map>
#include <span>

#include "crash/simulation/crash_suite.h"

namespace strata::crash {

class Ledger final : public Workload {
 public:
  // async: every sixth commit is synced, the others are not.
  explicit Ledger(kv::Durability durability) : durability_(durability) {}

  Result<void> adopt(const kv::Database& database) override;
  Result<void> step(const kv::Database& database, Random& random) override;
  Marks marks() const override { return {answered_, durable_}; }
  Finding check(const kv::Database& database, uint64_t at_least, const Marks& marks) override;

 private:
  using State = std::map<Bytes, Bytes, std::less<>>;
  struct Change {
    kv::MutationType type;  // set, clear, clear_range, append_if_fits
    Bytes key;
    Bytes value;
  };
  struct Entry {
    std::vector<Change> changes;
    bool sync = true;
    bool refused = false;                       // with an error that says so: it must never be seen
    kv::Version version = kv::invalid_version;  // once it was answered
  };

  Entry draw(Random& random) const;
  void make_alike(std::span<Entry> entries, bool large) const;
  void apply(const Entry& entry, uint64_t number, State& state) const;
  static Result<State> read(const kv::Database& database);
  static uint64_t number_of(const State& state);
  Result<Finding> check_read(const kv::Database& database, Random& random);

  const kv::Durability durability_;
  State state_;           // after all that was answered
  State state_at_adopt_;  // what entries_ are applied to
  uint64_t first_ = 0;    // the number that the store had then
  std::vector<Entry> entries_;
  // The newest that was handed out: so far, when the life began, before the crash that was checked last.
  kv::Version newest_version_ = kv::invalid_version;
  kv::Version version_at_adopt_ = kv::invalid_version;
  kv::Version version_at_check_ = kv::invalid_version;
  std::atomic<uint64_t> answered_ = 0;
  std::atomic<uint64_t> durable_ = 0;
};

}  // namespace strata::crash
