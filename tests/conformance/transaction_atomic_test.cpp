// Atomic mutations and versionstamps.
#include "conformance/transaction_fixture.h"

namespace strata::kv {
namespace {

class Atomics : public TransactionTest {};
INSTANTIATE_TEST_SUITE_P(Engines, Atomics, testing::ValuesIn(engine_kinds()), kind_name);

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

TEST_P(Atomics, AtomicsAtCommit) {
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

TEST_P(Atomics, AtomicsOverStoredValuesAreReadThrough) {
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

TEST_P(Atomics, AtomicsOverOwnValuesAreFolded) {
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

TEST_P(Atomics, AtomicsInAClearedRangeStartFromNothing) {
  put("k", le(100));
  Transaction tr = begin();
  tr.clear_range("a", "z");
  tr.mutate(MutationType::add, "k", le(1));
  tr.mutate(MutationType::add, "k", le(1));
  EXPECT_EQ(tr.get("k").get().value(), le(2));
  EXPECT_EQ(commit_number(tr), 0);
  EXPECT_EQ(stored("k"), le(2));
}

TEST_P(Atomics, AtomicsStack) {
  put("k", le(1));
  Transaction tr = begin();
  tr.mutate(MutationType::add, "k", le(2));
  tr.mutate(MutationType::bit_or, "k", le(8));
  tr.mutate(MutationType::add, "k", le(1));
  EXPECT_EQ(tr.get("k").get().value(), le(12));
  EXPECT_EQ(commit_number(tr), 0);
  EXPECT_EQ(stored("k"), le(12));
}

TEST_P(Atomics, UnknownMutationTypesAre2018) {
  for (const int type : {0, 1, 3, 5, 10, 11, 18, 19, 21, 128, 255, 256, -1}) {
    Transaction tr = begin();
    tr.mutate(type, "k", "v");
    EXPECT_EQ(commit_number(tr), 2018) << type;
  }
}

TEST_P(Atomics, AtomicLimits) {
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

TEST_P(Atomics, VersionstampedKeyIsFilledIn) {
  Transaction tr = begin();
  tr.mutate(MutationType::set_versionstamped_key, with_offset("p" + Bytes(10, 'x') + "s", 1), "value");
  auto stamp = tr.get_versionstamp();
  ASSERT_EQ(commit_number(tr), 0);
  const Bytes bytes = stamp.get().value();
  ASSERT_EQ(bytes.size(), 10u);
  EXPECT_EQ(static_cast<Version>(read_be64(bytes)), tr.get_committed_version().value());
  EXPECT_EQ(stored("p" + bytes + "s"), "value");
}

TEST_P(Atomics, VersionstampedValueIsFilledIn) {
  Transaction tr = begin();
  tr.mutate(MutationType::set_versionstamped_value, "k", with_offset("<" + Bytes(10, '\0') + ">", 1));
  auto stamp = tr.get_versionstamp();
  ASSERT_EQ(commit_number(tr), 0);
  EXPECT_EQ(stored("k"), "<" + stamp.get().value() + ">");
}

TEST_P(Atomics, VersionstampsGrowInCommitOrder) {
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

TEST_P(Atomics, BadVersionstampOffsetsAre2000) {
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

TEST_P(Atomics, VersionstampLimitsDoNotCountTheOffset) {
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

TEST_P(Atomics, ReadingAVersionstampedKeyIs1036) {
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

TEST_P(Atomics, BypassUnreadableReadsWhatIsStored) {
  put("k", "stored");
  Transaction tr = begin();
  ASSERT_TRUE(tr.set_option(TransactionOption::bypass_unreadable).ok());
  tr.mutate(MutationType::set_versionstamped_value, "k", with_offset(Bytes(10, '\0'), 0));
  EXPECT_EQ(tr.get("k").get().value(), "stored");
  EXPECT_EQ(pairs(page_of(tr.get_range("a", "z").get()).rows), (Pairs{{"k", "stored"}}));
}

TEST_P(Atomics, VersionstampOfReadOnlyTransactionIs2021) {
  Transaction tr = begin();
  (void)tr.get("k").get();
  auto stamp = tr.get_versionstamp();
  EXPECT_EQ(commit_number(tr), 0);
  EXPECT_EQ(number(stamp.get()), 2021);
}

TEST_P(Atomics, SpecialTypesAreNotForTheEngineAlone) {
  Transaction tr = begin();
  tr.mutate(MutationType::clear, "k", "");
  EXPECT_EQ(commit_number(tr), 2018);
}

}  // namespace
}  // namespace strata::kv
