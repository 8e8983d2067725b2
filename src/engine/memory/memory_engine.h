// MemoryEngine: the key space in a map. The model that other engines are tested against.
//
// Purpose:       Engine's contract in the plainest form that is right, a clock and a seed from outside, and failures
//                on request: for tests, simulations and throw-away stores.
// Ownership:     owns all its data; it is gone with the engine.
// Thread safety: any thread; one mutex.
// Invariants:    every key keeps the versions that can still be read; conflicts are found by looking at every write
//                since the read version. Faults are drawn from the seed alone.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/random.h"
#include "kv/engine.h"
#include "kv/watches.h"

namespace strata::kv {

// Probabilities, 0 to 1, drawn in this order for each commit.
struct MemoryFaults {
  double transaction_too_old = 0;
  double not_committed = 0;
  double commit_unknown_result_applied = 0;
  double commit_unknown_result_lost = 0;
};

enum class MemoryAnswers {
  at_once,    // every future is ready when it is returned
  on_pump,    // pump() does the work and fulfils the futures
  on_thread,  // a thread of the engine does; in an order drawn from the seed, as with on_pump
};

struct MemoryEngineOptions {
  Clock* clock = &system_clock();
  Limits limits = {};
  uint64_t seed = 1;
  MemoryFaults faults = {};
  MemoryAnswers answers = MemoryAnswers::at_once;
};

class MemoryEngine final : public Engine {
 public:
  explicit MemoryEngine(MemoryEngineOptions options = {});
  // Futures that were not answered: operation_cancelled.
  ~MemoryEngine() override;

  // Answers up to `count` of the waiting calls, each drawn at random; how many it answered.
  size_t pump(size_t count = SIZE_MAX);
  size_t waiting() const;
  // From now on.
  void set_faults(const MemoryFaults& faults);

  const Limits& limits() const override { return options_.limits; }
  Future<Version> read_version() override;
  Future<std::optional<Bytes>> get(BytesView key, Version version) override;
  Future<RangePage> range(const RangeRequest& request) override;
  Future<Committed> commit(CommitRequest request) override;
  Future<void> watch(BytesView key, std::optional<Bytes> value, Version version) override;
  Future<int64_t> estimated_bytes(BytesView begin, BytesView end) override;
  Future<std::vector<Bytes>> split_points(BytesView begin, BytesView end, int64_t chunk_bytes) override;

 private:
  // Ascending by version; nullopt: cleared.
  using History = std::vector<std::pair<Version, std::optional<Bytes>>>;
  using Map = std::map<Bytes, History, std::less<>>;
  struct Publication {
    Version version;
    std::vector<KeyRange> writes;
    // When the next one came.
    int64_t superseded_us;
  };

  template <class T>
  Future<T> answer(std::function<Result<T>()> work);
  void run_thread();

  // All below: under mutex_.
  void forget_old();
  void sweep();
  Result<void> check_readable(Version version);
  const std::optional<Bytes>* value_at(const History& history, Version version) const;
  std::optional<Bytes> newest_value(BytesView key) const;
  Result<void> check_conflicts(const CommitRequest& request);
  Version next_version() const;
  // Appends what it wrote to `touched`.
  void apply(const Mutation& mutation, const Committed& committed, std::vector<KeyRange>& touched);
  void put(BytesView key, std::optional<Bytes> value, Version version);

  Result<RangePage> range_now(const RangeRequest& request);
  Result<Committed> commit_now(const CommitRequest& request);
  void fire_watches(const std::vector<KeyRange>& touched);

  MemoryEngineOptions options_;
  const int64_t opened_us_;
  Watches watches_;

  mutable std::mutex mutex_;
  Random random_;
  Map map_;
  std::deque<Publication> publications_;
  size_t commits_since_sweep_ = 0;

  mutable std::mutex work_mutex_;
  std::condition_variable work_ready_;
  std::deque<std::function<void()>> work_;
  Random work_random_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace strata::kv
