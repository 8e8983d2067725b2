// Conflicts, versions, commit, retry, options, watches, special keys.
#include <thread>

#include "conformance/transaction_fixture.h"

namespace strata::kv {
namespace {

class Commits : public TransactionTest {};
INSTANTIATE_TEST_SUITE_P(Engines, Commits, testing::ValuesIn(engine_kinds()), kind_name);

// --- conflicts

TEST_P(Commits, ReadOfAKeyConflictsWithItsWriteAlone) {
  const auto read = [](Transaction& tr) { (void)tr.get("k").get(); };
  EXPECT_TRUE(conflicts(read, "k"));
  EXPECT_FALSE(conflicts(read, raw("k\x00")));
  EXPECT_FALSE(conflicts(read, "j"));
}

TEST_P(Commits, BlindWritesDoNotConflict) {
  Transaction a = begin();
  Transaction b = begin();
  (void)a.get_read_version().get();
  (void)b.get_read_version().get();
  a.set("k", "a");
  b.set("k", "b");
  EXPECT_EQ(commit_number(a), 0);
  EXPECT_EQ(commit_number(b), 0);
  EXPECT_EQ(stored("k"), "b");
}

TEST_P(Commits, LostUpdateIsRefused) {
  put("k", "0");
  Transaction a = begin();
  Transaction b = begin();
  (void)a.get("k").get();
  (void)b.get("k").get();
  a.set("k", "a");
  b.set("k", "b");
  EXPECT_EQ(commit_number(a), 0);
  EXPECT_EQ(commit_number(b), 1020);
  EXPECT_EQ(stored("k"), "a");
}

TEST_P(Commits, WriteSkewIsRefused) {
  put("x", "1");
  put("y", "1");
  Transaction a = begin();
  Transaction b = begin();
  (void)a.get("x").get();
  (void)a.get("y").get();
  (void)b.get("x").get();
  (void)b.get("y").get();
  a.clear("x");
  b.clear("y");
  EXPECT_EQ(commit_number(a), 0);
  EXPECT_EQ(commit_number(b), 1020);
}

TEST_P(Commits, ReadOnlyTransactionsNeverConflict) {
  Transaction reader = begin();
  (void)reader.get("k").get();
  put("k", "new");
  EXPECT_EQ(commit_number(reader), 0);
  EXPECT_EQ(reader.get_committed_version().value(), -1);
}

TEST_P(Commits, SnapshotReadsDoNotConflict) {
  EXPECT_FALSE(conflicts([](Transaction& tr) { (void)tr.snapshot().get("k").get(); }, "k"));
  EXPECT_FALSE(conflicts([](Transaction& tr) { (void)tr.snapshot().get_range("a", "z").get(); }, "k"));
  EXPECT_FALSE(conflicts(
      [](Transaction& tr) { (void)tr.snapshot().get_key(KeySelector::first_greater_or_equal("a")).get(); }, "k"));
}

TEST_P(Commits, OwnSetsAndClearsNeedNoConflict) {
  EXPECT_FALSE(conflicts(
      [](Transaction& tr) {
        tr.set("k", "own");
        (void)tr.get("k").get();
      },
      "k"));
  const auto cleared = [](Transaction& tr) {
    tr.clear_range("b", "d");
    tr.set("f", "own");
    (void)tr.get_range("a", "z").get();
  };
  EXPECT_FALSE(conflicts(cleared, "c"));
  EXPECT_FALSE(conflicts(cleared, "f"));
  EXPECT_TRUE(conflicts(cleared, "a"));
  EXPECT_TRUE(conflicts(cleared, "d"));
  EXPECT_TRUE(conflicts(cleared, raw("f\x00")));
}

TEST_P(Commits, OwnAtomicsOverUnknownValuesDoConflictWhenRead) {
  EXPECT_TRUE(conflicts(
      [](Transaction& tr) {
        tr.mutate(MutationType::add, "k", le(1));
        (void)tr.get("k").get();
      },
      "k"));
  EXPECT_FALSE(conflicts([](Transaction& tr) { tr.mutate(MutationType::add, "k", le(1)); }, "k"));
}

TEST_P(Commits, ReadYourWritesDisableReadsConflict) {
  EXPECT_TRUE(conflicts(
      [](Transaction& tr) {
        Transaction fresh = std::move(tr);
        tr = std::move(fresh);
        tr.reset();
        EXPECT_TRUE(tr.set_option(TransactionOption::read_your_writes_disable).ok());
        (void)tr.get_read_version().get();
        tr.set("k", "own");
        (void)tr.get("k").get();
      },
      "k"));
}

TEST_P(Commits, ForwardRangeConflictsUpToItsEnd) {
  put_all({"b", "d"});
  const auto read = [](Transaction& tr) { (void)tr.get_range("b", "f").get(); };
  EXPECT_TRUE(conflicts(read, "b"));
  EXPECT_TRUE(conflicts(read, "e"));
  EXPECT_FALSE(conflicts(read, "f"));
  EXPECT_FALSE(conflicts(read, "a"));
}

TEST_P(Commits, CutForwardRangeConflictsUpToItsLastRow) {
  put_all({"b", "d", "f"});
  const auto read = [](Transaction& tr) {
    RangeOptions options;
    options.limit = 2;
    (void)tr.get_range("a", "z", options).get();
  };
  EXPECT_TRUE(conflicts(read, "a"));
  EXPECT_TRUE(conflicts(read, "c"));
  EXPECT_TRUE(conflicts(read, "d"));
  EXPECT_FALSE(conflicts(read, raw("d\x00")));
  EXPECT_FALSE(conflicts(read, "f"));
}

TEST_P(Commits, CutReverseRangeConflictsDownToItsLastRow) {
  put_all({"b", "d", "f"});
  const auto read = [](Transaction& tr) {
    RangeOptions options;
    options.limit = 2;
    options.reverse = true;
    (void)tr.get_range("a", "z", options).get();
  };
  EXPECT_TRUE(conflicts(read, "y"));
  EXPECT_TRUE(conflicts(read, "e"));
  EXPECT_TRUE(conflicts(read, "d"));
  EXPECT_FALSE(conflicts(read, "c"));
  EXPECT_FALSE(conflicts(read, "z"));
}

TEST_P(Commits, GetKeyConflictRanges) {
  put_all({"b", "d", "f"});
  const auto forward = [](Transaction& tr) { (void)tr.get_key(KeySelector::first_greater_or_equal("c")).get(); };
  EXPECT_TRUE(conflicts(forward, "c"));
  EXPECT_TRUE(conflicts(forward, "d"));
  EXPECT_FALSE(conflicts(forward, raw("d\x00")));
  EXPECT_FALSE(conflicts(forward, "b"));
  const auto backward = [](Transaction& tr) { (void)tr.get_key(KeySelector::last_less_than("e")).get(); };
  EXPECT_TRUE(conflicts(backward, "d"));
  EXPECT_TRUE(conflicts(backward, raw("d\x00")));
  EXPECT_FALSE(conflicts(backward, "e"));
  EXPECT_FALSE(conflicts(backward, "c"));
  const auto past_end = [](Transaction& tr) { (void)tr.get_key(KeySelector::first_greater_than("f")).get(); };
  EXPECT_TRUE(conflicts(past_end, "zzz"));
  EXPECT_FALSE(conflicts(past_end, "f"));
  const auto before_start = [](Transaction& tr) { (void)tr.get_key(KeySelector::last_less_than("b")).get(); };
  EXPECT_TRUE(conflicts(before_start, ""));
  EXPECT_TRUE(conflicts(before_start, "a"));
  EXPECT_FALSE(conflicts(before_start, "b"));
}

TEST_P(Commits, RangesBySelectorsConflictWhereTheSelectorsLooked) {
  put_all({"b", "d", "f", "h"});
  const auto low_begin = [](Transaction& tr) {
    (void)tr.get_range(KeySelector::last_less_than("d"), KeySelector::first_greater_or_equal("f")).get();
  };
  EXPECT_TRUE(conflicts(low_begin, "b"));
  EXPECT_TRUE(conflicts(low_begin, "c"));
  EXPECT_FALSE(conflicts(low_begin, "a"));
  EXPECT_FALSE(conflicts(low_begin, "f"));
  const auto off_begin = [](Transaction& tr) {
    (void)tr.get_range(KeySelector::last_less_than("b"), KeySelector::first_greater_or_equal("c")).get();
  };
  EXPECT_TRUE(conflicts(off_begin, ""));
  const auto off_end = [](Transaction& tr) {
    (void)tr.get_range(KeySelector::first_greater_or_equal("f"), KeySelector::first_greater_or_equal("f").add(9)).get();
  };
  EXPECT_TRUE(conflicts(off_end, "zz"));
  EXPECT_FALSE(conflicts(off_end, "e"));
}

TEST_P(Commits, EmptyInvertedRangeAddsNoConflict) {
  EXPECT_FALSE(conflicts([](Transaction& tr) { (void)tr.get_range("z", "a").get(); }, "", "\xff"));
}

TEST_P(Commits, ExplicitConflictRanges) {
  EXPECT_TRUE(conflicts([](Transaction& tr) { EXPECT_TRUE(tr.add_read_conflict_range("b", "d").ok()); }, "c"));
  EXPECT_FALSE(conflicts([](Transaction& tr) { EXPECT_TRUE(tr.add_read_conflict_range("b", "d").ok()); }, "d"));
  EXPECT_TRUE(conflicts([](Transaction& tr) { EXPECT_TRUE(tr.add_read_conflict_key("k").ok()); }, "k"));
  Transaction tr = begin();
  EXPECT_EQ(number(tr.add_read_conflict_range("b", "a")), 2005);
  EXPECT_EQ(number(tr.add_write_conflict_range("b", "a")), 2005);
  EXPECT_EQ(number(tr.add_write_conflict_range("a", "\xff\x01")), 2004);
  EXPECT_EQ(number(tr.add_read_conflict_range("a", "\xff\x01")), 2004);
}

TEST_P(Commits, ConflictRangesWithoutReadsCountFromTheCommit) {
  put("k", "1");
  Transaction tr = begin();
  ASSERT_TRUE(tr.add_read_conflict_key("k").ok());
  put("k", "2");
  tr.set("other", "x");
  EXPECT_EQ(commit_number(tr), 0);
}

TEST_P(Commits, WriteConflictRangeAloneMakesATransactionThatWrites) {
  Transaction tr = begin();
  ASSERT_TRUE(tr.add_write_conflict_key("k").ok());
  EXPECT_EQ(commit_number(tr), 0);
  EXPECT_GT(tr.get_committed_version().value(), 0);
}

TEST_P(Commits, NextWriteNoConflictRange) {
  Transaction reader = begin();
  (void)reader.get("a").get();
  Transaction writer = begin();
  ASSERT_TRUE(writer.set_option(TransactionOption::next_write_no_write_conflict_range).ok());
  writer.set("a", "1");
  ASSERT_EQ(commit_number(writer), 0);
  reader.set("x", "1");
  EXPECT_EQ(commit_number(reader), 0);
  Transaction second = begin();
  (void)second.get("b").get();
  Transaction both = begin();
  ASSERT_TRUE(both.set_option(TransactionOption::next_write_no_write_conflict_range).ok());
  both.set("a", "2");
  both.set("b", "2");
  ASSERT_EQ(commit_number(both), 0);
  second.set("x", "2");
  EXPECT_EQ(commit_number(second), 1020) << "the option is for one write";
}

TEST_P(Commits, ClearRangeConflictsWithReadsInside) {
  Transaction reader = begin();
  (void)reader.get("c").get();
  Transaction writer = begin();
  writer.clear_range("b", "d");
  ASSERT_EQ(commit_number(writer), 0);
  reader.set("x", "1");
  EXPECT_EQ(commit_number(reader), 1020);
}

TEST_P(Commits, ConflictingKeysAreReported) {
  Transaction tr = begin();
  ASSERT_TRUE(tr.set_option(TransactionOption::report_conflicting_keys).ok());
  (void)tr.get("a").get();
  (void)tr.get("k").get();
  put("k", "new");
  tr.set("x", "1");
  ASSERT_EQ(commit_number(tr), 1020);
  EXPECT_EQ(tr.conflicting_ranges(), (std::vector<KeyRange>{{"k", raw("k\x00")}}));
  ASSERT_TRUE(tr.on_error(ErrorCode::not_committed).get().ok());
  const Bytes module("\xff\xff/transaction/conflicting_keys/");
  EXPECT_EQ(pairs(page_of(tr.get_range(module, module + "\xff").get()).rows),
            (Pairs{{module + "k", "1"}, {module + raw("k\x00"), "0"}}));
}

// --- versions

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

// --- watches

TEST_P(Commits, WatchFiresWhenTheValueChanges) {
  put("k", "1");
  Transaction tr = begin();
  Future<void> change = tr.watch("k");
  ASSERT_EQ(commit_number(tr), 0);
  EXPECT_FALSE(change.is_ready());
  put("other", "x");
  put("k", "2");
  EXPECT_TRUE(change.get().ok());
}

TEST_P(Commits, WatchIgnoresWritesOfTheSameValue) {
  put("k", "1");
  Transaction tr = begin();
  Future<void> change = tr.watch("k");
  ASSERT_EQ(commit_number(tr), 0);
  put("k", "1");
  EXPECT_FALSE(change.is_ready());
  Transaction clear = begin();
  clear.clear_range("a", "z");
  ASSERT_EQ(commit_number(clear), 0);
  EXPECT_TRUE(change.get().ok());
}

TEST_P(Commits, WatchSeesOwnWriteAsItsValue) {
  Transaction tr = begin();
  tr.set("k", "own");
  Future<void> change = tr.watch("k");
  ASSERT_EQ(commit_number(tr), 0);
  put("k", "own");
  EXPECT_FALSE(change.is_ready());
  put("k", "other");
  EXPECT_TRUE(change.get().ok());
}

TEST_P(Commits, WatchOutlivesItsTransaction) {
  Future<void> change;
  {
    Transaction tr = begin();
    change = tr.watch("k");
    ASSERT_EQ(commit_number(tr), 0);
  }
  EXPECT_FALSE(change.is_ready());
  put("k", "1");
  EXPECT_TRUE(change.get().ok());
}

TEST_P(Commits, WatchWithoutCommitIs1025) {
  Future<void> reset_change;
  Future<void> dropped_change;
  {
    Transaction tr = begin();
    reset_change = tr.watch("k");
    tr.reset();
    dropped_change = tr.watch("k");
  }
  EXPECT_EQ(number(reset_change.get()), 1025);
  EXPECT_EQ(number(dropped_change.get()), 1025);
}

TEST_P(Commits, WatchThatMissedAChangeFiresAtOnce) {
  put("k", "1");
  Transaction tr = begin();
  Future<void> change = tr.watch("k");
  put("k", "2");
  ASSERT_EQ(commit_number(tr), 0) << "read-only";
  EXPECT_TRUE(change.get().ok());
}

TEST_P(Commits, WatchAddsAReadConflict) {
  EXPECT_TRUE(conflicts([](Transaction& tr) { (void)tr.watch("k"); }, "k"));
}

TEST_P(Commits, WatchErrors) {
  Transaction tr = begin();
  EXPECT_EQ(number(tr.watch("\xff").get()), 2004);
  EXPECT_EQ(number(tr.watch(Bytes(10'001, 'k')).get()), 2102);
  Transaction off = begin();
  ASSERT_TRUE(off.set_option(TransactionOption::read_your_writes_disable).ok());
  EXPECT_EQ(number(off.watch("k").get()), 1034);
}

TEST_P(Commits, CancelledWatchIs1101) {
  Transaction tr = begin();
  Future<void> change = tr.watch("k");
  ASSERT_EQ(commit_number(tr), 0);
  change.cancel();
  EXPECT_EQ(number(change.get()), 1101);
}

TEST_P(Commits, TooManyWatchesIs1032) {
  const size_t limit = engine_.engine->limits().watches;
  std::vector<Future<void>> changes;
  Transaction tr = begin();
  for (size_t i = 0; i <= limit; ++i) changes.push_back(tr.watch("k" + std::to_string(i)));
  ASSERT_EQ(commit_number(tr), 0);
  size_t refused = 0;
  for (Future<void>& change : changes) {
    if (!change.is_ready()) {
      change.cancel();
      continue;
    }
    EXPECT_EQ(number(change.get()), 1032);
    ++refused;
  }
  EXPECT_EQ(refused, 1u);
  Transaction again = begin();
  Future<void> change = again.watch("k");
  ASSERT_EQ(commit_number(again), 0);
  EXPECT_FALSE(change.is_ready()) << "cancelled watches count no more";
}

// --- special keys

TEST_P(Commits, SpecialKeysShowConflictRanges) {
  Transaction tr = begin();
  (void)tr.get("a").get();
  (void)tr.get_range("c", "e").get();
  tr.set("w", "1");
  tr.clear_range("x", "z");
  const Bytes reads("\xff\xff/transaction/read_conflict_range/");
  const Bytes writes("\xff\xff/transaction/write_conflict_range/");
  EXPECT_EQ(pairs(page_of(tr.get_range(reads, reads + "\xff").get()).rows),
            (Pairs{{reads + "a", "1"}, {reads + raw("a\x00"), "0"}, {reads + "c", "1"}, {reads + "e", "0"}}));
  EXPECT_EQ(pairs(page_of(tr.get_range(writes, writes + "\xff").get()).rows),
            (Pairs{{writes + "w", "1"}, {writes + raw("w\x00"), "0"}, {writes + "x", "1"}, {writes + "z", "0"}}));
  EXPECT_EQ(tr.get(reads + "c").get().value(), "1");
  EXPECT_EQ(tr.get(reads + "d").get().value(), std::nullopt);
  RangeOptions options;
  options.reverse = true;
  options.limit = 1;
  const RangePage last = page_of(tr.get_range(reads, reads + "\xff", options).get());
  EXPECT_EQ(pairs(last.rows), (Pairs{{reads + "e", "0"}}));
  EXPECT_TRUE(last.more);
}

TEST_P(Commits, SpecialKeyErrors) {
  Transaction tr = begin();
  EXPECT_EQ(number(tr.get("\xff\xff/nowhere").get()), 2113);
  EXPECT_EQ(number(tr.get_range("\xff\xff/nowhere/a", "\xff\xff/nowhere/b").get()), 2113);
  const Bytes module("\xff\xff/transaction/read_conflict_range/");
  EXPECT_EQ(number(tr.get_range(module, "\xff\xff/transaction/z").get()), 2112);
  ASSERT_TRUE(tr.set_option(TransactionOption::special_key_space_relaxed).ok());
  EXPECT_EQ(number(tr.get_range(module, "\xff\xff/transaction/z").get()), 0);
}

}  // namespace
}  // namespace strata::kv
