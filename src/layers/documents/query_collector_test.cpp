#include "layers/documents/query_collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
        const Bytes text = result.next->encode(query.order);
        EXPECT_LT(text.size(), 2'200u);
        auto decoded = QueryCursor::decode(text, query.order);
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

std::vector<OrderKey> by(std::initializer_list<std::pair<const char*, bool>> fields) {
  std::vector<OrderKey> order;
  for (const auto& [field, descending] : fields) {
    order.push_back({.by = OrderKey::By::field, .field = *DocumentPath::parse(field), .descending = descending});
  }
  return order;
}

TEST(QueryCollectorTest, ACursorOfAnotherOrderIsRefused) {
  const QueryCursor cursor{.values = {SortValue("a"), SortValue(Number(int64_t{5}))}, .key = "k"};
  const auto order = by({{"a", false}, {"b", true}});
  const Bytes text = cursor.encode(order);
  EXPECT_TRUE(QueryCursor::decode(text, order).ok());
  for (const auto& other :
       {by({{"a", false}}), by({{"a", false}, {"b", true}, {"c", false}}), by({{"a", false}, {"c", true}}),
        by({{"a", true}, {"b", true}}), by({{"b", true}, {"a", false}}), by({})}) {
    EXPECT_FALSE(QueryCursor::decode(text, other).ok());
  }
  auto by_key = order;
  by_key[1] = {.by = OrderKey::By::key, .descending = true};
  EXPECT_FALSE(QueryCursor::decode(text, by_key).ok());
  for (const Bytes& broken : {Bytes(), Bytes("zz"), Bytes("00"), text.substr(2), text.substr(0, text.size() - 2)}) {
    EXPECT_FALSE(QueryCursor::decode(broken, order).ok()) << broken;
  }
}

// 1,000 words that others do not hold, looked at by 200 clauses.
Query slow_query(simdjson::dom::parser& parser) {
  Bytes clauses;
  for (int i = 0; i < 200; ++i) clauses += R"({"term":"none)" + std::to_string(i) + R"("},)";
  clauses.back() = ']';
  const Bytes json = R"({"must_not":{"disjuncts":[)" + clauses + R"(},"must":{"conjuncts":[{"term":"last"}]}})";
  return Query{.filter = *parse_filter(parser.parse(json).value(), {})};
}

TEST(QueryCollectorTest, OthersHaveATurnWhileADocumentIsLookedAt) {
  simdjson::dom::parser parser;
  const Query query = slow_query(parser);
  int turns = 0;
  QueryCollector collector(query, [&]() -> Result<void> {
    // What another request does on the same thread.
    EXPECT_TRUE(parse_stored(R"({"s":"something else altogether"})").ok());
    ++turns;
    return {};
  });
  Bytes text = R"({"s":")";
  for (int i = 0; i < 1'000; ++i) text += "word" + std::to_string(i) + " ";
  text += "last\"}";
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(collector.add(key, BytesView(text)).ok());
  EXPECT_GE(turns, 3);
  const QueryResult result = collector.finish();
  EXPECT_THAT(keys(result), ElementsAre("a", "b", "c"));
  EXPECT_EQ(result.hits[2].source, text);
}

TEST(QueryCollectorTest, WhatTheTurnSaysEndsTheQuery) {
  simdjson::dom::parser parser;
  const Query query = slow_query(parser);
  int turns = 0;
  QueryCollector collector(query, [&]() -> Result<void> {
    ++turns;
    return ErrorCode::transaction_timed_out;
  });
  const Bytes text = R"({"s":")" + Bytes(200'000, 'x') + R"( last"})";
  Result<void> added;
  for (int i = 0; i < 100 && added.ok(); ++i) added = collector.add("k", BytesView(text));
  EXPECT_EQ(added.error().code(), ErrorCode::transaction_timed_out);
  EXPECT_EQ(collector.add("k", BytesView(text)).error().code(), ErrorCode::transaction_timed_out);
  EXPECT_EQ(turns, 1);
}

// Each value of an array may be another one.
TEST(QueryCollectorTest, BucketsOfOneDocumentAreBounded) {
  Query query{.filter = *parse_filter_parts({}, {})};
  query.aggregations.push_back({.name = "n", .type = AggregationType::cardinality, .field = *DocumentPath::parse("n")});
  Bytes same = R"({"n":[)";
  Bytes different = same;
  for (size_t i = 0; i < 3 * max_buckets; ++i) {
    same += std::to_string(i % 1'000) + ",";
    different += std::to_string(i) + ",";
  }
  same.replace(same.size() - 1, 1, "]}");
  different.replace(different.size() - 1, 1, "]}");
  QueryCollector collector(query);
  ASSERT_TRUE(collector.add("a", BytesView(same)).ok());
  EXPECT_THAT(std::string(collector.add("b", BytesView(different)).error().message()), HasSubstr("different values"));
  QueryCollector counting(query);
  ASSERT_TRUE(counting.add("a", BytesView(same)).ok());
  EXPECT_EQ(counting.finish().aggregations[0].distinct, 1'000u);
}

}  // namespace
}  // namespace strata::documents
