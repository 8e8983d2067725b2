// What happens when the disk fails, fills up, or loses power.
#include "engine/rocksdb/engine_fixture.h"

namespace strata::kv {
namespace {

using RocksdbFailures = RocksdbTest;

TEST_F(RocksdbFailures, AFailedSyncStopsWritesForGood) {
  open();
  ASSERT_TRUE(put("before", "1").ok());
  files->fail_log_sync(2);
  ASSERT_TRUE(put("good", "1").ok());
  EXPECT_TRUE(engine->health().ok());
  // The record may be in the log: nobody knows.
  EXPECT_EQ(code(put("unknown", "1")), "commit_unknown_result");
  EXPECT_EQ(code(engine->health()), "io_error");
  // The next sync would succeed, and lie.
  const Result<Committed> later = put("later", "1");
  EXPECT_EQ(code(later), "io_error");
  EXPECT_NE(later.error().message().find("opened again"), std::string::npos) << later.error().message();
  EXPECT_EQ(code(put("later", "1", Durability::async)), "io_error");
  EXPECT_EQ(code(engine->sync()), "io_error");
  EXPECT_FALSE(engine->stats().stopped.empty());
  EXPECT_EQ(get("before"), "1");
  EXPECT_EQ(get("good"), "1");
  EXPECT_EQ(get("unknown"), std::nullopt);

  files->cut_power(options.directory, root / "after", 7);
  options.directory = root / "after";
  open();
  EXPECT_TRUE(engine->health().ok());
  EXPECT_EQ(get("before"), "1");
  EXPECT_EQ(get("good"), "1");
  EXPECT_EQ(get("later"), std::nullopt);
  EXPECT_TRUE(put("again", "1").ok());
}

TEST_F(RocksdbFailures, EveryCommitOfAFailedBatchIsUnknown) {
  open();
  files->hold_log_syncs(true);
  Future<Committed> first = engine->commit(write("first", "1"));
  ASSERT_TRUE(becomes_true([&] { return files->held() == 1; }));
  std::vector<Future<Committed>> futures;
  for (int i = 0; i < 10; ++i) futures.push_back(engine->commit(write("k" + std::to_string(i), "1")));
  Future<Committed> asynchronous = engine->commit(write("async", "1", Durability::async));
  files->fail_log_sync(2);
  files->hold_log_syncs(false);
  EXPECT_EQ(code(first.get()), "ok");
  for (Future<Committed>& future : futures) EXPECT_EQ(code(future.get()), "commit_unknown_result");
  EXPECT_EQ(code(asynchronous.get()), "commit_unknown_result");
}

TEST_F(RocksdbFailures, AFailedBackgroundSyncStopsWrites) {
  options.durability = Durability::async;
  open();
  files->fail_log_sync(1);
  ASSERT_TRUE(put("a", "1").ok());
  EXPECT_TRUE(becomes_true([&] { return !engine->health().ok(); }));
  EXPECT_EQ(code(put("b", "1")), "io_error");
  EXPECT_EQ(get("a"), "1");
}

TEST_F(RocksdbFailures, AFullDiskRefusesCommitsWithoutATrace) {
  open();
  ASSERT_TRUE(put("before", "1").ok());
  files->limit_space(".log", 0);
  // More than the filler that is there already.
  const Bytes value(100'000, 'v');
  std::string outcome;
  int good = 0;
  for (int i = 0; i < 100; ++i) {
    outcome = code(put("k" + std::to_string(good), value));
    if (outcome != "ok") break;
    ++good;
  }
  EXPECT_EQ(outcome, "disk_full");
  EXPECT_EQ(code(put("later", "1")), "disk_full");
  EXPECT_EQ(code(engine->health()), "disk_full");
  EXPECT_EQ(get("before"), "1");
  EXPECT_EQ(get("k" + std::to_string(good)), std::nullopt);

  files->limit_space("", -1);
  open();
  EXPECT_EQ(get("before"), "1");
  for (int i = 0; i < good; ++i) EXPECT_EQ(get("k" + std::to_string(i)), value);
  EXPECT_EQ(get("k" + std::to_string(good)), std::nullopt);
  EXPECT_TRUE(put("later", "1").ok());
}

TEST_F(RocksdbFailures, AFullDiskInTheBackgroundStopsCommitsToo) {
  options.durability = Durability::async;
  options.write_buffer_bytes = 1 << 20;
  open();
  ASSERT_TRUE(put("before", "1").ok());
  files->limit_space(".sst", 0);
  const Bytes value(50'000, 'v');
  std::string outcome = "ok";
  int good = 0;
  for (int i = 0; i < 1'000 && outcome == "ok"; ++i) {
    outcome = code(put("k" + std::to_string(i), value));
    if (outcome == "ok") ++good;
  }
  EXPECT_EQ(outcome, "disk_full");
  EXPECT_EQ(get("before"), "1");
  files->limit_space("", -1);
  // Killed here, with several logs that all end in filler.
  std::filesystem::copy(options.directory, root / "killed");
  options.directory = root / "killed";
  open();
  for (int i = 0; i < good; ++i) EXPECT_EQ(get("k" + std::to_string(i)), value) << i;
}

// The log ends in filler while it is open; closing cuts it off.
TEST_F(RocksdbFailures, TheLogIsWrittenAhead) {
  open();
  ASSERT_TRUE(put("a", "1").ok());
  std::filesystem::copy(options.directory, root / "killed");
  const auto log = only_file(".log");
  EXPECT_GT(std::filesystem::file_size(log), 200'000u);
  engine.reset();
  EXPECT_LT(std::filesystem::file_size(log), 1'000u);
  options.directory = root / "killed";
  open();
  EXPECT_EQ(get("a"), "1");
}

// Commit i sets "n" to i and one key of its own. After a power cut the store must hold exactly the first k commits for
// some k, and k may not be less than the last one that was answered as durable.
class RocksdbPowerCuts : public RocksdbTest, public testing::WithParamInterface<int> {};

TEST_P(RocksdbPowerCuts, KeepWhatWasDurableAndLeaveNoHoles) {
  Random random(static_cast<uint64_t>(GetParam()));
  if (random.one_in(3)) options.write_buffer_bytes = 256 << 10;
  open();
  int durable = 0;
  int committed = 0;
  const int rounds = 4;
  for (int round = 0; round < rounds; ++round) {
    const int commits = static_cast<int>(random.below(120));
    for (int i = 0; i < commits; ++i) {
      const bool sync = random.one_in(6);
      const int number = committed + 1;
      CommitRequest request = write("n", std::to_string(number), sync ? Durability::sync : Durability::async);
      // Some records span many pages and blocks of the log.
      const Bytes key = "k" + std::to_string(number);
      const Bytes value(random.one_in(5) ? random.below(90'000) : random.below(200),
                        static_cast<char>('a' + number % 26));
      request.mutations.push_back({MutationType::set, request.arena.copy(key), request.arena.copy(value)});
      ASSERT_TRUE(engine->commit(std::move(request)).get().ok());
      committed = number;
      if (sync) durable = number;
    }
    const auto after = root / ("cut" + std::to_string(round));
    files->cut_power(options.directory, after, random.next());
    options.directory = after;
    open();
    const std::optional<Bytes> last = get("n");
    const int survived = last ? std::stoi(*last) : 0;
    EXPECT_GE(survived, durable);
    EXPECT_LE(survived, committed);
    for (int i = 1; i <= committed; ++i) {
      ASSERT_EQ(get("k" + std::to_string(i)).has_value(), i <= survived) << "commit " << i << " of " << survived;
    }
    committed = survived;
    durable = survived;
  }
}

// Every record fills a page of its own, and every eighth begins a block of the log, where its reader starts afresh
// after anything that it skipped: a lost page in the middle must end the log nevertheless.
TEST_P(RocksdbPowerCuts, ALostPageEndsTheLog) {
  options.durability = Durability::async;
  open();
  int number = 0;
  auto commit_of = [&](size_t value_bytes) {
    ++number;
    CommitRequest request = write("n", std::to_string(100'000 + number));
    const BytesView key = request.arena.copy("k" + std::to_string(100'000 + number));
    request.mutations.push_back({MutationType::set, key, request.arena.copy(Bytes(value_bytes, 'v'))});
    const uint64_t before = engine->stats().log_bytes;
    EXPECT_TRUE(engine->commit(std::move(request)).get().ok());
    return engine->stats().log_bytes - before;
  };
  constexpr uint64_t page = 4'096;
  constexpr size_t probe = 2'000;
  const uint64_t around = commit_of(probe) - probe;
  commit_of(2 * page - engine->stats().log_bytes % page - around);
  ASSERT_EQ(engine->stats().log_bytes % page, 0u);
  // Every second time up to just below the first 256 KiB, behind which the log is extended.
  const uint64_t synced_bytes = GetParam() % 2 == 0 ? 63 * page : 0;
  while (engine->stats().log_bytes < synced_bytes) ASSERT_EQ(commit_of(page - around), page);
  ASSERT_TRUE(engine->sync().ok());
  const int durable = number;
  for (int i = 0; i < 40; ++i) ASSERT_EQ(commit_of(page - around), page);

  files->cut_power(options.directory, root / "after", static_cast<uint64_t>(GetParam()));
  options.directory = root / "after";
  open();
  const int survived = std::stoi(get("n").value_or("0")) - 100'000;
  EXPECT_GE(survived, durable);
  for (int i = 1; i <= number; ++i) {
    ASSERT_EQ(get("k" + std::to_string(100'000 + i)).has_value(), i <= survived)
        << "commit " << i << " of " << survived;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RocksdbPowerCuts, testing::Range(1, 21));

}  // namespace
}  // namespace strata::kv
