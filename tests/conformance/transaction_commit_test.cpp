// Versions, commit, retry, options, time-outs.
#include <thread>

#include "conformance/transaction_fixture.h"

namespace strata::kv {
namespace {

class Commits : public TransactionTest {};
INSTANTIATE_TEST_SUITE_P(Engines, Commits, testing::ValuesIn(engine_kinds()), kind_name);

TEST_P(Commits, ReadsAreRepeatable) {
  put("k", "old");
  Transaction tr = begin();
  EXPECT_EQ(tr.get("k").get().value(), "old");
  put("k", "new");
  put("l", "new");
  EXPECT_EQ(tr.get("k").get().value(), "old");
  EXPECT_EQ(tr.get("l").get().value(), std::nullopt);
  EXPECT_EQ(page_of(tr.get_range("", "\xff").get()).rows.size(), 1u);
}

TEST_P(Commits, VersionsGrowAndReadsSeeEarlierCommits) {
  Transaction writer = begin();
  writer.set("k", "1");
  ASSERT_EQ(commit_number(writer), 0);
  Transaction reader = begin();
  EXPECT_GE(reader.get_read_version().get().value(), writer.get_committed_version().value());
}

TEST_P(Commits, SetReadVersion) {
  Transaction first = begin();
  first.set("k", "1");
  ASSERT_EQ(commit_number(first), 0);
  Transaction look = begin();
  const Version version = look.get_read_version().get().value();
  put("k", "2");
  Transaction tr = begin();
  ASSERT_TRUE(tr.set_read_version(version).ok());
  EXPECT_EQ(tr.get_read_version().get().value(), version);
  EXPECT_EQ(tr.get("k").get().value(), "1");
  EXPECT_EQ(number(tr.set_read_version(version)), 2010);
  Transaction late = begin();
  (void)late.get("k").get();
  EXPECT_EQ(number(late.set_read_version(version)), 2010);
  Transaction bad = begin();
  EXPECT_EQ(number(bad.set_read_version(0)), 2011);
  EXPECT_EQ(number(bad.set_read_version(-5)), 2011);
}

TEST_P(Commits, FutureVersionIs1009) {
  put("k", "1");
  Transaction look = begin();
  const Version version = look.get_read_version().get().value();
  Transaction tr = begin();
  ASSERT_TRUE(tr.set_read_version(version + 1'000'000'000'000).ok());
  EXPECT_EQ(number(tr.get("k").get()), 1009);
  EXPECT_EQ(number(tr.get_range("a", "z").get()), 1009);
  EXPECT_TRUE(tr.on_error(ErrorCode::future_version).get().ok());
}

TEST_P(Commits, AncientVersionIs1007) {
  put("k", "1");
  Transaction tr = begin();
  ASSERT_TRUE(tr.set_read_version(1).ok());
  EXPECT_EQ(number(tr.get("k").get()), 1007);
  EXPECT_EQ(number(tr.get_range("a", "z").get()), 1007);
}

TEST_P(Commits, CommittedVersionBeforeCommitIs2020) {
  Transaction tr = begin();
  EXPECT_EQ(number(tr.get_committed_version()), 2020);
  tr.set("k", "1");
  EXPECT_EQ(number(tr.get_committed_version()), 2020);
}

// --- life of a transaction

TEST_P(Commits, UseAfterCommitIs2017UntilReset) {
  Transaction tr = begin();
  tr.set("k", "1");
  ASSERT_EQ(commit_number(tr), 0);
  EXPECT_EQ(number(tr.get("k").get()), 2017);
  EXPECT_EQ(number(tr.get_range("a", "z").get()), 2017);
  EXPECT_EQ(number(tr.get_key(KeySelector::last_less_than("k")).get()), 2017);
  EXPECT_EQ(number(tr.commit().get()), 2017);
  EXPECT_EQ(number(tr.watch("k").get()), 2017);
  tr.reset();
  EXPECT_EQ(tr.get("k").get().value(), "1");
}

TEST_P(Commits, CancelledTransactionIs1025UntilReset) {
  Transaction tr = begin();
  tr.set("k", "1");
  tr.cancel();
  EXPECT_EQ(number(tr.get("k").get()), 1025);
  EXPECT_EQ(commit_number(tr), 1025);
  EXPECT_EQ(number(tr.on_error(ErrorCode::not_committed).get()), 1025);
  EXPECT_EQ(stored("k"), std::nullopt);
  tr.reset();
  EXPECT_EQ(tr.get("k").get().value(), std::nullopt);
}

TEST_P(Commits, ResetForgetsEverything) {
  Transaction tr = begin();
  tr.set("k", Bytes(100'001, 'v'));
  ASSERT_TRUE(tr.set_option(TransactionOption::access_system_keys).ok());
  tr.reset();
  EXPECT_EQ(tr.get("k").get().value(), std::nullopt);
  EXPECT_EQ(number(tr.get("\xff").get()), 2004);
  EXPECT_EQ(commit_number(tr), 0);
}

TEST_P(Commits, OnErrorResetsForRetryableErrors) {
  for (const ErrorCode code : {ErrorCode::transaction_too_old, ErrorCode::future_version, ErrorCode::not_committed,
                               ErrorCode::commit_unknown_result, ErrorCode::process_behind, ErrorCode::database_locked,
                               ErrorCode::commit_proxy_memory_limit_exceeded, ErrorCode::batch_transaction_throttled,
                               ErrorCode::grv_proxy_memory_limit_exceeded, ErrorCode::tag_throttled}) {
    Transaction tr = begin();
    tr.set("k", "1");
    EXPECT_TRUE(tr.on_error(code).get().ok()) << error_name(code);
    EXPECT_EQ(tr.get("k").get().value(), std::nullopt);
  }
}

TEST_P(Commits, OnErrorReturnsFinalErrorsAndCancels) {
  for (const ErrorCode code : {ErrorCode::cluster_version_changed, ErrorCode::key_too_large, ErrorCode::io_error,
                               ErrorCode::used_during_commit, ErrorCode::not_found, ErrorCode::value_too_large}) {
    Transaction tr = begin();
    EXPECT_EQ(tr.on_error(code).get().error().code(), code);
    EXPECT_EQ(number(tr.get("k").get()), 1025);
    tr.reset();
    EXPECT_EQ(number(tr.get("k").get()), 0);
  }
}

TEST_P(Commits, RetryLimitSurvivesOnErrorAndCounts) {
  Transaction tr = begin();
  ASSERT_TRUE(tr.set_option(TransactionOption::retry_limit, 2).ok());
  EXPECT_EQ(number(tr.on_error(ErrorCode::not_committed).get()), 0);
  EXPECT_EQ(number(tr.on_error(ErrorCode::not_committed).get()), 0);
  EXPECT_EQ(number(tr.on_error(ErrorCode::not_committed).get()), 1020);
  EXPECT_EQ(number(tr.get("k").get()), 1025);
  tr.reset();
  EXPECT_EQ(number(tr.on_error(ErrorCode::not_committed).get()), 0);
}

TEST_P(Commits, OptionValues) {
  Transaction tr = begin();
  for (const int option : {500, 501, 502, 503}) EXPECT_EQ(number(tr.set_option(option, "short")), 2006) << option;
  EXPECT_EQ(number(tr.set_option(TransactionOption::timeout, -1)), 2006);
  EXPECT_EQ(number(tr.set_option(TransactionOption::retry_limit, -2)), 2006);
  EXPECT_EQ(number(tr.set_option(TransactionOption::retry_limit, -1)), 0);
  EXPECT_EQ(number(tr.set_option(TransactionOption::max_retry_delay, -1)), 2006);
  for (const int option : {10, 20, 30, 301, 302, 600, 601, 700, 702, 712, 713, 714, 800, 1100}) {
    EXPECT_EQ(number(tr.set_option(option)), 0) << option;
  }
  for (const int option : {0, 1, 7, 999, -1}) EXPECT_EQ(number(tr.set_option(option)), 2007) << option;
}

TEST_P(Commits, RunCommitsAndRetries) {
  put("counter", le(0));
  int attempts = 0;
  const Result<int> result = database.run([&](Transaction& tr) -> Result<int> {
    ++attempts;
    ASSIGN_OR_RETURN(const auto before, tr.get("counter").get());
    // Another transaction gets in between, twice.
    if (attempts <= 2) put("counter", le(static_cast<uint64_t>(attempts)));
    tr.set("counter", le(read_le64(*before) + 10));
    return attempts;
  });
  EXPECT_EQ(result.value(), 3);
  EXPECT_EQ(stored("counter"), le(12));
}

TEST_P(Commits, RunReturnsFinalErrorsAndWritesNothing) {
  const Result<int> result = database.run([&](Transaction& tr) -> Result<int> {
    tr.set("k", "1");
    return Error(ErrorCode::not_found, "no such thing");
  });
  EXPECT_EQ(result.error().code(), ErrorCode::not_found);
  EXPECT_EQ(result.error().message(), "no such thing");
  EXPECT_EQ(stored("k"), std::nullopt);
}

TEST_P(Commits, ReadRunsWithoutCommit) {
  put("k", "1");
  const auto value = database.read([](const ReadTransaction& tr) { return tr.get("k").get(); });
  EXPECT_EQ(value.value(), "1");
}

TEST_P(Commits, ConcurrentIncrementsAllCount) {
  constexpr int threads = 4;
  constexpr int each = 15;
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&] {
      for (int i = 0; i < each; ++i) {
        const auto result = database.run([](Transaction& tr) -> Result<int> {
          tr.mutate(MutationType::add, "atomic", le(1));
          ASSIGN_OR_RETURN(const auto value, tr.get("read").get());
          tr.set("read", le((value ? read_le64(*value) : 0) + 1));
          return 0;
        });
        EXPECT_TRUE(result.ok());
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(stored("atomic"), le(threads * each));
  EXPECT_EQ(stored("read"), le(threads * each));
}

// --- time-outs, on a clock of the test's

TEST_P(Commits, TimeoutRunsFromCreationAndSurvivesOnError) {
  ManualClock clock;
  DatabaseOptions options;
  options.clock = &clock;
  const Database timed(engine_.engine, options);
  Transaction tr = timed.create_transaction();
  ASSERT_TRUE(tr.set_option(TransactionOption::timeout, 100).ok());
  clock.advance_us(99'000);
  EXPECT_EQ(number(tr.get("k").get()), 0);
  EXPECT_EQ(number(tr.on_error(ErrorCode::transaction_too_old).get()), 0);
  clock.advance_us(1'000);
  EXPECT_EQ(number(tr.get("k").get()), 1031);
  EXPECT_EQ(commit_number(tr), 1031);
  EXPECT_EQ(number(tr.on_error(ErrorCode::not_committed).get()), 1031);
  tr.reset();
  EXPECT_EQ(number(tr.get("k").get()), 0);
}

TEST_P(Commits, DefaultTimeoutOfTheDatabase) {
  ManualClock clock;
  DatabaseOptions options;
  options.clock = &clock;
  options.timeout_ms = 50;
  const Database timed(engine_.engine, options);
  Transaction tr = timed.create_transaction();
  clock.advance_us(50'000);
  EXPECT_EQ(number(tr.get("k").get()), 1031);
  ASSERT_TRUE(tr.set_option(TransactionOption::timeout, 0).ok());
  EXPECT_EQ(number(tr.get("k").get()), 0);
}

}  // namespace
}  // namespace strata::kv
