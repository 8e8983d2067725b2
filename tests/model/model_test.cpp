// Random histories against the reference: model_test [--seed N] [--operations N] [--gtest_filter=...]. With
// STRATA_TEST_LONG in the environment: 25 times as many operations, 5,000,000 on RocksDB.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "engine/rocksdb/rocksdb_engine.h"
#include "model/lockstep.h"
#include "serializability/faulty_engine.h"

namespace strata::model {
namespace {

uint64_t seed_asked_for = 0;  // 0: as each test has it
uint64_t operations_asked_for = 0;

// An engine with a bug: the history must not agree.
class Spoiled final : public Subject {
 public:
  explicit Spoiled(serializability::Fault fault) {
    kv::MemoryEngineOptions options;
    options.clock = &clock_;
    engine_ = std::make_shared<serializability::FaultyEngine>(std::make_shared<kv::MemoryEngine>(options), fault);
  }
  std::shared_ptr<kv::Engine> engine() override { return engine_; }
  ManualClock& clock() override { return clock_; }
  bool can_reopen() const override { return false; }
  void reopen() override {}

 private:
  ManualClock clock_;
  std::shared_ptr<kv::Engine> engine_;
};

// Answers every call from another thread, in an order of its own: the ways of a remote engine.
class LateMemory final : public Subject {
 public:
  explicit LateMemory(uint64_t seed) {
    kv::MemoryEngineOptions options;
    options.clock = &clock_;
    options.seed = seed;
    options.answers = kv::MemoryAnswers::on_thread;
    engine_ = std::make_shared<kv::MemoryEngine>(options);
  }
  std::shared_ptr<kv::Engine> engine() override { return engine_; }
  ManualClock& clock() override { return clock_; }
  bool can_reopen() const override { return false; }
  void reopen() override {}

 private:
  ManualClock clock_;
  std::shared_ptr<kv::MemoryEngine> engine_;
};

class Rocksdb final : public Subject {
 public:
  Rocksdb() {
    std::string pattern = std::filesystem::temp_directory_path() / "strata_model_XXXXXX";
    STRATA_ASSERT(mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
    open();
  }
  ~Rocksdb() override {
    engine_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::shared_ptr<kv::Engine> engine() override { return engine_; }
  ManualClock& clock() override { return clock_; }
  bool can_reopen() const override { return true; }
  void reopen() override {
    STRATA_ASSERT(engine_.use_count() == 1);
    engine_.reset();
    open();
  }

 private:
  void open() {
    kv::RocksdbOptions options;
    options.directory = directory_;
    options.clock = &clock_;
    // Nothing here depends on a sync: the directory outlives no crash.
    options.durability = kv::Durability::async;
    auto opened = kv::RocksdbEngine::open(options);
    STRATA_ASSERT(opened.ok());
    engine_ = std::move(*opened);
  }

  ManualClock clock_;
  std::filesystem::path directory_;
  std::shared_ptr<kv::RocksdbEngine> engine_;
};

void run_history(Subject& subject, uint64_t seed, uint64_t operations) {
  LockstepOptions options;
  options.seed = seed_asked_for != 0 ? seed_asked_for : seed;
  const uint64_t times = std::getenv("STRATA_TEST_LONG") != nullptr ? 25 : 1;
  options.operations = operations_asked_for != 0 ? operations_asked_for : operations * times;
  std::printf("seed %llu, %llu operations\n", static_cast<unsigned long long>(options.seed),
              static_cast<unsigned long long>(options.operations));
  const auto start = std::chrono::steady_clock::now();
  Lockstep lockstep(subject, options);
  const auto failure = lockstep.run();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const LockstepCounts& counts = lockstep.counts();
  std::printf("%llu reads, %llu writes, %llu commits, %llu conflicts, %llu watches fired, %llu reopens in %.1f s\n",
              static_cast<unsigned long long>(counts.reads), static_cast<unsigned long long>(counts.writes),
              static_cast<unsigned long long>(counts.commits), static_cast<unsigned long long>(counts.conflicts),
              static_cast<unsigned long long>(counts.watches_fired), static_cast<unsigned long long>(counts.reopens),
              took.count());
  ASSERT_FALSE(failure.has_value()) << *failure;
  // A history that commits nothing, or never conflicts, shows nothing.
  EXPECT_GT(counts.commits, options.operations / 100);
  EXPECT_GT(counts.conflicts, options.operations / 1'000);
  EXPECT_GT(counts.watches_fired, options.operations / 2'000);
  EXPECT_GT(counts.mapped_rows, options.operations / 1'000);
}

TEST(Model, PlantedBugsAreFound) {
  using serializability::Fault;
  for (const Fault fault : {Fault::drops_read_conflicts, Fault::stale_reads, Fault::loses_a_write}) {
    Spoiled subject(fault);
    LockstepOptions options;
    options.operations = 20'000;
    Lockstep lockstep(subject, options);
    const auto failure = lockstep.run();
    ASSERT_TRUE(failure.has_value()) << "fault " << static_cast<int>(fault);
    EXPECT_NE(failure->find("seed 1, operation "), std::string::npos) << *failure;
  }
  Spoiled sound(Fault::none);
  LockstepOptions options;
  options.operations = 20'000;
  EXPECT_EQ(Lockstep(sound, options).run(), std::nullopt);
}

TEST(Model, EngineThatAnswersLater) {
  LateMemory subject(7);
  run_history(subject, 7, 50'000);
}

TEST(Model, Rocksdb) {
  Rocksdb subject;
  run_history(subject, 1, 200'000);
}

}  // namespace
}  // namespace strata::model

int main(int argument_count, char** arguments) {
  testing::InitGoogleTest(&argument_count, arguments);
  for (int i = 1; i < argument_count; ++i) {
    const std::string name = arguments[i];
    uint64_t* const into = name == "--seed"         ? &strata::model::seed_asked_for
                           : name == "--operations" ? &strata::model::operations_asked_for
                                                    : nullptr;
    if (into == nullptr || i + 1 == argument_count) {
      std::fprintf(stderr, "usage: model_test [--seed N] [--operations N]\n");
      return 2;
    }
    *into = std::strtoull(arguments[++i], nullptr, 10);
  }
  return RUN_ALL_TESTS();
}
