// Clocks that jump, hours forward and back: the wall's, which people and NTP set, and the steady one, which should not.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>

#include "engine/memory/memory_engine.h"
#include "engine/rocksdb/rocksdb_engine.h"
#include "layers/records/namespaces.h"
#include "service/log.h"
#include "service/log_signal.h"
#include "service/records.h"
#include "service/transactions.h"

namespace strata::service {
namespace {

constexpr int64_t hour_us = 3'600'000'000;

class JumpingClock final : public Clock {
 public:
  int64_t steady_us() const override { return start_us_ + steady_ahead_us; }
  int64_t wall_us() const override { return start_us_ + wall_ahead_us; }

  std::atomic<int64_t> steady_ahead_us = 0;
  std::atomic<int64_t> wall_ahead_us = 0;

 private:
  static constexpr int64_t start_us_ = 1'700'000'000'000'000;
};

// Which engine; which of the clocks.
using Parameter = std::tuple<bool, bool>;

class ClockJumps : public testing::TestWithParam<Parameter> {
 protected:
  ClockJumps()
      : database_(open_engine(), {.clock = &clock_, .max_retry_delay_ms = 1}),
        records_(database_, {.clock = &clock_, .signal = &signal_}),
        objects_(database_, {.clock = &clock_, .signal = &signal_, .pass_interval_ms = 3'600'000}),
        transactions_(database_, objects_, {.clock = &clock_, .signal = &signal_, .sweep_interval_ms = 3'600'000}),
        log_(database_, signal_, {.clock = &clock_, .segment_bytes = 1'000, .pass_interval_us = 0}) {
    EXPECT_TRUE(records_.open({}).ok());
    EXPECT_TRUE(objects_.open().ok());
    EXPECT_TRUE(transactions_.open().ok());
    EXPECT_TRUE(log_.open().ok());
  }
  ~ClockJumps() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  std::shared_ptr<kv::Engine> open_engine() {
    if (!std::get<0>(GetParam())) {
      return std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{.clock = &clock_});
    }
    std::string name = (std::filesystem::temp_directory_path() / "strata-clock-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    kv::RocksdbOptions options;
    options.directory = directory_ / "data";
    options.durability = kv::Durability::async;
    options.clock = &clock_;
    auto engine = kv::RocksdbEngine::open(std::move(options));
    EXPECT_TRUE(engine.ok());
    return *engine;
  }

  bool only_the_wall() const { return std::get<1>(GetParam()); }
  void jump(int64_t by_us) {
    clock_.wall_ahead_us += by_us;
    if (!only_the_wall()) clock_.steady_ahead_us += by_us;
  }
  Result<void> put(BytesView key, BytesView value, std::optional<std::string_view> expected = std::nullopt) {
    const Operation operation{.type = OperationType::put_value, .key = key, .value = value};
    return records_.write({}, {"default", {&operation, 1}, expected});
  }
  StoredValue get(BytesView key) { return records_.read_value({}, "default", key).value().value(); }
  // How many records the log shows from its first to its end, none missing.
  size_t log_records() {
    auto reader = log_.read({}, {.name_space = "default", .after = std::nullopt, .log_id = {}}).value();
    size_t count = 0;
    for (uint64_t lsn = 0;;) {
      const auto batch = reader.next({}, {});
      EXPECT_TRUE(batch.ok());
      if (!batch.ok() || batch->entries.empty()) return count;
      for (const LogEntry& entry : batch->entries) {
        if (lsn != 0) EXPECT_EQ(entry.lsn, lsn + 1);
        lsn = entry.lsn;
        ++count;
      }
    }
  }

  JumpingClock clock_;
  std::filesystem::path directory_;
  kv::Database database_;
  LogSignal signal_;
  Records records_;
  Objects objects_;
  Transactions transactions_;
  Log log_;
};

INSTANTIATE_TEST_SUITE_P(Clocks, ClockJumps, testing::Combine(testing::Bool(), testing::Bool()), [](const auto& info) {
  return std::string(std::get<0>(info.param) ? "Rocksdb" : "Memory") + (std::get<1>(info.param) ? "Wall" : "Both");
});

TEST_P(ClockJumps, VersionsGrowAndReadsSeeTheNewest) {
  ASSERT_TRUE(put("k", "0").ok());
  std::string last = format_version(get("k").stamp());
  for (const int64_t hours : {5, -10, 1, -1, 300, -300, 24, -2, -2, -2}) {
    jump(hours * hour_us);
    for (int i = 0; i < 3; ++i) {
      const std::string value = std::to_string(hours) + "/" + std::to_string(i);
      ASSERT_TRUE(put("k", value, last).ok()) << value;
      EXPECT_EQ(get("k").value(), value);
      const std::string version = format_version(get("k").stamp());
      EXPECT_GT(version, last) << value;
      EXPECT_EQ(put("k", "stale", last).error().code(), ErrorCode::precondition_failed);
      last = version;
    }
  }
  EXPECT_EQ(log_records(), 31u);
}

TEST_P(ClockJumps, TransactionsEndByTheSteadyClockAlone) {
  for (const int64_t hours : {10, -20}) {
    const std::string id = transactions_.begin({}, {.name_space = "default"}).value();
    const Operation operation{.type = OperationType::put_value, .key = "k", .value = "v"};
    ASSERT_TRUE(transactions_.append({}, "default", id, operation).ok());
    jump(hours * hour_us);
    const bool over = hours > 0 && !only_the_wall();
    EXPECT_EQ(transactions_.sweep(), over ? 1u : 0u);
    const auto committed = transactions_.commit({}, "default", id);
    EXPECT_EQ(committed.ok(), !over);
    if (over) EXPECT_EQ(committed.error().code(), ErrorCode::not_found);
    EXPECT_EQ(transactions_.open_count(), 0u);
  }
}

TEST_P(ClockJumps, AReaderOfALargeObjectReadsOn) {
  const Bytes bytes(5'000'000, 'o');
  auto writer = objects_.create({}, "default").value();
  ASSERT_TRUE(writer->append(BytesView(bytes).substr(0, 2'000'000)).ok());
  jump(7 * hour_us);
  ASSERT_TRUE(writer->append(BytesView(bytes).substr(2'000'000)).ok());
  const ObjectChange change{.key = "k", .writer = writer.get()};
  ASSERT_TRUE(objects_.commit({}, {.name_space = "default", .changes = {&change, 1}}).ok());
  auto reader = objects_.read({}, "default", "k").value();
  ASSERT_TRUE(reader.has_value());
  size_t read = 0;
  for (int64_t hours = 6;; hours = -hours) {
    jump(hours * hour_us);
    const auto piece = reader->next();
    ASSERT_TRUE(piece.ok()) << piece.error().message();
    if (piece->empty()) break;
    read += piece->size();
  }
  EXPECT_EQ(read, bytes.size());
}

// Whoever sets the clock back keeps more of the log, never less; positions do not depend on it.
TEST_P(ClockJumps, TheLogIsKeptAsLongAsItShouldBe) {
  size_t written = 0;
  const auto write_some = [&] {
    for (int i = 0; i < 30; ++i, ++written) ASSERT_TRUE(put("k", Bytes(100, 'v')).ok());
    log_.run_pass(true);
  };
  for (const int64_t hours : {0, -10, 5, -30, 60}) {
    jump(hours * hour_us);
    write_some();
    EXPECT_EQ(log_records(), written) << hours;
  }
  // Behind the newest of them; only what is older than a week then goes.
  jump(7 * 24 * hour_us - 61 * hour_us);
  log_.run_pass(true);
  EXPECT_EQ(log_records(), written);
  jump(400 * hour_us);
  write_some();
  log_.run_pass(true);
  log_.run_pass(true);
  EXPECT_LE(log_records(), 31u);
  EXPECT_GT(log_records(), 0u);
  EXPECT_EQ(log_.status({}, "default").value().end.totals.records, written);
}

}  // namespace
}  // namespace strata::service
