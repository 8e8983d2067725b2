// Concurrent clients on real engines: serializability_test [--transactions N] [--seed N] [--gtest_filter=...]. With
// STRATA_TEST_LONG in the environment: 50 times as many transactions.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "engine/memory/memory_engine.h"
#include "engine/rocksdb/rocksdb_engine.h"
#include "serializability/faulty_engine.h"
#include "serializability/workloads.h"

namespace strata::serializability {
namespace {

uint64_t transactions_asked_for = 0;  // 0: as each test has it
uint64_t seed_asked_for = 1;

// rocksdb_sync waits for the disk: commits gather into batches, and meet each other within one.
enum class Kind { memory_later, rocksdb, rocksdb_sync };

std::string name_of(Kind kind) {
  return kind == Kind::memory_later ? "memory_later" : kind == Kind::rocksdb ? "rocksdb" : "rocksdb_sync";
}

class Serializability : public testing::TestWithParam<Kind> {
 protected:
  kv::Database open(Fault fault) {
    kv::DatabaseOptions options;
    options.max_retry_delay_ms = 1;
    return kv::Database(std::make_shared<FaultyEngine>(open_engine(), fault), options);
  }

  Load load(size_t transactions) const {
    Load load;
    const size_t times = std::getenv("STRATA_TEST_LONG") != nullptr ? 50 : 1;
    load.transactions = transactions_asked_for != 0 ? transactions_asked_for : transactions * times;
    load.seed = seed_asked_for;
    return load;
  }

  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

 private:
  std::shared_ptr<kv::Engine> open_engine() {
    if (GetParam() == Kind::memory_later) {
      kv::MemoryEngineOptions options;
      options.answers = kv::MemoryAnswers::on_thread;
      return std::make_shared<kv::MemoryEngine>(options);
    }
    std::string pattern = std::filesystem::temp_directory_path() / "strata_serializability_XXXXXX";
    STRATA_ASSERT(mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
    kv::RocksdbOptions options;
    options.directory = directory_;
    options.durability = GetParam() == Kind::rocksdb_sync ? kv::Durability::sync : kv::Durability::async;
    auto engine = kv::RocksdbEngine::open(options);
    STRATA_ASSERT(engine.ok());
    return std::move(*engine);
  }

  std::filesystem::path directory_;
};

INSTANTIATE_TEST_SUITE_P(Engines, Serializability,
                         testing::Values(Kind::memory_later, Kind::rocksdb, Kind::rocksdb_sync),
                         [](const auto& kind) { return name_of(kind.param); });

TEST_P(Serializability, Cycle) { EXPECT_EQ(run_cycle(open(Fault::none), load(1'000)), std::nullopt); }
TEST_P(Serializability, WriteSkew) { EXPECT_EQ(run_write_skew(open(Fault::none), load(600)), std::nullopt); }
TEST_P(Serializability, Seats) { EXPECT_EQ(run_seats(open(Fault::none), load(600)), std::nullopt); }
TEST_P(Serializability, Bank) { EXPECT_EQ(run_bank(open(Fault::none), load(1'000)), std::nullopt); }
TEST_P(Serializability, ListAppend) { EXPECT_EQ(run_list_append(open(Fault::none), load(4'000)), std::nullopt); }

// The workloads must find what is planted.
TEST_P(Serializability, DroppedReadConflictsAreFound) {
  const kv::Database database = open(Fault::drops_read_conflicts);
  EXPECT_NE(run_cycle(database, load(1'000)), std::nullopt);
  EXPECT_NE(run_write_skew(database, load(600)), std::nullopt);
  EXPECT_NE(run_seats(database, load(600)), std::nullopt);
  EXPECT_NE(run_bank(database, load(1'000)), std::nullopt);
  EXPECT_NE(run_list_append(database, load(1'000)), std::nullopt);
  // Without appends that lose others' the bug shows as a cycle of dependencies alone.
  Load blind = load(1'000);
  blind.blind_appends = true;
  const Finding finding = run_list_append(database, blind);
  ASSERT_NE(finding, std::nullopt);
  EXPECT_TRUE(finding->starts_with('G')) << *finding;
}

TEST_P(Serializability, StaleReadsAreFound) {
  const kv::Database database = open(Fault::stale_reads);
  EXPECT_NE(run_list_append(database, load(1'000)), std::nullopt);
}

TEST_P(Serializability, LostWritesAreFound) {
  const kv::Database database = open(Fault::loses_a_write);
  EXPECT_NE(run_list_append(database, load(1'000)), std::nullopt);
}

}  // namespace
}  // namespace strata::serializability

int main(int argument_count, char** arguments) {
  testing::InitGoogleTest(&argument_count, arguments);
  for (int i = 1; i < argument_count; ++i) {
    const std::string name = arguments[i];
    uint64_t* const into = name == "--seed"           ? &strata::serializability::seed_asked_for
                           : name == "--transactions" ? &strata::serializability::transactions_asked_for
                                                      : nullptr;
    if (into == nullptr || i + 1 == argument_count) {
      std::fprintf(stderr, "usage: serializability_test [--transactions N] [--seed N]\n");
      return 2;
    }
    *into = std::strtoull(arguments[++i], nullptr, 10);
  }
  return RUN_ALL_TESTS();
}
