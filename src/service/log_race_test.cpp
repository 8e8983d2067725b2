// Writers, seals, walks and readers at once, of two servers over one store: all agree on every position.
#include <atomic>
#include <thread>

#include "base/random.h"
#include "service/log_test.h"

namespace strata::service {
namespace {

class LogRace : public LogFixture {
 protected:
  LogRace() : LogFixture(std::make_shared<kv::MemoryEngine>()) {}
};

TEST_F(LogRace, EveryReaderSeesEachRecordOnceAndAtOnePosition) {
  constexpr int writers = 3;
  constexpr int writes = 150;
  segment_bytes_ = 2'000;
  restart();
  segment_bytes_ = 700;
  const auto other = open_log();
  std::atomic<int> writing = writers;
  std::vector<std::thread> threads;
  for (int writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&, writer] {
      Random random(static_cast<uint64_t>(writer));
      for (int i = 0; i < writes; ++i) {
        put(std::to_string(writer) + ":" + std::to_string(i), Bytes(random.below(300), 'v'));
      }
      --writing;
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; writing > 0; ++i) {
      Log& log = i % 2 == 0 ? *log_ : *other;
      EXPECT_TRUE(log.seal({}, "default").ok());
      log.run_pass(true);
    }
  });
  std::vector<std::vector<Seen>> seen(4);
  for (size_t reader = 0; reader < seen.size(); ++reader) {
    threads.emplace_back([&, reader] {
      Log& log = reader % 2 == 0 ? *log_ : *other;
      Random random(reader);
      std::optional<LogPosition> position;
      // Again and again from the last position, as one whose connection breaks.
      while (seen[reader].size() < writers * writes) {
        auto connection = log.read({}, {.name_space = "default", .after = position, .log_id = {}});
        ASSERT_TRUE(connection.ok()) << connection.error().message();
        for (uint64_t batches = 1 + random.below(3); batches > 0; --batches) {
          auto batch = connection->next({}, {.records = random.below(20)});
          ASSERT_TRUE(batch.ok()) << batch.error().message();
          for (const LogEntry& entry : batch->entries) {
            seen[reader].push_back({entry.lsn, entry.position, "", entry.stamp});
          }
        }
        position = connection->position();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  restart();
  auto expected = read_all(*log_);
  ASSERT_EQ(expected.size(), size_t{writers * writes});
  EXPECT_GT(expected.back().position.segment, 30u);
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(expected[i].lsn, i + 1);
    expected[i].key.clear();
  }
  for (const auto& reader : seen) EXPECT_EQ(reader, expected);
}

class LogWithFaults : public LogFixture {
 protected:
  LogWithFaults()
      : LogFixture(std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{
            .faults = {.transaction_too_old = 0.1, .not_committed = 0.2, .commit_unknown_result_lost = 0.1}})) {}
};

TEST_F(LogWithFaults, TransactionsThatFailAreTriedAgain) {
  for (int i = 0; i < 60; ++i) {
    put("k" + std::to_string(i), Bytes(200, 'v'));
    if (i % 10 == 5) EXPECT_TRUE(log_->seal({}, "default").ok());
    if (i % 10 == 0) log_->run_pass(true);
  }
  const auto seen = read_all(*log_);
  EXPECT_EQ(seen.size(), 60u);
  restart();
  EXPECT_EQ(read_all(*log_), seen);
}

}  // namespace
}  // namespace strata::service
