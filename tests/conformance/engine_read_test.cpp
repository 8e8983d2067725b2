#include "conformance/engine_fixture.h"

namespace strata::kv {
namespace {

using EngineReads = EngineTest;
INSTANTIATE_TEST_SUITE_P(Engines, EngineReads, testing::ValuesIn(engine_kinds()), engine_kind_name);

TEST_P(EngineReads, AnEmptyStoreHasAVersionAndNothingElse) {
  EXPECT_GT(now(), 0);
  EXPECT_EQ(get("a"), std::nullopt);
  EXPECT_EQ(keys(), "");
}

TEST_P(EngineReads, AVersionSeesWhatWasCommittedUpToIt) {
  const Version before = now();
  const Version first = put("a", "1").version;
  const Version second = put("a", "2").version;
  const Version third = commit(Writes().clear("a")).version;
  EXPECT_LT(before, first);
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_EQ(now(), third);
  EXPECT_EQ(get("a", before), std::nullopt);
  EXPECT_EQ(get("a", first), "1");
  EXPECT_EQ(get("a", second), "2");
  EXPECT_EQ(get("a", third), std::nullopt);
  EXPECT_EQ(keys("", "\xff", first), "a ");
  EXPECT_EQ(keys("", "\xff", third), "");
}

TEST_P(EngineReads, AVersionBetweenTwoCommitsReadsAsTheEarlierOne) {
  const Version first = put("a", "1").version;
  clock.advance_us(1'000);
  const Version second = put("a", "2").version;
  ASSERT_GT(second, first + 1);
  EXPECT_EQ(get("a", first + 1), "1");
  EXPECT_EQ(get("a", second - 1), "1");
}

TEST_P(EngineReads, VersionsFollowTheClock) {
  const Version first = put("a", "1").version;
  clock.advance_us(2'000'000);
  EXPECT_GE(put("a", "2").version - first, 1'999'999);
}

TEST_P(EngineReads, AVersionThatIsNotThereYetIsRefused) {
  const Version newest = now();
  EXPECT_EQ(code(engine.get("a", newest + 1).get()), "future_version");
  EXPECT_EQ(code(engine.range({.begin = "a", .end = "b", .version = newest + 1}).get()), "future_version");
}

TEST_P(EngineReads, AVersionIsKeptForItsLifetimeAndThenRefused) {
  put("a", "1");
  const Version version = now();
  put("a", "2");
  clock.advance_us(engine.limits().read_lifetime_ms * 1'000 - 1'000);
  put("a", "3");
  EXPECT_EQ(get("a", version), "1");
  let_versions_expire();
  EXPECT_EQ(code(engine.get("a", version).get()), "transaction_too_old");
  EXPECT_EQ(code(engine.range({.begin = "a", .end = "b", .version = version}).get()), "transaction_too_old");
  EXPECT_EQ(get("a"), "3");
}

TEST_P(EngineReads, TheNewestVersionNeverExpires) {
  put("a", "1");
  const Version version = now();
  clock.advance_us(100 * engine.limits().read_lifetime_ms * 1'000);
  EXPECT_EQ(get("a", version), "1");
  EXPECT_EQ(now(), version);
}

// A version's lifetime begins when it was handed out last, not when it was made.
TEST_P(EngineReads, AVersionHandedOutLateLivesAsLong) {
  put("a", "1");
  clock.advance_us(10 * engine.limits().read_lifetime_ms * 1'000);
  const Version version = now();
  put("a", "2");
  clock.advance_us(engine.limits().read_lifetime_ms * 1'000 - 1'000);
  put("a", "3");
  EXPECT_EQ(get("a", version), "1");
}

TEST_P(EngineReads, KeysAndValuesAreAnyBytes) {
  const Bytes zeros(3, '\0');
  commit(Writes().set("", "empty key").set(zeros, zeros).set(BytesView("a\0b", 3), "").set("\xfe\xff", "\xff"));
  EXPECT_EQ(get(""), "empty key");
  EXPECT_EQ(get(zeros), zeros);
  EXPECT_EQ(get(BytesView("a\0b", 3)), "");
  EXPECT_EQ(get("a"), std::nullopt);
  const Pairs expected{{"", "empty key"}, {zeros, zeros}, {Bytes("a\0b", 3), ""}, {"\xfe\xff", "\xff"}};
  EXPECT_EQ(rows({.begin = "", .end = "\xff"}), expected);
}

TEST_P(EngineReads, LargestKeysAndValues) {
  const Bytes key(engine.limits().key_bytes, 'k');
  const Bytes value(engine.limits().value_bytes, 'v');
  put(key, value);
  EXPECT_EQ(get(key), value);
}

TEST_P(EngineReads, RangesAreHalfOpen) {
  commit(Writes().set("a", "1").set("b", "2").set("c", "3").set("d", "4"));
  EXPECT_EQ(keys("b", "d"), "b c ");
  EXPECT_EQ(keys("b", key_after("d")), "b c d ");
  EXPECT_EQ(keys("bb", "bc"), "");
  EXPECT_EQ(keys("b", "b"), "");
  EXPECT_EQ(keys("d", "b"), "");
  EXPECT_EQ(keys("", "\xff"), "a b c d ");
}

TEST_P(EngineReads, ReverseRangesDescend) {
  commit(Writes().set("a", "1").set("b", "2").set("c", "3").set("d", "4"));
  const Pairs all{{"c", "3"}, {"b", "2"}};
  EXPECT_EQ(rows({.begin = "b", .end = "d", .reverse = true}), all);
  const Pairs one{{"c", "3"}};
  EXPECT_EQ(rows({.begin = "b", .end = "d", .limit_rows = 1, .reverse = true}), one);
  const Pairs last{{"d", "4"}};
  EXPECT_EQ(rows({.begin = "", .end = "\xff", .limit_rows = 1, .reverse = true}), last);
  EXPECT_EQ(rows({.begin = "d", .end = "b", .reverse = true}), Pairs{});
}

TEST_P(EngineReads, LimitsEndAPage) {
  commit(Writes().set("a", "12345").set("b", "12345").set("c", "12345"));
  RangePage found = page({.begin = "a", .end = "d"});
  EXPECT_EQ(found.rows.size(), 3u);
  EXPECT_FALSE(found.more);
  found = page({.begin = "a", .end = "d", .limit_rows = 2});
  EXPECT_EQ(found.rows.size(), 2u);
  EXPECT_TRUE(found.more);
  found = page({.begin = "a", .end = "d", .limit_rows = 3});
  EXPECT_EQ(found.rows.size(), 3u);
  EXPECT_TRUE(found.more);
  // A row is 1 + 5 + 8 bytes: the row that reaches the limit still comes, and at least one does.
  EXPECT_EQ(page({.begin = "a", .end = "d", .limit_bytes = 1}).rows.size(), 1u);
  EXPECT_EQ(page({.begin = "a", .end = "d", .limit_bytes = 14}).rows.size(), 1u);
  EXPECT_EQ(page({.begin = "a", .end = "d", .limit_bytes = 15}).rows.size(), 2u);
  EXPECT_TRUE(page({.begin = "a", .end = "d", .limit_bytes = 42}).more);
  EXPECT_FALSE(page({.begin = "a", .end = "d", .limit_bytes = 43}).more);
  EXPECT_EQ(page({.begin = "a", .end = "d", .limit_rows = 2, .limit_bytes = 1}).rows.size(), 1u);
}

TEST_P(EngineReads, PagesOfALongRangeAddUp) {
  constexpr int count = 3'000;
  Writes writes;
  for (int i = 0; i < count; ++i) writes.set("key" + std::to_string(100'000 + i), Bytes(3'000, 'v'));
  commit(writes);
  const Version version = now();
  for (const bool reverse : {false, true}) {
    Bytes begin = "key";
    Bytes end = "kez";
    int seen = 0;
    bool more = true;
    while (more) {
      const RangePage found = page({.begin = begin, .end = end, .version = version, .reverse = reverse});
      more = found.more;
      seen += static_cast<int>(found.rows.size());
      if (found.rows.empty()) break;
      const BytesView last = found.rows.key(found.rows.size() - 1);
      (reverse ? end : begin) = reverse ? Bytes(last) : key_after(last);
    }
    EXPECT_EQ(seen, count);
  }
}

TEST_P(EngineReads, EstimatesAndSplitPoints) {
  Writes writes;
  for (int i = 0; i < 1'000; ++i) writes.set("key" + std::to_string(10'000 + i), Bytes(92, 'v'));
  commit(writes);
  EXPECT_EQ(*engine.estimated_bytes("x", "y").get(), 0);
  EXPECT_EQ(*engine.estimated_bytes("b", "a").get(), 0);
  const int64_t bytes = *engine.estimated_bytes("", "\xff").get();
  EXPECT_GT(bytes, 90'000);
  EXPECT_LT(bytes, 110'000);
  const int64_t half = *engine.estimated_bytes("", "key10500").get();
  EXPECT_GT(half, 45'000);
  EXPECT_LT(half, 55'000);

  const std::vector<Bytes> points = *engine.split_points("", "\xff", 10'000).get();
  ASSERT_GE(points.size(), 9u);
  ASSERT_LE(points.size(), 13u);
  EXPECT_EQ(points.front(), "");
  EXPECT_EQ(points.back(), "\xff");
  for (size_t i = 1; i < points.size(); ++i) EXPECT_LT(points[i - 1], points[i]);
  for (size_t i = 1; i + 1 < points.size(); ++i) {
    const int64_t piece = *engine.estimated_bytes(points[i - 1], points[i]).get();
    EXPECT_GT(piece, 8'000) << i;
    EXPECT_LT(piece, 12'000) << i;
  }
  const std::vector<Bytes> whole{"a", "z"};
  EXPECT_EQ(*engine.split_points("a", "z", 10'000'000).get(), whole);
  const std::vector<Bytes> empty{"x", "y"};
  EXPECT_EQ(*engine.split_points("x", "y", 10).get(), empty);
}

}  // namespace
}  // namespace strata::kv
