// Watches and special keys.
#include "conformance/transaction_fixture.h"

namespace strata::kv {
namespace {

class Watching : public TransactionTest {};
INSTANTIATE_TEST_SUITE_P(Engines, Watching, testing::ValuesIn(engine_kinds()), kind_name);

TEST_P(Watching, WatchFiresWhenTheValueChanges) {
  put("k", "1");
  Transaction tr = begin();
  Future<void> change = tr.watch("k");
  ASSERT_EQ(commit_number(tr), 0);
  EXPECT_FALSE(change.is_ready());
  put("other", "x");
  put("k", "2");
  EXPECT_TRUE(change.get().ok());
}

TEST_P(Watching, WatchIgnoresWritesOfTheSameValue) {
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

TEST_P(Watching, WatchSeesOwnWriteAsItsValue) {
  Transaction tr = begin();
  tr.set("k", "own");
  Future<void> change = tr.watch("k");
  ASSERT_EQ(commit_number(tr), 0);
  put("k", "own");
  EXPECT_FALSE(change.is_ready());
  put("k", "other");
  EXPECT_TRUE(change.get().ok());
}

TEST_P(Watching, WatchOutlivesItsTransaction) {
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

TEST_P(Watching, WatchWithoutCommitIs1025) {
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

TEST_P(Watching, WatchThatMissedAChangeFiresAtOnce) {
  put("k", "1");
  Transaction tr = begin();
  Future<void> change = tr.watch("k");
  put("k", "2");
  ASSERT_EQ(commit_number(tr), 0) << "read-only";
  EXPECT_TRUE(change.get().ok());
}

TEST_P(Watching, WatchAddsAReadConflict) {
  EXPECT_TRUE(conflicts([](Transaction& tr) { (void)tr.watch("k"); }, "k"));
}

TEST_P(Watching, WatchErrors) {
  Transaction tr = begin();
  EXPECT_EQ(number(tr.watch("\xff").get()), 2004);
  EXPECT_EQ(number(tr.watch(Bytes(10'001, 'k')).get()), 2102);
  Transaction off = begin();
  ASSERT_TRUE(off.set_option(TransactionOption::read_your_writes_disable).ok());
  EXPECT_EQ(number(off.watch("k").get()), 1034);
}

TEST_P(Watching, CancelledWatchIs1101) {
  Transaction tr = begin();
  Future<void> change = tr.watch("k");
  ASSERT_EQ(commit_number(tr), 0);
  change.cancel();
  EXPECT_EQ(number(change.get()), 1101);
}

TEST_P(Watching, TooManyWatchesIs1032) {
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

TEST_P(Watching, SpecialKeysShowConflictRanges) {
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

TEST_P(Watching, SpecialKeyErrors) {
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
