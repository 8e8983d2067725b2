// Mutations and limits.
#include "conformance/transaction_fixture.h"

namespace strata::kv {
namespace {

class Writes : public TransactionTest {};
INSTANTIATE_TEST_SUITE_P(Engines, Writes, testing::ValuesIn(engine_kinds()), kind_name);

TEST_P(Writes, SetIsSeenAfterCommit) {
  put("key", "value");
  EXPECT_EQ(stored("key"), "value");
  EXPECT_EQ(stored("other"), std::nullopt);
}

TEST_P(Writes, NothingIsSeenBeforeCommit) {
  Transaction tr = begin();
  tr.set("key", "value");
  EXPECT_EQ(stored("key"), std::nullopt);
}

TEST_P(Writes, EmptyKeyAndEmptyValueAreLegal) {
  put("", "");
  EXPECT_EQ(stored(""), "");
}

TEST_P(Writes, KeysHoldAnyByte) {
  Bytes key;
  for (int byte = 0; byte < 255; ++byte) key.push_back(static_cast<char>(byte));
  put(key, "value");
  EXPECT_EQ(stored(key), "value");
}

TEST_P(Writes, ClearRemovesAndIgnoresAbsentKeys) {
  put("key", "value");
  Transaction tr = begin();
  tr.clear("key");
  tr.clear("absent");
  EXPECT_EQ(commit_number(tr), 0);
  EXPECT_EQ(stored("key"), std::nullopt);
}

TEST_P(Writes, ClearRangeIsHalfOpen) {
  put_all({"a", "b", "c", "d"});
  Transaction tr = begin();
  tr.clear_range("b", "d");
  EXPECT_EQ(commit_number(tr), 0);
  EXPECT_EQ(stored("a"), "va");
  EXPECT_EQ(stored("b"), std::nullopt);
  EXPECT_EQ(stored("c"), std::nullopt);
  EXPECT_EQ(stored("d"), "vd");
}

TEST_P(Writes, ClearOfEmptyRangeChangesNothing) {
  put("b", "value");
  Transaction tr = begin();
  tr.clear_range("b", "b");
  EXPECT_EQ(commit_number(tr), 0);
  EXPECT_EQ(stored("b"), "value");
}

TEST_P(Writes, InvertedClearRangeIsDeferredTo2005) {
  Transaction tr = begin();
  tr.clear_range("c", "b");
  EXPECT_EQ(number(tr.get("a").get()), 2005);
  EXPECT_EQ(commit_number(tr), 2005);
}

TEST_P(Writes, ClearPrefix) {
  put_all({"a", "ab", "abc", "ac"});
  Transaction tr = begin();
  tr.clear_prefix("ab");
  EXPECT_EQ(commit_number(tr), 0);
  Transaction check = begin();
  EXPECT_EQ(keys(page_of(check.get_range("", "\xff").get()).rows), (Keys{"a", "ac"}));
}

TEST_P(Writes, MutationsApplyInOrder) {
  Transaction tr = begin();
  tr.set("a", "1");
  tr.clear_range("a", "z");
  tr.set("b", "2");
  tr.set("b", "3");
  tr.clear("c");
  tr.set("c", "4");
  tr.set("d", "5");
  tr.clear("d");
  EXPECT_EQ(commit_number(tr), 0);
  Transaction check = begin();
  EXPECT_EQ(pairs(page_of(check.get_range("", "\xff").get()).rows), (Pairs{{"b", "3"}, {"c", "4"}}));
}

TEST_P(Writes, LargestKeyAndValueAreAccepted) {
  const Bytes key(10'000, 'k');
  const Bytes value(100'000, 'v');
  put(key, value);
  EXPECT_EQ(stored(key), value);
}

TEST_P(Writes, KeyAboveTheLimitIs2102) {
  Transaction tr = begin();
  tr.set(Bytes(10'001, 'k'), "");
  EXPECT_EQ(commit_number(tr), 2102);
}

TEST_P(Writes, ValueAboveTheLimitIs2103) {
  Transaction tr = begin();
  tr.set("k", Bytes(100'001, 'v'));
  EXPECT_EQ(commit_number(tr), 2103);
}

TEST_P(Writes, ReadsAndClearsOfImpossibleKeysFindNothing) {
  Transaction tr = begin();
  EXPECT_EQ(tr.get(Bytes(10'001, 'k')).get().value(), std::nullopt);
  tr.clear(Bytes(10'001, 'k'));
  EXPECT_EQ(commit_number(tr), 0);
}

TEST_P(Writes, FirstDeferredErrorWins) {
  Transaction tr = begin();
  tr.set("k", Bytes(100'001, 'v'));
  tr.set(Bytes(10'001, 'k'), "");
  EXPECT_EQ(number(tr.get("x").get()), 2103);
  EXPECT_EQ(commit_number(tr), 2103);
}

TEST_P(Writes, SystemKeysAre2004) {
  for (const Bytes& key : {Bytes("\xff"), Bytes("\xff\x01")}) {
    Transaction tr = begin();
    tr.set(key, "");
    EXPECT_EQ(commit_number(tr), 2004);
    Transaction reader = begin();
    EXPECT_EQ(number(reader.get(key).get()), 2004);
  }
  Transaction tr = begin();
  tr.clear_range("a", "\xff\x01");
  EXPECT_EQ(commit_number(tr), 2004);
  Transaction all = begin();
  all.clear_range("", "\xff");
  EXPECT_EQ(commit_number(all), 0);
}

TEST_P(Writes, AccessSystemKeysOpensThem) {
  Transaction tr = begin();
  ASSERT_TRUE(tr.set_option(TransactionOption::access_system_keys).ok());
  tr.set("\xff/x", "y");
  EXPECT_EQ(tr.get("\xff/x").get().value(), "y");
  EXPECT_EQ(commit_number(tr), 0);
  Transaction reader = begin();
  ASSERT_TRUE(reader.set_option(TransactionOption::read_system_keys).ok());
  EXPECT_EQ(reader.get("\xff/x").get().value(), "y");
  reader.set("\xff/x", "z");
  EXPECT_EQ(commit_number(reader), 2004);
}

TEST_P(Writes, TransactionAboveItsLimitIs2101) {
  Transaction tr = begin();
  const Bytes value(100'000, 'v');
  for (int i = 0; i < 101; ++i) tr.set("k" + std::to_string(i), value);
  EXPECT_GT(tr.get_approximate_size().get().value(), 10'000'000);
  EXPECT_EQ(commit_number(tr), 2101);
  EXPECT_EQ(stored("k0"), std::nullopt);
}

TEST_P(Writes, EngineLimitCanBeAskedFor) {
  Transaction tr = begin();
  tr.raise_size_limit_to_engine();
  const Bytes value(100'000, 'v');
  for (int i = 0; i < 150; ++i) tr.set("k" + std::to_string(i), value);
  EXPECT_EQ(commit_number(tr), 0);
  EXPECT_EQ(stored("k149"), value);
}

TEST_P(Writes, SizeLimitOption) {
  Transaction tr = begin();
  ASSERT_TRUE(tr.set_option(TransactionOption::size_limit, 1'000).ok());
  tr.set("k", Bytes(1'000, 'v'));
  EXPECT_EQ(commit_number(tr), 2101);
  Transaction small = begin();
  EXPECT_EQ(number(small.set_option(TransactionOption::size_limit, 31)), 2006);
  EXPECT_EQ(number(small.set_option(TransactionOption::size_limit, 10'000'001)), 2006);
  EXPECT_EQ(number(small.set_option(TransactionOption::size_limit, 32)), 0);
  EXPECT_EQ(number(small.set_option(TransactionOption::size_limit, 10'000'000)), 0);
}

TEST_P(Writes, ApproximateSizeCountsMutationsAndConflictRanges) {
  Transaction tr = begin();
  EXPECT_EQ(tr.get_approximate_size().get().value(), 0);
  tr.set("key", "value");
  const int64_t after_set = tr.get_approximate_size().get().value();
  EXPECT_GE(after_set, 8);
  ASSERT_TRUE(tr.add_read_conflict_range("a", "b").ok());
  const int64_t after_read = tr.get_approximate_size().get().value();
  EXPECT_GT(after_read, after_set);
  ASSERT_TRUE(tr.add_write_conflict_range("a", "b").ok());
  EXPECT_GT(tr.get_approximate_size().get().value(), after_read);
}

}  // namespace
}  // namespace strata::kv
