// What a commit is refused for.
#include "conformance/transaction_fixture.h"

namespace strata::kv {
namespace {

class Conflicts : public TransactionTest {};
INSTANTIATE_TEST_SUITE_P(Engines, Conflicts, testing::ValuesIn(engine_kinds()), kind_name);

TEST_P(Conflicts, ReadOfAKeyConflictsWithItsWriteAlone) {
  const auto read = [](Transaction& tr) { (void)tr.get("k").get(); };
  EXPECT_TRUE(conflicts(read, "k"));
  EXPECT_FALSE(conflicts(read, raw("k\x00")));
  EXPECT_FALSE(conflicts(read, "j"));
}

TEST_P(Conflicts, BlindWritesDoNotConflict) {
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

TEST_P(Conflicts, LostUpdateIsRefused) {
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

TEST_P(Conflicts, WriteSkewIsRefused) {
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

TEST_P(Conflicts, ReadOnlyTransactionsNeverConflict) {
  Transaction reader = begin();
  (void)reader.get("k").get();
  put("k", "new");
  EXPECT_EQ(commit_number(reader), 0);
  EXPECT_EQ(reader.get_committed_version().value(), -1);
}

TEST_P(Conflicts, SnapshotReadsDoNotConflict) {
  EXPECT_FALSE(conflicts([](Transaction& tr) { (void)tr.snapshot().get("k").get(); }, "k"));
  EXPECT_FALSE(conflicts([](Transaction& tr) { (void)tr.snapshot().get_range("a", "z").get(); }, "k"));
  EXPECT_FALSE(conflicts(
      [](Transaction& tr) { (void)tr.snapshot().get_key(KeySelector::first_greater_or_equal("a")).get(); }, "k"));
}

TEST_P(Conflicts, OwnSetsAndClearsNeedNoConflict) {
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

TEST_P(Conflicts, OwnAtomicsOverUnknownValuesDoConflictWhenRead) {
  EXPECT_TRUE(conflicts(
      [](Transaction& tr) {
        tr.mutate(MutationType::add, "k", le(1));
        (void)tr.get("k").get();
      },
      "k"));
  EXPECT_FALSE(conflicts([](Transaction& tr) { tr.mutate(MutationType::add, "k", le(1)); }, "k"));
}

TEST_P(Conflicts, ReadYourWritesDisableReadsConflict) {
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

TEST_P(Conflicts, ForwardRangeConflictsUpToItsEnd) {
  put_all({"b", "d"});
  const auto read = [](Transaction& tr) { (void)tr.get_range("b", "f").get(); };
  EXPECT_TRUE(conflicts(read, "b"));
  EXPECT_TRUE(conflicts(read, "e"));
  EXPECT_FALSE(conflicts(read, "f"));
  EXPECT_FALSE(conflicts(read, "a"));
}

TEST_P(Conflicts, CutForwardRangeConflictsUpToItsLastRow) {
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

TEST_P(Conflicts, CutReverseRangeConflictsDownToItsLastRow) {
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

TEST_P(Conflicts, GetKeyConflictRanges) {
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

TEST_P(Conflicts, RangesBySelectorsConflictWhereTheSelectorsLooked) {
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

TEST_P(Conflicts, EmptyInvertedRangeAddsNoConflict) {
  EXPECT_FALSE(conflicts([](Transaction& tr) { (void)tr.get_range("z", "a").get(); }, "", "\xff"));
}

TEST_P(Conflicts, ExplicitConflictRanges) {
  EXPECT_TRUE(conflicts([](Transaction& tr) { EXPECT_TRUE(tr.add_read_conflict_range("b", "d").ok()); }, "c"));
  EXPECT_FALSE(conflicts([](Transaction& tr) { EXPECT_TRUE(tr.add_read_conflict_range("b", "d").ok()); }, "d"));
  EXPECT_TRUE(conflicts([](Transaction& tr) { EXPECT_TRUE(tr.add_read_conflict_key("k").ok()); }, "k"));
  Transaction tr = begin();
  EXPECT_EQ(number(tr.add_read_conflict_range("b", "a")), 2005);
  EXPECT_EQ(number(tr.add_write_conflict_range("b", "a")), 2005);
  EXPECT_EQ(number(tr.add_write_conflict_range("a", "\xff\x01")), 2004);
  EXPECT_EQ(number(tr.add_read_conflict_range("a", "\xff\x01")), 2004);
}

TEST_P(Conflicts, ConflictRangesWithoutReadsCountFromTheCommit) {
  put("k", "1");
  Transaction tr = begin();
  ASSERT_TRUE(tr.add_read_conflict_key("k").ok());
  put("k", "2");
  tr.set("other", "x");
  EXPECT_EQ(commit_number(tr), 0);
}

TEST_P(Conflicts, WriteConflictRangeAloneMakesATransactionThatWrites) {
  Transaction tr = begin();
  ASSERT_TRUE(tr.add_write_conflict_key("k").ok());
  EXPECT_EQ(commit_number(tr), 0);
  EXPECT_GT(tr.get_committed_version().value(), 0);
}

TEST_P(Conflicts, NextWriteNoConflictRange) {
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

TEST_P(Conflicts, ClearRangeConflictsWithReadsInside) {
  Transaction reader = begin();
  (void)reader.get("c").get();
  Transaction writer = begin();
  writer.clear_range("b", "d");
  ASSERT_EQ(commit_number(writer), 0);
  reader.set("x", "1");
  EXPECT_EQ(commit_number(reader), 1020);
}

TEST_P(Conflicts, ConflictingKeysAreReported) {
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

}  // namespace
}  // namespace strata::kv
