// Read your writes.
#include "conformance/transaction_fixture.h"

namespace strata::kv {
namespace {

class OwnWrites : public TransactionTest {};
INSTANTIATE_TEST_SUITE_P(Engines, OwnWrites, testing::ValuesIn(engine_kinds()), kind_name);

TEST_P(OwnWrites, OwnWritesAreSeen) {
  put("b", "stored");
  Transaction tr = begin();
  tr.set("a", "1");
  tr.clear("b");
  EXPECT_EQ(tr.get("a").get().value(), "1");
  EXPECT_EQ(tr.get("b").get().value(), std::nullopt);
  EXPECT_EQ(tr.snapshot().get("a").get().value(), "1");
}

TEST_P(OwnWrites, OwnWritesAreMergedIntoRanges) {
  put_all({"b", "d", "f", "h"});
  Transaction tr = begin();
  tr.set("a", "1");
  tr.set("d", "2");
  tr.clear("f");
  tr.set("i", "3");
  const Pairs expected{{"a", "1"}, {"b", "vb"}, {"d", "2"}, {"h", "vh"}, {"i", "3"}};
  EXPECT_EQ(pairs(page_of(tr.get_range("", "\xff").get()).rows), expected);
  RangeOptions reverse;
  reverse.reverse = true;
  EXPECT_EQ(pairs(page_of(tr.get_range("", "\xff", reverse).get()).rows), Pairs(expected.rbegin(), expected.rend()));
}

TEST_P(OwnWrites, OwnClearRangesHideStoredRowsInBothDirections) {
  put_all({"a", "b", "c", "d", "e", "f", "g"});
  Transaction tr = begin();
  tr.clear_range("b", "d");
  tr.clear_range("e", "g");
  tr.set("c", "new");
  const Keys expected{"a", "c", "d", "g"};
  EXPECT_EQ(keys(page_of(tr.get_range("", "\xff").get()).rows), expected);
  RangeOptions options;
  options.reverse = true;
  EXPECT_EQ(keys(page_of(tr.get_range("", "\xff", options).get()).rows), Keys(expected.rbegin(), expected.rend()));
  options.limit = 2;
  EXPECT_EQ(keys(page_of(tr.get_range("", "\xff", options).get()).rows), (Keys{"g", "d"}));
  EXPECT_EQ(keys(page_of(tr.get_range("b", "e").get()).rows), (Keys{"c", "d"}));
}

TEST_P(OwnWrites, LimitsCountMergedRows) {
  put_all({"b", "d"});
  Transaction tr = begin();
  tr.clear("b");
  tr.set("c", "1");
  RangeOptions options;
  options.limit = 1;
  RangePage page = page_of(tr.get_range("a", "z", options).get());
  EXPECT_EQ(keys(page.rows), Keys{"c"});
  EXPECT_TRUE(page.more);
  options.limit = 2;
  page = page_of(tr.get_range("a", "z", options).get());
  EXPECT_EQ(keys(page.rows), (Keys{"c", "d"}));
}

TEST_P(OwnWrites, SelectorsSeeOwnWrites) {
  put_all({"b", "d"});
  Transaction tr = begin();
  tr.set("c", "1");
  tr.clear("b");
  EXPECT_EQ(key_of(tr.get_key(KeySelector::first_greater_or_equal("b")).get()), "c");
  EXPECT_EQ(key_of(tr.get_key(KeySelector::last_less_than("d")).get()), "c");
  EXPECT_EQ(key_of(tr.get_key(KeySelector::last_less_than("c")).get()), "");
}

TEST_P(OwnWrites, ReadYourWritesDisableReadsWhatIsStored) {
  put("a", "stored");
  Transaction tr = begin();
  ASSERT_TRUE(tr.set_option(TransactionOption::read_your_writes_disable).ok());
  tr.set("a", "own");
  tr.set("b", "own");
  EXPECT_EQ(tr.get("a").get().value(), "stored");
  EXPECT_EQ(pairs(page_of(tr.get_range("", "\xff").get()).rows), (Pairs{{"a", "stored"}}));
  EXPECT_EQ(commit_number(tr), 0);
  EXPECT_EQ(stored("a"), "own");
}

TEST_P(OwnWrites, ReadYourWritesDisableAfterAnOperationIsDeferred2000) {
  Transaction tr = begin();
  tr.set("a", "1");
  EXPECT_TRUE(tr.set_option(TransactionOption::read_your_writes_disable).ok());
  EXPECT_EQ(number(tr.get("a").get()), 2000);
  EXPECT_EQ(commit_number(tr), 2000);
  Transaction reader = begin();
  (void)reader.get("a").get();
  EXPECT_TRUE(reader.set_option(TransactionOption::read_your_writes_disable).ok());
  EXPECT_EQ(commit_number(reader), 2000);
}

TEST_P(OwnWrites, SnapshotRywDisableCounts) {
  put("a", "stored");
  Transaction tr = begin();
  tr.set("a", "own");
  EXPECT_EQ(tr.snapshot().get("a").get().value(), "own");
  ASSERT_TRUE(tr.set_option(TransactionOption::snapshot_ryw_disable).ok());
  EXPECT_EQ(tr.snapshot().get("a").get().value(), "stored");
  EXPECT_EQ(tr.get("a").get().value(), "own");
  ASSERT_TRUE(tr.set_option(TransactionOption::snapshot_ryw_disable).ok());
  ASSERT_TRUE(tr.set_option(TransactionOption::snapshot_ryw_enable).ok());
  EXPECT_EQ(tr.snapshot().get("a").get().value(), "stored");
  ASSERT_TRUE(tr.set_option(TransactionOption::snapshot_ryw_enable).ok());
  EXPECT_EQ(tr.snapshot().get("a").get().value(), "own");
}

}  // namespace
}  // namespace strata::kv
