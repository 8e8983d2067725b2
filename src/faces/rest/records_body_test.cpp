#include "faces/rest/records_body.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <cstring>
#include <memory>

#include "base/random.h"

namespace strata::rest {
namespace {

using service::OperationType;

// A body as the server hands it over: with readable bytes behind it, and not one more than it promises.
class Body {
 public:
  Body(BytesView text) : size_(text.size()), bytes_(new char[text.size() + simdjson::SIMDJSON_PADDING]) {  // NOLINT
    std::memcpy(bytes_.get(), text.data(), text.size());
    std::memset(bytes_.get() + size_, '"', simdjson::SIMDJSON_PADDING);
  }
  operator BytesView() const { return {bytes_.get(), size_}; }  // NOLINT

 private:
  size_t size_;
  std::unique_ptr<char[]> bytes_;
};

template <class T>
std::string failure(const Result<T>& result) {
  return result.ok() ? "<none>" : std::string(result.error().message());
}

TEST(RecordsBody, PutOfAValue) {
  const auto parsed = parse_put_value("k", Body(R"( {"other": [1, {}], "value": "aGVsbG8="} )"));
  ASSERT_TRUE(parsed.ok());
  ASSERT_EQ(parsed->operations.size(), 1u);
  EXPECT_EQ(parsed->operations[0].type, OperationType::put_value);
  EXPECT_EQ(parsed->operations[0].key, "k");
  EXPECT_EQ(parsed->operations[0].value, "hello");
  EXPECT_EQ(parse_put_value("k", Body(R"({"value":""})"))->operations[0].value, "");
}

TEST(RecordsBody, BatchOfValues) {
  const auto put = parse_value_batch(
      Body(R"({"items":[{"value":"MQ==","key":"a"},{"key":"\u0000\u00e9","value":""}],"operation":"put"})"));
  ASSERT_TRUE(put.ok());
  ASSERT_EQ(put->operations.size(), 2u);
  EXPECT_EQ(put->operations[0].value, "1");
  EXPECT_EQ(put->operations[1].key, BytesView("\0\xC3\xA9", 3));
  const auto removed = parse_value_batch(Body(R"({"operation":"delete","keys":["a","a"]})"));
  ASSERT_TRUE(removed.ok());
  ASSERT_EQ(removed->operations.size(), 2u);
  EXPECT_EQ(removed->operations[1].type, OperationType::delete_value);
}

TEST(RecordsBody, WhatItParsedOutlivesTheNextParse) {
  const auto first = parse_value_batch(Body(R"({"operation":"put","items":[{"key":"first","value":"Zmlyc3Q="}]})"));
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(parse_value_batch(Body(R"({"operation":"put","items":[{"key":"XXXXX","value":"WFhYWFg="}]})")).ok());
  EXPECT_EQ(first->operations[0].key, "first");
  EXPECT_EQ(first->operations[0].value, "first");
}

TEST(RecordsBody, Rows) {
  const auto put = parse_put_row("r", Body(R"({"columns":{"a":"MQ==","b":""}})"));
  ASSERT_TRUE(put.ok());
  EXPECT_EQ(put->operations[0].columns, (std::vector<service::Column>{{"a", "1"}, {"b", ""}}));
  const auto batch = parse_row_batch(
      Body(R"({"operation":"put","rows":[{"rowKey":"r","columns":{}},{"rowKey":"s","columns":{"c":"MQ=="}}]})"));
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->operations[1].key, "s");
  EXPECT_EQ(batch->operations[1].columns.size(), 1u);
  const auto removed = parse_row_batch(Body(R"({"operation":"delete","rows":[{"rowKey":"r","columns":3}]})"));
  ASSERT_TRUE(removed.ok());
  EXPECT_EQ(removed->operations[0].type, OperationType::delete_row);
}

TEST(RecordsBody, NamesOfColumns) {
  Arena arena;
  std::vector<service::Column> columns;
  ASSERT_TRUE(parse_column_names(Body(""), arena, columns).ok());
  ASSERT_TRUE(parse_column_names(Body(R"({"columns":{"a":"","b":null}})"), arena, columns).ok());
  EXPECT_EQ(columns, (std::vector<service::Column>{{"a", ""}, {"b", ""}}));
}

TEST(RecordsBody, SaysWhatIsWrong) {
  EXPECT_EQ(failure(parse_put_value("k", Body("{}"))), "value is required");
  EXPECT_EQ(failure(parse_put_value("k", Body(R"({"value":7})"))), "value must be a string");
  EXPECT_EQ(failure(parse_put_value("k", Body(R"({"value":"?"})"))), "invalid base64 encoding");
  EXPECT_EQ(failure(parse_put_value("k", Body(R"({"value":"","value":""})"))), "value is given twice");
  EXPECT_EQ(failure(parse_put_value("k", Body("[]"))), "the body must be a JSON object");
  EXPECT_EQ(failure(parse_value_batch(Body(R"({"operation":"put","items":[{"key":"a"}]})"))),
            "items[0].value is required");
  EXPECT_EQ(failure(parse_value_batch(Body(R"({"operation":"put","items":[{"key":"a","key":"b","value":""}]})"))),
            "items[0].key is given twice");
  EXPECT_EQ(failure(parse_value_batch(Body(R"({"operation":"delete","keys":["a",1]})"))), "keys[1] must be a string");
  EXPECT_EQ(failure(parse_value_batch(Body(R"({"operation":"move"})"))), "operation must be put or delete");
  EXPECT_EQ(failure(parse_put_row("r", Body(R"({"columns":{"a":1}})"))), "column a must be a string");
  EXPECT_EQ(failure(parse_put_row("r", Body(R"({"columns":{"a":"","b":"","a":""}})"))), "column a is given twice");
  EXPECT_EQ(failure(parse_row_batch(Body(R"({"operation":"put","rows":[{"rowKey":"r"}]})"))),
            "rows[0].columns is required");
}

TEST(RecordsBody, DepthHasALimit) {
  const auto nested = [](size_t levels) {
    return R"({"value":"","x":)" + Bytes(levels, '[') + Bytes(levels, ']') + "}";
  };
  EXPECT_TRUE(parse_put_value("k", Body(nested(60))).ok());
  EXPECT_FALSE(parse_put_value("k", Body(nested(64))).ok());
  EXPECT_FALSE(parse_put_value("k", Body(nested(500'000))).ok());
  // A body that made the parser grow, and a small one after it.
  EXPECT_TRUE(parse_put_value("k", Body(R"({"value":"MQ=="})")).ok());
}

// Whatever the bytes: an error with words or operations, and no byte read that is not the body's (under ASan).
TEST(RecordsBody, DamagedBodies) {
  const Bytes bodies[] = {R"({"value":"aGVsbG8="})",
                          R"({"operation":"put","items":[{"key":"a\u00e9","value":"MQ=="},{"key":"b","value":""}]})",
                          R"({"operation":"delete","keys":["a","b\n"]})", R"({"columns":{"a":"MQ==","b":"aGVsbG8="}})",
                          R"({"operation":"put","rows":[{"rowKey":"r","columns":{"c":"MQ=="}}]})"};
  Random random(5);
  size_t refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    Bytes body = bodies[random.below(std::size(bodies))];
    for (uint64_t edits = random.below(3); edits > 0; --edits) {
      body[random.below(body.size())] = static_cast<char>(random.next());
    }
    if (random.one_in(3)) body.resize(random.below(body.size() + 1));
    Arena arena;
    std::vector<service::Column> columns;
    const std::string failures[] = {failure(parse_put_value("k", Body(body))), failure(parse_value_batch(Body(body))),
                                    failure(parse_put_row("r", Body(body))), failure(parse_row_batch(Body(body))),
                                    failure(parse_column_names(Body(body), arena, columns))};
    for (const std::string& words : failures) {
      EXPECT_FALSE(words.empty());
      if (words != "<none>") ++refused;
    }
  }
  EXPECT_GT(refused, 80'000u);
}

}  // namespace
}  // namespace strata::rest
