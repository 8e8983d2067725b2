// CrashSuite: runs a workload on the embedded engine over a simulated disk, and crashes it at any call of the file
// system: power cuts, kills, calls that fail.
//
// Purpose:       a layer writes a Workload (what it does, and what a store may look like afterwards) and has all of it.
// Ownership:     a suite owns its disks and engines; it borrows the workload.
// Thread safety: a suite belongs to one thread; the workload's marks() is called from the engine's threads as well.
// Invariants:    the same seed draws the same operations and crashes; the engine's threads keep their own time. A crash
//                is taken while the store goes on, so that one life gives many, at moments that it cannot know; those
//                of the next life begin while it recovers.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/rocksdb/rocksdb_engine.h"
#include "engine/rocksdb/testing/simulated_disk.h"
#include "kv/database.h"

namespace strata::crash {

using Finding = std::optional<std::string>;

// How far the workload has been told it came, in a count of its own that only grows during a life.
struct Marks {
  uint64_t answered = 0;  // a kill loses nothing before it
  uint64_t durable = 0;   // nor does a power cut before this one; at most `answered`
};

class Workload {
 public:
  virtual ~Workload() = default;

  // Learns what this store holds, makes what it needs, and starts counting anew. First of all, with an empty store;
  // then at the begin of each life, after a check.
  virtual Result<void> adopt(const kv::Database& database) = 0;
  // Does something, and counts what was answered. Errors: the store's, where trying again does not help.
  virtual Result<void> step(const kv::Database& database, Random& random) = 0;
  virtual Marks marks() const = 0;
  // Does the store show what was counted up to `at_least`, whole, perhaps more that was under way, and half of nothing?
  // at_least is one of the marks, which are as they were at the moment of the crash.
  virtual Finding check(const kv::Database& database, uint64_t at_least, const Marks& marks) = 0;
};

struct CrashOptions {
  uint64_t seed = 1;
  // So many of each in all.
  size_t power_cuts = 0;
  size_t kills = 0;
  // Of a life.
  size_t crashes_of_a_life = 10;
  size_t most_steps = 400;
  kv::Durability durability = kv::Durability::sync;
};

struct CrashCounts {
  size_t power_cuts = 0;
  size_t kills = 0;
  size_t lives = 0;
  size_t while_opening = 0;  // of the crashes
};

class CrashSuite {
 public:
  CrashSuite(Workload& workload, const CrashOptions& options);

  // The first thing that is wrong, with the seed and the moment that show it.
  Finding run();
  const CrashCounts& counts() const { return counts_; }

 private:
  struct Crash {
    std::shared_ptr<kv::SimulatedDisk> disk;
    bool is_power_cut = false;
    bool lost_power = false;  // now, or before it could be opened
    Marks marks;
    int64_t call = 0;
    bool while_opening = false;
  };

  Finding live(std::shared_ptr<kv::SimulatedDisk> disk);
  void expect_crashes(bool opening);
  void on_change(kv::SimulatedDisk& disk, int64_t call);
  Finding check_crashes();
  Finding check(const kv::Database& database, const Crash& crash);
  size_t left() const { return options_.power_cuts + options_.kills - counts_.power_cuts - counts_.kills; }

  Workload& workload_;
  const CrashOptions options_;
  Random random_;
  CrashCounts counts_;
  Crash origin_;  // what the next life begins with

  std::mutex mutex_;
  std::vector<Crash> crashes_;
  size_t wanted_ = 0;
  Random moments_;
  int64_t next_call_ = 0;
  bool opening_ = false;
};

// Values of this size and more lie in files of their own: many of a store that syncs, and of one that does not only the
// longest, so that its log has records of many blocks.
constexpr size_t large_value_bytes(kv::Durability durability) {
  return durability == kv::Durability::async ? 80'000 : 1'000;
}

// An engine over a simulated disk. Errors as RocksdbEngine::open.
class SimulatedStore {
 public:
  static Result<std::unique_ptr<SimulatedStore>> open(std::shared_ptr<kv::SimulatedDisk> disk,
                                                      kv::Durability durability = kv::Durability::sync);
  ~SimulatedStore();
  const kv::Database& database() const { return *database_; }
  kv::RocksdbEngine& engine() const { return *engine_; }

 private:
  explicit SimulatedStore(std::shared_ptr<kv::SimulatedDisk> disk);

  const std::shared_ptr<kv::SimulatedDisk> disk_;
  const std::unique_ptr<rocksdb::Env> env_;
  std::shared_ptr<kv::RocksdbEngine> engine_;
  std::unique_ptr<kv::Database> database_;
};

// Times `most` with STRATA_TEST_LONG in the environment, else `few`.
size_t times(size_t few, size_t most);

}  // namespace strata::crash
