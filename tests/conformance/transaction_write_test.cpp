// Mutations, limits, read-your-writes.
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

// --- read your writes

TEST_P(Writes, OwnWritesAreSeen) {
  put("b", "stored");
  Transaction tr = begin();
  tr.set("a", "1");
  tr.clear("b");
  EXPECT_EQ(tr.get("a").get().value(), "1");
  EXPECT_EQ(tr.get("b").get().value(), std::nullopt);
  EXPECT_EQ(tr.snapshot().get("a").get().value(), "1");
}

TEST_P(Writes, OwnWritesAreMergedIntoRanges) {
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

TEST_P(Writes, OwnClearRangesHideStoredRowsInBothDirections) {
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

TEST_P(Writes, LimitsCountMergedRows) {
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

TEST_P(Writes, SelectorsSeeOwnWrites) {
  put_all({"b", "d"});
  Transaction tr = begin();
  tr.set("c", "1");
  tr.clear("b");
  EXPECT_EQ(key_of(tr.get_key(KeySelector::first_greater_or_equal("b")).get()), "c");
  EXPECT_EQ(key_of(tr.get_key(KeySelector::last_less_than("d")).get()), "c");
  EXPECT_EQ(key_of(tr.get_key(KeySelector::last_less_than("c")).get()), "");
}

TEST_P(Writes, ReadYourWritesDisableReadsWhatIsStored) {
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

TEST_P(Writes, ReadYourWritesDisableAfterAnOperationIsDeferred2000) {
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

TEST_P(Writes, SnapshotRywDisableCounts) {
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

// --- atomics

struct AtomicCase {
  MutationType type;
  std::optional<Bytes> before;
  Bytes operand;
  std::optional<Bytes> after;
};

const std::vector<AtomicCase>& atomic_cases() {
  using enum MutationType;
  static const std::vector<AtomicCase> cases = {
      {add, std::nullopt, le(5), le(5)},
      {add, le(7), le(5), le(12)},
      {add, "\xff", raw("\x01\x00"), raw("\x00\x01")},  // padded to the operand
      {add, "\xff", "\x01", raw("\x00")},               // the carry is dropped
      {add, raw("\x01\x02\x03"), "\x01", "\x02"},       // cut to the operand
      {add, "abc", "", ""},
      {add, "", "ab", "ab"},
      {bit_and, std::nullopt, "\x0f", "\x0f"},
      {bit_and, "\x3c", "\x0f", "\x0c"},
      {bit_and, "", "\x0f\x0f", raw("\x00\x00")},
      {bit_and, "\xff\xff\xff", "\x0f", "\x0f"},
      {bit_or, std::nullopt, "\x0f", "\x0f"},
      {bit_or, "\x30", "\x03\x01", "\x33\x01"},
      {bit_xor, std::nullopt, "\x0f", "\x0f"},
      {bit_xor, "\x33", "\x0f\x01", "\x3c\x01"},
      {append_if_fits, std::nullopt, "ab", "ab"},
      {append_if_fits, "ab", "cd", "abcd"},
      {append_if_fits, Bytes(99'999, 'x'), "y", Bytes(99'999, 'x') + "y"},
      {append_if_fits, Bytes(99'999, 'x'), "yz", Bytes(99'999, 'x')},
      {max, std::nullopt, raw("\x00\x01"), raw("\x00\x01")},
      {max, raw("\xff\x00"), raw("\x00\x01"), raw("\x00\x01")},  // little-endian: 255 < 256
      {max, raw("\x00\x02"), raw("\x00\x01"), raw("\x00\x02")},
      {max, "\xff", raw("\x01\x00"), raw("\xff\x00")},
      {max, raw("\x01\x00\x09"), raw("\x02\x00"), raw("\x02\x00")},  // cut before it is compared
      {min, std::nullopt, "\x05", "\x05"},
      {min, raw("\xff\x00"), raw("\x00\x01"), raw("\xff\x00")},
      {min, "\x01\x01\x01", "\x02", "\x01"},
      {min, "\x09", "\x02", "\x02"},
      {byte_min, std::nullopt, "b", "b"},
      {byte_min, "abc", "b", "abc"},
      {byte_min, "c", "bbb", "bbb"},
      {byte_max, std::nullopt, "b", "b"},
      {byte_max, "abc", "b", "b"},
      {byte_max, "c", "bbb", "c"},
      {compare_and_clear, std::nullopt, "x", std::nullopt},
      {compare_and_clear, "x", "x", std::nullopt},
      {compare_and_clear, "x", "y", "x"},
      {compare_and_clear, "", "", std::nullopt},
  };
  return cases;
}

TEST_P(Writes, AtomicsAtCommit) {
  for (const AtomicCase& c : atomic_cases()) {
    Transaction tr = begin();
    tr.clear("k");
    if (c.before) tr.set("k", *c.before);
    ASSERT_EQ(commit_number(tr), 0);
    Transaction mutator = begin();
    mutator.mutate(c.type, "k", c.operand);
    ASSERT_EQ(commit_number(mutator), 0);
    EXPECT_EQ(stored("k"), c.after) << "type " << static_cast<int>(c.type) << " operand " << printable(c.operand);
  }
}

TEST_P(Writes, AtomicsOverStoredValuesAreReadThrough) {
  for (const AtomicCase& c : atomic_cases()) {
    Transaction tr = begin();
    tr.clear("k");
    if (c.before) tr.set("k", *c.before);
    ASSERT_EQ(commit_number(tr), 0);
    Transaction mutator = begin();
    mutator.mutate(c.type, "k", c.operand);
    EXPECT_EQ(mutator.get("k").get().value(), c.after);
    const Pairs expected = c.after ? Pairs{{"k", *c.after}} : Pairs{};
    EXPECT_EQ(pairs(page_of(mutator.get_range("a", "z").get()).rows), expected);
  }
}

TEST_P(Writes, AtomicsOverOwnValuesAreFolded) {
  for (const AtomicCase& c : atomic_cases()) {
    Transaction tr = begin();
    tr.clear("k");
    if (c.before) tr.set("k", *c.before);
    tr.mutate(c.type, "k", c.operand);
    EXPECT_EQ(tr.get("k").get().value(), c.after);
    ASSERT_EQ(commit_number(tr), 0);
    EXPECT_EQ(stored("k"), c.after);
  }
}

TEST_P(Writes, AtomicsInAClearedRangeStartFromNothing) {
  put("k", le(100));
  Transaction tr = begin();
  tr.clear_range("a", "z");
  tr.mutate(MutationType::add, "k", le(1));
  tr.mutate(MutationType::add, "k", le(1));
  EXPECT_EQ(tr.get("k").get().value(), le(2));
  EXPECT_EQ(commit_number(tr), 0);
  EXPECT_EQ(stored("k"), le(2));
}

TEST_P(Writes, AtomicsStack) {
  put("k", le(1));
  Transaction tr = begin();
  tr.mutate(MutationType::add, "k", le(2));
  tr.mutate(MutationType::bit_or, "k", le(8));
  tr.mutate(MutationType::add, "k", le(1));
  EXPECT_EQ(tr.get("k").get().value(), le(12));
  EXPECT_EQ(commit_number(tr), 0);
  EXPECT_EQ(stored("k"), le(12));
}

TEST_P(Writes, UnknownMutationTypesAre2018) {
  for (const int type : {0, 1, 3, 5, 10, 11, 18, 19, 21, 128, 255, 256, -1}) {
    Transaction tr = begin();
    tr.mutate(type, "k", "v");
    EXPECT_EQ(commit_number(tr), 2018) << type;
  }
}

TEST_P(Writes, AtomicLimits) {
  Transaction tr = begin();
  tr.mutate(MutationType::add, Bytes(10'001, 'k'), "1");
  EXPECT_EQ(commit_number(tr), 2102);
  Transaction large = begin();
  large.mutate(MutationType::add, "k", Bytes(100'001, '1'));
  EXPECT_EQ(commit_number(large), 2103);
  Transaction system = begin();
  system.mutate(MutationType::add, "\xff", "1");
  EXPECT_EQ(commit_number(system), 2004);
}

// --- versionstamps

Bytes with_offset(Bytes text, uint32_t offset) {
  append_le32(text, offset);
  return text;
}

TEST_P(Writes, VersionstampedKeyIsFilledIn) {
  Transaction tr = begin();
  tr.mutate(MutationType::set_versionstamped_key, with_offset("p" + Bytes(10, 'x') + "s", 1), "value");
  auto stamp = tr.get_versionstamp();
  ASSERT_EQ(commit_number(tr), 0);
  const Bytes bytes = stamp.get().value();
  ASSERT_EQ(bytes.size(), 10u);
  EXPECT_EQ(static_cast<Version>(read_be64(bytes)), tr.get_committed_version().value());
  EXPECT_EQ(stored("p" + bytes + "s"), "value");
}

TEST_P(Writes, VersionstampedValueIsFilledIn) {
  Transaction tr = begin();
  tr.mutate(MutationType::set_versionstamped_value, "k", with_offset("<" + Bytes(10, '\0') + ">", 1));
  auto stamp = tr.get_versionstamp();
  ASSERT_EQ(commit_number(tr), 0);
  EXPECT_EQ(stored("k"), "<" + stamp.get().value() + ">");
}

TEST_P(Writes, VersionstampsGrowInCommitOrder) {
  Bytes last;
  for (int i = 0; i < 20; ++i) {
    Transaction tr = begin();
    tr.set("k", std::to_string(i));
    auto stamp = tr.get_versionstamp();
    ASSERT_EQ(commit_number(tr), 0);
    const Bytes now = stamp.get().value();
    EXPECT_LT(last, now);
    last = now;
  }
}

TEST_P(Writes, BadVersionstampOffsetsAre2000) {
  const std::vector<Bytes> bad = {"",
                                  "abc",
                                  with_offset("", 0),
                                  with_offset(Bytes(10, 'x'), 1),
                                  with_offset(Bytes(9, 'x'), 0),
                                  with_offset(Bytes(20, 'x'), 0xffffffffu)};
  for (const Bytes& operand : bad) {
    Transaction key = begin();
    key.mutate(MutationType::set_versionstamped_key, operand, "v");
    EXPECT_EQ(commit_number(key), 2000) << printable(operand);
    Transaction value = begin();
    value.mutate(MutationType::set_versionstamped_value, "k", operand);
    EXPECT_EQ(commit_number(value), 2000) << printable(operand);
  }
}

TEST_P(Writes, VersionstampLimitsDoNotCountTheOffset) {
  Transaction tr = begin();
  tr.mutate(MutationType::set_versionstamped_key, with_offset(Bytes(10'000, 'k'), 0), "v");
  EXPECT_EQ(commit_number(tr), 0);
  Transaction key = begin();
  key.mutate(MutationType::set_versionstamped_key, with_offset(Bytes(10'001, 'k'), 0), "v");
  EXPECT_EQ(commit_number(key), 2102);
  Transaction value = begin();
  value.mutate(MutationType::set_versionstamped_value, "k", with_offset(Bytes(100'000, 'v'), 0));
  EXPECT_EQ(commit_number(value), 0);
  Transaction large = begin();
  large.mutate(MutationType::set_versionstamped_value, "k", with_offset(Bytes(100'001, 'v'), 0));
  EXPECT_EQ(commit_number(large), 2103);
}

TEST_P(Writes, ReadingAVersionstampedKeyIs1036) {
  Transaction tr = begin();
  tr.mutate(MutationType::set_versionstamped_value, "k", with_offset(Bytes(10, '\0'), 0));
  tr.mutate(MutationType::set_versionstamped_key, with_offset("p" + Bytes(10, '\0'), 1), "v");
  EXPECT_EQ(number(tr.get("k").get()), 1036);
  EXPECT_EQ(number(tr.get("p" + Bytes(10, 'm')).get()), 1036);
  EXPECT_EQ(number(tr.get_range("a", "z").get()), 1036);
  EXPECT_EQ(number(tr.get_range("p", "q").get()), 1036);
  EXPECT_EQ(number(tr.get_key(KeySelector::first_greater_or_equal("j")).get()), 1036);
  EXPECT_EQ(number(tr.get("other").get()), 0);
  EXPECT_EQ(number(tr.get_range("l", "m").get()), 0);
  EXPECT_EQ(commit_number(tr), 0);
}

TEST_P(Writes, BypassUnreadableReadsWhatIsStored) {
  put("k", "stored");
  Transaction tr = begin();
  ASSERT_TRUE(tr.set_option(TransactionOption::bypass_unreadable).ok());
  tr.mutate(MutationType::set_versionstamped_value, "k", with_offset(Bytes(10, '\0'), 0));
  EXPECT_EQ(tr.get("k").get().value(), "stored");
  EXPECT_EQ(pairs(page_of(tr.get_range("a", "z").get()).rows), (Pairs{{"k", "stored"}}));
}

TEST_P(Writes, VersionstampOfReadOnlyTransactionIs2021) {
  Transaction tr = begin();
  (void)tr.get("k").get();
  auto stamp = tr.get_versionstamp();
  EXPECT_EQ(commit_number(tr), 0);
  EXPECT_EQ(number(stamp.get()), 2021);
}

TEST_P(Writes, SpecialTypesAreNotForTheEngineAlone) {
  Transaction tr = begin();
  tr.mutate(MutationType::clear, "k", "");
  EXPECT_EQ(commit_number(tr), 2018);
}

}  // namespace
}  // namespace strata::kv
