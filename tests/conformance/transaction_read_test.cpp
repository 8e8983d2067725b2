// Selectors, ranges, streaming modes, mapped ranges.
#include <algorithm>

#include "conformance/transaction_fixture.h"
#include "tuple/tuple.h"

namespace strata::kv {
namespace {

using tuple::Text;
using tuple::Tuple;

class Reads : public TransactionTest {
 protected:
  Bytes select(const KeySelector& selector) {
    Transaction tr = begin();
    return key_of(tr.get_key(selector).get());
  }
  RangePage range(BytesView from, BytesView to, RangeOptions options = {}) {
    Transaction tr = begin();
    return page_of(tr.get_range(from, to, options).get());
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, Reads, testing::ValuesIn(engine_kinds()), kind_name);

TEST_P(Reads, SelectorsOnPresentAndAbsentKeys) {
  put_all({"b", "d", "f"});
  EXPECT_EQ(select(KeySelector::first_greater_or_equal("d")), "d");
  EXPECT_EQ(select(KeySelector::first_greater_or_equal("c")), "d");
  EXPECT_EQ(select(KeySelector::first_greater_than("d")), "f");
  EXPECT_EQ(select(KeySelector::first_greater_than("c")), "d");
  EXPECT_EQ(select(KeySelector::last_less_or_equal("d")), "d");
  EXPECT_EQ(select(KeySelector::last_less_or_equal("c")), "b");
  EXPECT_EQ(select(KeySelector::last_less_than("d")), "b");
  EXPECT_EQ(select(KeySelector::last_less_than("e")), "d");
}

TEST_P(Reads, SelectorOffsets) {
  put_all({"a", "b", "c", "d", "e"});
  EXPECT_EQ(select(KeySelector::first_greater_or_equal("b").add(2)), "d");
  EXPECT_EQ(select(KeySelector::first_greater_than("b").add(2)), "e");
  EXPECT_EQ(select(KeySelector::last_less_than("d").add(-1)), "b");
  EXPECT_EQ(select(KeySelector::last_less_or_equal("d").add(-3)), "a");
  EXPECT_EQ(select(KeySelector::first_greater_or_equal("c").add(-1)), "b");
  EXPECT_EQ(select(KeySelector::last_less_or_equal("c").add(1)), "d");
}

TEST_P(Reads, SelectorsPastTheEnds) {
  put_all({"b", "d"});
  EXPECT_EQ(select(KeySelector::first_greater_than("d")), "\xff");
  EXPECT_EQ(select(KeySelector::first_greater_or_equal("b").add(2)), "\xff");
  EXPECT_EQ(select(KeySelector::last_less_than("b")), "");
  EXPECT_EQ(select(KeySelector::last_less_or_equal("d").add(-2)), "");
  EXPECT_EQ(select(KeySelector::first_greater_or_equal("a").add(1'000'000)), "\xff");
  EXPECT_EQ(select(KeySelector::last_less_than("z").add(-1'000'000)), "");
}

TEST_P(Reads, SelectorsOnAnEmptyDatabase) {
  EXPECT_EQ(select(KeySelector::first_greater_or_equal("")), "\xff");
  EXPECT_EQ(select(KeySelector::last_less_or_equal("\xff")), "");
}

TEST_P(Reads, SelectorBaseAtAndAboveTheEnd) {
  put_all({"b"});
  EXPECT_EQ(select(KeySelector::last_less_than("\xff")), "b");
  EXPECT_EQ(select(KeySelector::last_less_or_equal("\xff")), "b");
  EXPECT_EQ(select(KeySelector::first_greater_or_equal("\xff")), "\xff");
  EXPECT_EQ(select(KeySelector::first_greater_than("\xff")), "\xff");
  Transaction tr = begin();
  EXPECT_EQ(number(tr.get_key(KeySelector::last_less_than("\xff\x01")).get()), 2004);
  EXPECT_EQ(number(tr.get_range("a", "\xff\x01").get()), 2004);
  EXPECT_EQ(number(tr.get_range("\xff\x01", "\xff\x02").get()), 2004);
  EXPECT_EQ(number(tr.get("\xff").get()), 2004);
}

TEST_P(Reads, SelectorsWalkManyPages) {
  Transaction tr = begin();
  for (int i = 0; i < 3'000; ++i) {
    Bytes key = "k";
    append_be32(key, static_cast<uint32_t>(i));
    tr.set(key, Bytes(100, 'v'));
  }
  ASSERT_EQ(commit_number(tr), 0);
  Bytes expected = "k";
  append_be32(expected, 2'500);
  EXPECT_EQ(select(KeySelector::first_greater_or_equal("k").add(2'500)), expected);
  EXPECT_EQ(select(KeySelector::last_less_than("l").add(-499)), expected);
}

TEST_P(Reads, RangeIsHalfOpenAndOrderedByUnsignedBytes) {
  put_all({"a", "b", "c", "\x7f", "\x80", "\xfe"});
  EXPECT_EQ(keys(range("a", "c").rows), (Keys{"a", "b"}));
  EXPECT_EQ(keys(range("", "\xff").rows), (Keys{"a", "b", "c", "\x7f", "\x80", "\xfe"}));
  EXPECT_FALSE(range("", "\xff").more);
}

TEST_P(Reads, EmptyAndInvertedRangesAreEmpty) {
  put_all({"a", "b"});
  EXPECT_TRUE(range("b", "b").rows.empty());
  EXPECT_TRUE(range("c", "a").rows.empty());
}

TEST_P(Reads, LimitAndMore) {
  put_all({"a", "b", "c"});
  RangeOptions options;
  options.limit = 2;
  RangePage page = range("", "\xff", options);
  EXPECT_EQ(keys(page.rows), (Keys{"a", "b"}));
  EXPECT_TRUE(page.more);
  options.limit = 3;
  page = range("", "\xff", options);
  EXPECT_EQ(page.rows.size(), 3u);
  EXPECT_TRUE(page.more) << "a limit that is reached sets more, even with the last row";
  options.limit = 4;
  page = range("", "\xff", options);
  EXPECT_EQ(page.rows.size(), 3u);
  EXPECT_FALSE(page.more);
  options.limit = -1;
  EXPECT_EQ(range("", "\xff", options).rows.size(), 3u);
}

TEST_P(Reads, ReverseStartsAtTheEnd) {
  put_all({"a", "b", "c"});
  RangeOptions options;
  options.reverse = true;
  options.limit = 2;
  const RangePage page = range("", "\xff", options);
  EXPECT_EQ(keys(page.rows), (Keys{"c", "b"}));
  EXPECT_TRUE(page.more);
}

TEST_P(Reads, BadLimitsAndModes) {
  Transaction tr = begin();
  RangeOptions options;
  options.limit = -2;
  EXPECT_EQ(number(tr.get_range("a", "b", options).get()), 2012);
  options.limit = 0;
  options.mode = StreamingMode::exact;
  EXPECT_EQ(number(tr.get_range("a", "b", options).get()), 2210);
  options.mode = static_cast<StreamingMode>(5);
  EXPECT_EQ(number(tr.get_range("a", "b", options).get()), 2000);
  options.mode = static_cast<StreamingMode>(-3);
  EXPECT_EQ(number(tr.get_range("a", "b", options).get()), 2000);
  options.mode = StreamingMode::iterator;
  options.iteration = 0;
  EXPECT_EQ(number(tr.get_range("a", "b", options).get()), 2000);
}

TEST_P(Reads, ModesBoundThePage) {
  Transaction tr = begin();
  for (int i = 0; i < 1'000; ++i) {
    Bytes key = "k";
    append_be32(key, static_cast<uint32_t>(i));
    tr.set(key, Bytes(87, 'v'));  // a row costs 5 + 87 + 8 = 100
  }
  ASSERT_EQ(commit_number(tr), 0);
  const auto rows = [&](StreamingMode mode, int iteration = 1) {
    RangeOptions options;
    options.mode = mode;
    options.iteration = iteration;
    const RangePage page = range("", "\xff", options);
    EXPECT_TRUE(page.more);
    return page.rows.size();
  };
  EXPECT_EQ(rows(StreamingMode::small), 3u);
  EXPECT_EQ(rows(StreamingMode::medium), 10u);
  EXPECT_EQ(rows(StreamingMode::large), 41u);
  EXPECT_EQ(rows(StreamingMode::serial), 800u);
  EXPECT_EQ(rows(StreamingMode::want_all), 800u);
  EXPECT_EQ(rows(StreamingMode::iterator, 1), 41u);
  EXPECT_EQ(rows(StreamingMode::iterator, 2), 62u);
  EXPECT_EQ(rows(StreamingMode::iterator, 3), 93u);
  EXPECT_EQ(rows(StreamingMode::iterator, 1'000), 800u);
  RangeOptions exact;
  exact.mode = StreamingMode::exact;
  exact.limit = 900;
  EXPECT_EQ(range("", "\xff", exact).rows.size(), 900u);
  RangeOptions target;
  target.mode = StreamingMode::exact;
  target.target_bytes = 1'050;
  EXPECT_EQ(range("", "\xff", target).rows.size(), 11u);
}

TEST_P(Reads, OneRowComesHoweverLarge) {
  put("k", Bytes(100'000, 'v'));
  RangeOptions options;
  options.mode = StreamingMode::small;
  EXPECT_EQ(range("", "\xff", options).rows.size(), 1u);
}

TEST_P(Reads, RangesBySelectors) {
  put_all({"a", "b", "c", "d", "e"});
  Transaction tr = begin();
  const auto between = [&](const KeySelector& from, const KeySelector& to) {
    return keys(page_of(tr.get_range(from, to).get()).rows);
  };
  EXPECT_EQ(between(KeySelector::first_greater_than("a"), KeySelector::last_less_than("e")), (Keys{"b", "c"}));
  EXPECT_EQ(between(KeySelector::last_less_than("c"), KeySelector::first_greater_than("d")), (Keys{"b", "c", "d"}));
  EXPECT_EQ(between(KeySelector::first_greater_or_equal("b").add(1), KeySelector::first_greater_or_equal("b").add(3)),
            (Keys{"c", "d"}));
  EXPECT_EQ(between(KeySelector::last_less_than("a"), KeySelector::first_greater_or_equal("b").add(9)),
            (Keys{"a", "b", "c", "d", "e"}));
  EXPECT_EQ(between(KeySelector::first_greater_or_equal("d"), KeySelector::last_less_than("c")), Keys{});
  // The bases are inverted, the keys they select are not.
  EXPECT_EQ(between(KeySelector::first_greater_or_equal("c").add(-2), KeySelector::first_greater_or_equal("b").add(1)),
            (Keys{"a", "b"}));
}

TEST_P(Reads, IteratorWalksEveryPageInBothDirections) {
  Keys all;
  for (int i = 0; i < 700; ++i) {
    Bytes key = "k";
    append_be32(key, static_cast<uint32_t>(i));
    all.push_back(key);
  }
  put_all(all);
  const auto walk = [&](RangeOptions options) {
    Transaction tr = begin();
    Keys seen;
    RangeIterator rows(tr, "", "\xff", options);
    while (rows.next()) seen.emplace_back(rows.key());
    EXPECT_TRUE(rows.status().ok());
    return seen;
  };
  for (const StreamingMode mode : {StreamingMode::iterator, StreamingMode::small, StreamingMode::want_all}) {
    RangeOptions options;
    options.mode = mode;
    EXPECT_EQ(walk(options), all);
    options.limit = 123;
    EXPECT_EQ(walk(options), Keys(all.begin(), all.begin() + 123));
    options.reverse = true;
    options.limit = 0;
    EXPECT_EQ(walk(options), Keys(all.rbegin(), all.rend()));
  }
}

TEST_P(Reads, IteratorReportsErrors) {
  Transaction tr = begin();
  RangeIterator rows(tr, "a", "\xff\x01");
  EXPECT_FALSE(rows.next());
  EXPECT_EQ(number(rows.status()), 2004);
  RangeOptions options;
  options.limit = -2;
  RangeIterator bad(tr, "a", "b", options);
  EXPECT_FALSE(bad.next());
  EXPECT_EQ(number(bad.status()), 2012);
}

TEST_P(Reads, SizeEstimateAndSplitPoints) {
  Transaction tr = begin();
  for (int i = 0; i < 1'000; ++i) {
    Bytes key = "k";
    append_be32(key, static_cast<uint32_t>(i));
    tr.set(key, Bytes(1'000, 'v'));
  }
  ASSERT_EQ(commit_number(tr), 0);
  Transaction reader = begin();
  const int64_t bytes = reader.get_estimated_range_size_bytes("", "\xff").get().value();
  EXPECT_GT(bytes, 300'000);
  EXPECT_LT(bytes, 3'000'000);
  EXPECT_EQ(number(reader.get_estimated_range_size_bytes("b", "a").get()), 2005);
  EXPECT_EQ(number(reader.get_range_split_points("b", "a", 1'000).get()), 2005);
  EXPECT_FALSE(reader.get_range_split_points("a", "b", 0).get().ok());
  const Keys points = reader.get_range_split_points("a", "z", 100'000).get().value();
  ASSERT_GE(points.size(), 2u);
  EXPECT_EQ(points.front(), "a");
  EXPECT_EQ(points.back(), "z");
  EXPECT_TRUE(std::is_sorted(points.begin(), points.end()));
  EXPECT_GE(points.size(), 5u);
  EXPECT_LE(points.size(), 30u);
  EXPECT_EQ(reader.get_range_split_points("a", "a", 100).get().value().size() >= 1, true);
}

// --- mapped ranges

class Mapped : public Reads {
 protected:
  void SetUp() override {
    Transaction tr = begin();
    for (int i = 0; i < 4; ++i) {
      const Text id("id" + std::to_string(i));
      tr.set(Tuple::of(Text("index"), i, id).pack(), Tuple::of(Text("extra"), id).pack());
      tr.set(Tuple::of(Text("record"), id, Text("a")).pack(), "a" + std::to_string(i));
      tr.set(Tuple::of(Text("record"), id, Text("b")).pack(), "b" + std::to_string(i));
      tr.set(Tuple::of(Text("single"), id).pack(), "s" + std::to_string(i));
    }
    ASSERT_EQ(commit_number(tr), 0);
  }
  Result<MappedPage> mapped(Transaction& tr, const Tuple& mapper, RangeOptions options = {}) {
    const auto index = Tuple::of(Text("index")).range();
    return tr
        .get_mapped_range(KeySelector::first_greater_or_equal(index.begin),
                          KeySelector::first_greater_or_equal(index.end), mapper.pack(), options)
        .get();
  }
  int mapper_error(const Tuple& mapper) {
    Transaction tr = begin();
    return number(mapped(tr, mapper));
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, Mapped, testing::ValuesIn(engine_kinds()), kind_name);

TEST_P(Mapped, RangeOfEachIndexRow) {
  Transaction tr = begin();
  const auto page = mapped(tr, Tuple::of(Text("record"), Text("{K[2]}"), Text("{...}")));
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->rows.size(), 4u);
  EXPECT_EQ(page->rows[2].rows.size(), 2u);
  EXPECT_EQ(page->rows[2].rows.value(0), "a2");
  EXPECT_EQ(page->rows[2].rows.value(1), "b2");
  EXPECT_EQ(page->rows[2].key, Tuple::of(Text("index"), 2, Text("id2")).pack());
  EXPECT_EQ(page->rows[2].range.begin, Tuple::of(Text("record"), Text("id2")).pack());
}

TEST_P(Mapped, SingleKeyByKeyAndByValue) {
  Transaction tr = begin();
  const auto by_key = mapped(tr, Tuple::of(Text("single"), Text("{K[2]}")));
  ASSERT_TRUE(by_key.ok());
  EXPECT_EQ(by_key->rows[1].rows.value(0), "s1");
  const auto by_value = mapped(tr, Tuple::of(Text("single"), Text("{V[1]}")));
  ASSERT_TRUE(by_value.ok());
  EXPECT_EQ(by_value->rows[3].rows.value(0), "s3");
  const auto absent = mapped(tr, Tuple::of(Text("nowhere"), Text("{K[2]}")));
  ASSERT_TRUE(absent.ok());
  EXPECT_TRUE(absent->rows[0].rows.empty());
}

TEST_P(Mapped, LimitReverseAndMore) {
  Transaction tr = begin();
  RangeOptions options;
  options.limit = 1;
  options.reverse = true;
  const auto page = mapped(tr, Tuple::of(Text("single"), Text("{K[2]}")), options);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->rows.size(), 1u);
  EXPECT_TRUE(page->more);
  EXPECT_EQ(page->rows[0].rows.value(0), "s3");
}

TEST_P(Mapped, EscapedBracesAreLiterals) {
  put(Tuple::of(Text("{x}")).pack(), "braces");
  Transaction tr = begin();
  const auto page = mapped(tr, Tuple::of(Text("{{x}}")));
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->rows[0].rows.value(0), "braces");
}

TEST_P(Mapped, BadMappers) {
  EXPECT_EQ(mapper_error(Tuple::of(Text("r"), Text("{K[9]}"))), 2030);
  EXPECT_EQ(mapper_error(Tuple::of(Text("r"), Text("{K[x]}"))), 2030);
  EXPECT_EQ(mapper_error(Tuple::of(Text("r"), Text("{K[-1]}"))), 2030);
  EXPECT_EQ(mapper_error(Tuple::of(Text("r"), Text("{K[]}"))), 2030);
  EXPECT_EQ(mapper_error(Tuple::of(Text("r"), Text("{K[1"))), 2030);
  EXPECT_EQ(mapper_error(Tuple::of(Text("r"), Text("{...}"), Text("x"))), 2032);
  Transaction tr = begin();
  EXPECT_EQ(number(tr.get_mapped_range(KeySelector::first_greater_or_equal("a"),
                                       KeySelector::first_greater_or_equal("b"), "\x7fnot a tuple")
                       .get()),
            2043);
}

TEST_P(Mapped, KeysAndValuesThatAreNoTuples) {
  put("plain\x7f", "\x7f");
  Transaction tr = begin();
  const auto from = KeySelector::first_greater_or_equal("plain");
  const auto to = KeySelector::first_greater_or_equal("plaio");
  EXPECT_EQ(number(tr.get_mapped_range(from, to, Tuple::of(Text("{K[0]}")).pack()).get()), 2041);
  EXPECT_EQ(number(tr.get_mapped_range(from, to, Tuple::of(Text("{V[0]}")).pack()).get()), 2042);
}

TEST_P(Mapped, OwnWritesAre2039) {
  const Tuple mapper = Tuple::of(Text("single"), Text("{K[2]}"));
  Transaction index = begin();
  index.set(Tuple::of(Text("index"), 1, Text("id1")).pack(), "x");
  EXPECT_EQ(number(mapped(index, mapper)), 2039);
  Transaction record = begin();
  record.clear(Tuple::of(Text("single"), Text("id2")).pack());
  EXPECT_EQ(number(mapped(record, mapper)), 2039);
  Transaction elsewhere = begin();
  elsewhere.set("elsewhere", "x");
  EXPECT_EQ(number(mapped(elsewhere, mapper)), 0);
}

TEST_P(Mapped, SnapshotAndRywOffAre2108) {
  const Bytes mapper = Tuple::of(Text("single"), Text("{K[2]}")).pack();
  Transaction tr = begin();
  EXPECT_EQ(number(tr.snapshot()
                       .get_mapped_range(KeySelector::first_greater_or_equal("a"),
                                         KeySelector::first_greater_or_equal("b"), mapper)
                       .get()),
            2108);
  Transaction off = begin();
  ASSERT_TRUE(off.set_option(TransactionOption::read_your_writes_disable).ok());
  EXPECT_EQ(number(off.get_mapped_range(KeySelector::first_greater_or_equal("a"),
                                        KeySelector::first_greater_or_equal("b"), mapper)
                       .get()),
            2108);
}

TEST_P(Mapped, WhatItReadsConflicts) {
  const Bytes record = Tuple::of(Text("single"), Text("id2")).pack();
  const auto read = [&](Transaction& tr) { EXPECT_TRUE(mapped(tr, Tuple::of(Text("single"), Text("{K[2]}"))).ok()); };
  EXPECT_TRUE(conflicts(read, record));
  EXPECT_TRUE(conflicts(read, Tuple::of(Text("index"), 7).pack()));
  EXPECT_FALSE(conflicts(read, Tuple::of(Text("single"), Text("id9")).pack()));
}

}  // namespace
}  // namespace strata::kv
