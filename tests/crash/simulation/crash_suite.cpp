#include "crash/simulation/crash_suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/log.h"

namespace strata::crash {

size_t times(size_t few, size_t most) { return std::getenv("STRATA_TEST_LONG") != nullptr ? most : few; }

SimulatedStore::SimulatedStore(std::shared_ptr<kv::SimulatedDisk> disk)
    : disk_(std::move(disk)), env_(rocksdb::NewCompositeEnv(disk_)) {}

SimulatedStore::~SimulatedStore() = default;

Result<std::unique_ptr<SimulatedStore>> SimulatedStore::open(std::shared_ptr<kv::SimulatedDisk> disk,
                                                             kv::Durability durability) {
  // Thousands of stores warn of what is done to them on purpose.
  log::configure(log::Format::pretty, log::Level::off);
  std::unique_ptr<SimulatedStore> store(new SimulatedStore(std::move(disk)));
  kv::RocksdbOptions options;
  options.directory = "/var/lib/strata";
  options.durability = durability;
  options.env = store->env_.get();
  options.block_cache_bytes = 1 << 20;
  // The least that RocksDB takes: a life sees flushes and compactions.
  options.write_buffer_bytes = 64 << 10;
  // Many of the files of large values are dead soon, and their space is given back at once.
  options.large_value_bytes = large_value_bytes(durability);
  options.value_file_bytes = 32 << 10;
  options.reclaim_delay_ms = 1;
  // While an older version may be read, no compaction drops what has died since.
  options.limits.read_lifetime_ms = 10;
  options.least_garbage_bytes = 16 << 10;
  options.gather_part = 0;
  options.spin_during_sync = false;
  ASSIGN_OR_RETURN(store->engine_, kv::RocksdbEngine::open(std::move(options)));
  kv::DatabaseOptions database_options;
  database_options.max_retry_delay_ms = 1;
  store->database_ = std::make_unique<kv::Database>(store->engine_, database_options);
  return store;
}

CrashSuite::CrashSuite(Workload& workload, const CrashOptions& options)
    : workload_(workload), options_(options), random_(options.seed), moments_(options.seed ^ 0xC0FFEE) {}

void CrashSuite::on_change(kv::SimulatedDisk& disk, int64_t call) {
  std::lock_guard lock(mutex_);
  if (call < next_call_ || crashes_.size() >= wanted_) return;
  // Close together and far apart.
  next_call_ = call + 1 + static_cast<int64_t>(moments_.below(uint64_t{1} << (1 + moments_.below(9))));
  Crash crash = opening_ ? origin_ : Crash();
  crash.call = call;
  const size_t cuts_left = options_.power_cuts - counts_.power_cuts;
  crash.is_power_cut = moments_.below(left()) < cuts_left;
  crash.lost_power = crash.lost_power || crash.is_power_cut;
  // What was answered comes first: the disk may only hold more. Who opens a store has answered nothing yet.
  if (!opening_) crash.marks = workload_.marks();
  crash.while_opening = opening_;
  crash.disk = crash.is_power_cut ? disk.cut_power(moments_.next()) : disk.killed();
  crashes_.push_back(std::move(crash));
}

Finding CrashSuite::check(const kv::Database& database, const Crash& crash) {
  const uint64_t at_least = crash.lost_power ? crash.marks.durable : crash.marks.answered;
  return workload_.check(database, at_least, crash.marks);
}

// Opens copies: whoever lives on begins with what the crash left.
Finding CrashSuite::check_crashes() {
  for (const Crash& crash : crashes_) {
    const auto found = [&](std::string_view what) -> Finding {
      return fmt::format("seed {}, life {}, {} before call {}{}: {}", options_.seed, counts_.lives,
                         crash.is_power_cut ? "power cut" : "kill", crash.call,
                         crash.while_opening ? ", while it was opened" : "", what);
    };
    auto store = SimulatedStore::open(crash.disk->killed(), options_.durability);
    if (!store.ok()) return found(fmt::format("cannot open: {}", store.error().message()));
    if (const Finding wrong = check((*store)->database(), crash)) return found(*wrong);
    (crash.is_power_cut ? counts_.power_cuts : counts_.kills) += 1;
    counts_.while_opening += crash.while_opening ? 1 : 0;
  }
  if (!crashes_.empty()) origin_ = crashes_[random_.below(crashes_.size())];
  return std::nullopt;
}

void CrashSuite::expect_crashes(bool opening) {
  std::lock_guard lock(mutex_);
  crashes_.clear();
  opening_ = opening;
  const size_t of_a_life = std::min(options_.crashes_of_a_life, left());
  wanted_ = opening ? (of_a_life + 3) / 4 : of_a_life;
}

Finding CrashSuite::live(std::shared_ptr<kv::SimulatedDisk> disk) {
  ++counts_.lives;
  expect_crashes(true);
  next_call_ = static_cast<int64_t>(moments_.below(40));
  disk->watch_changes([this, raw = disk.get()](int64_t call) { on_change(*raw, call); });
  auto store = SimulatedStore::open(disk, options_.durability);
  disk->watch_changes(nullptr);
  if (!store.ok()) return fmt::format("cannot open: {}", store.error().message());
  const kv::Database& database = (*store)->database();
  const Crash origin = origin_;
  if (const Finding wrong = check_crashes()) return wrong;
  // Some crash again before they were ever open.
  if (!crashes_.empty() && random_.one_in(4)) return std::nullopt;
  if (const Finding wrong = check(database, origin)) return wrong;
  const Result<void> adopted = workload_.adopt(database);
  if (!adopted.ok()) return fmt::format("cannot begin: {}", adopted.error().message());

  expect_crashes(false);
  disk->watch_changes([this, raw = disk.get()](int64_t call) { on_change(*raw, call); });
  for (size_t step = 0; step < options_.most_steps; ++step) {
    {
      std::lock_guard lock(mutex_);
      if (crashes_.size() >= wanted_) break;
    }
    const Result<void> done = workload_.step(database, random_);
    if (!done.ok()) return fmt::format("a step failed: {}", done.error().message());
  }
  disk->watch_changes(nullptr);
  // Nobody looks any more: ending the store goes on without crashes of its own.
  origin_ = {disk->killed(), false, false, workload_.marks(), 0, false};
  return check_crashes();
}

Finding CrashSuite::run() {
  {
    auto empty = SimulatedStore::open(std::make_shared<kv::SimulatedDisk>(), options_.durability);
    if (!empty.ok()) return std::string(empty.error().message());
    const Result<void> adopted = workload_.adopt((*empty)->database());
    if (!adopted.ok()) return std::string(adopted.error().message());
  }
  origin_.disk = std::make_shared<kv::SimulatedDisk>();
  while (left() > 0) {
    if (Finding failed = live(origin_.disk)) return fmt::format("seed {}: {}", options_.seed, *failed);
  }
  return std::nullopt;
}

}  // namespace strata::crash
