#include "layers/documents/query_collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "layers/documents/filter_parser.h"

namespace strata::documents {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Query ordered(bool descending, size_t limit) {
  Query query{.filter = *parse_filter_parts({}, {}), .limit = limit};
  query.order.push_back({.by = OrderKey::By::field, .field = *DocumentPath::parse("s"), .descending = descending});
  return query;
}

std::vector<Bytes> keys(const QueryResult& result) {
  std::vector<Bytes> found;
  for (const QueryHit& hit : result.hits) found.push_back(hit.key);
  return found;
}

TEST(QueryCollectorTest, ValuesOfEveryKindHaveAnOrderAndWhatIsMissingComesLast) {
  for (const bool descending : {false, true}) {
    const Query query = ordered(descending, 10);
    QueryCollector collector(query);
    for (const auto& [key, text] : std::vector<std::pair<Bytes, Bytes>>{{"a", R"({"s":"x"})"},
                                                                        {"b", R"({"s":2})"},
                                                                        {"c", R"({"s":1.5})"},
                                                                        {"d", "{}"},
                                                                        {"e", R"({"s":true})"},
                                                                        {"f", R"({"s":null})"},
                                                                        {"g", R"({"s":"x"})"}}) {
      ASSERT_TRUE(collector.add(key, text).ok());
    }
    const auto found = keys(collector.finish());
    if (descending) {
      EXPECT_THAT(found, ElementsAre("a", "g", "b", "c", "e", "d", "f"));
    } else {
      EXPECT_THAT(found, ElementsAre("e", "c", "b", "a", "g", "d", "f"));
    }
  }
}

// Cursors hold what they order by: long strings are cut, and every document still comes once.
TEST(QueryCollectorTest, PagesOverLongStringsHaveShortCursorsAndLoseNothing) {
  std::map<Bytes, Bytes> documents;
  for (int i = 0; i < 20; ++i) {
    // The same 1,023 bytes, then a character of two: the cut must not go through it.
    documents["k" + std::to_string(i)] = R"({"s":")" + Bytes(1'023, 'x') + "ü" + std::to_string(i % 7) + R"("})";
  }
  for (const bool descending : {false, true}) {
    std::vector<Bytes> all;
    std::optional<QueryCursor> after;
    do {
      Query query = ordered(descending, 3);
      query.after = after;
      QueryCollector collector(query);
      for (const auto& [key, text] : documents) ASSERT_TRUE(collector.add(key, text).ok());
      const QueryResult result = collector.finish();
      for (const Bytes& key : keys(result)) all.push_back(key);
      after.reset();
      if (result.next) {
        const Bytes text = result.next->encode();
        EXPECT_LT(text.size(), 2'200u);
        auto decoded = QueryCursor::decode(text, 1);
        ASSERT_TRUE(decoded.ok());
        after = *std::move(decoded);
      }
    } while (after && all.size() <= documents.size());
    EXPECT_EQ(all.size(), documents.size());
    EXPECT_EQ(std::set<Bytes>(all.begin(), all.end()).size(), documents.size());
    EXPECT_TRUE(std::ranges::is_sorted(all));
  }
}

TEST(QueryCollectorTest, HitsAndWhatTheyAreOrderedByAreCounted) {
  Query query = ordered(false, 10'000);
  QueryCollector collector(query);
  const Bytes large = R"({"s":"a","t":")" + Bytes(8u << 20, 'x') + R"("})";
  Result<void> added;
  int fit = 0;
  for (; added.ok() && fit < 100; ++fit) added = collector.add("k" + std::to_string(fit), large);
  EXPECT_EQ(added.error().code(), ErrorCode::payload_too_large);
  EXPECT_EQ(fit, 8);
}

TEST(QueryCollectorTest, BucketsAreBoundedInBytes) {
  Query query{.filter = *parse_filter_parts({}, {}), .limit = 0};
  query.aggregations.push_back({"by \n", AggregationType::cardinality, *DocumentPath::parse("s")});
  QueryCollector collector(query);
  Bytes text = R"({"s":"?)" + Bytes(8u << 20, 'x') + R"("})";
  Result<void> added;
  for (char c = 'a'; added.ok() && c <= 'z'; ++c) {
    text[6] = c;
    added = collector.add("k", text);
  }
  EXPECT_EQ(added.error().code(), ErrorCode::payload_too_large);
  EXPECT_THAT(std::string(added.error().message()), HasSubstr("64 MiB"));
  EXPECT_EQ(text[6], 'h');
}

TEST(QueryCollectorTest, ACursorOfAnotherKindIsRefused) {
  const QueryCursor cursor{.values = {SortValue("a"), SortValue(Number(int64_t{5}))}, .key = "k"};
  EXPECT_TRUE(QueryCursor::decode(cursor.encode(), 2).ok());
  for (const auto& [text, order_keys] : std::vector<std::pair<Bytes, size_t>>{
           {cursor.encode(), 1}, {cursor.encode(), 3}, {"", 1}, {"zz", 1}, {"00", 1}}) {
    EXPECT_FALSE(QueryCursor::decode(text, order_keys).ok()) << text;
  }
}

}  // namespace
}  // namespace strata::documents
