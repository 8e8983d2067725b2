#include "service/leader_records.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace strata::service {
namespace {

using records::Operation;
using records::OperationType;

constexpr std::string_view head =
    R"({"segmentId":2,"offset":300,"lsn":7,"version":"00000000000000ff0a01","timestamp":"2024-05-01T12:00:00.123456Z","ops":)";

class Parsing : public testing::Test {
 protected:
  Result<void> parse(std::string_view operations) {
    line_ = std::string(head) + std::string(operations) + "}";
    return parse_line(line_);
  }
  Result<void> parse_line(BytesView line) {
    Bytes padded(line);
    padded.append(LineBuffer::line_padding_bytes, ' ');
    return parser_.parse(BytesView(padded).substr(0, line.size()), batch_);
  }

  LeaderRecordParser parser_;
  LeaderBatch batch_;
  std::string line_;
};

TEST_F(Parsing, EveryOperation) {
  ASSERT_TRUE(parse(R"([{"op":"put","key":"k","value":"dg=="},{"op":"put","key":"?","keyBase64":"AP8=","value":""},)"
                    R"({"op":"delete","key":"k"},{"op":"put_row","key":"r","columns":{"a":"MQ==","b":""},)"
                    R"("columnsBase64":{"/w==":"Mg=="}},{"op":"delete_row","key":"r"},)"
                    R"({"op":"delete_columns","key":"r","columns":{"a":""},"columnsBase64":{"/w==":""}},)"
                    R"({"op":"put_lob","key":"o","size":5000000000,"checksum":4294967295,)"
                    R"("object":"000102030405060708090a0b0c0d0eff"},{"op":"delete_lob","key":"o","new":[1]}])")
                  .ok());
  ASSERT_EQ(batch_.records.size(), 1u);
  const LeaderRecord& record = batch_.records[0];
  EXPECT_EQ(record.position, (records::LogPosition{2, 300}));
  EXPECT_EQ(record.lsn, 7u);
  EXPECT_EQ(record.wall_us, 1'714'564'800'123'456);
  EXPECT_EQ(BytesView(record.stamp.data(), 10), BytesView("\0\0\0\0\0\0\0\xFF\x0A\x01", 10));
  ASSERT_EQ(batch_.operations.size(), 8u);
  EXPECT_EQ(batch_.operations[0], (Operation{.type = OperationType::put_value, .key = "k", .value = "v"}));
  EXPECT_EQ(batch_.operations[1], (Operation{.type = OperationType::put_value, .key = BytesView("\0\xFF", 2)}));
  EXPECT_EQ(batch_.operations[2], (Operation{.type = OperationType::delete_value, .key = "k"}));
  EXPECT_EQ(batch_.operations[3],
            (Operation{.type = OperationType::put_row, .key = "r", .columns = {{"a", "1"}, {"b", ""}, {"\xFF", "2"}}}));
  EXPECT_EQ(batch_.operations[4], (Operation{.type = OperationType::delete_row, .key = "r"}));
  EXPECT_EQ(batch_.operations[5],
            (Operation{.type = OperationType::delete_columns, .key = "r", .columns = {{"a", ""}, {"\xFF", ""}}}));
  EXPECT_EQ(batch_.operations[6].object.size, 5'000'000'000u);
  EXPECT_EQ(batch_.operations[6].object.checksum, 4'294'967'295u);
  EXPECT_EQ(batch_.operations[6].object.id[15], '\xFF');
  EXPECT_EQ(batch_.operations[7], (Operation{.type = OperationType::delete_object, .key = "o"}));
}

TEST_F(Parsing, RecordsOfABatchKnowTheirOperations) {
  ASSERT_TRUE(parse(R"([{"op":"delete","key":"a"},{"op":"delete","key":"b"}])").ok());
  ASSERT_TRUE(parse(R"([])").ok());
  ASSERT_TRUE(parse(R"([{"op":"delete","key":"c"}])").ok());
  ASSERT_EQ(batch_.records.size(), 3u);
  EXPECT_EQ(batch_.records[1].first_operation, 2u);
  EXPECT_EQ(batch_.records[2].first_operation, 2u);
}

TEST_F(Parsing, WhatIsNotUnderstoodAddsNothing) {
  const std::string long_key(records::max_key_bytes + 1, 'k');
  for (const std::string& operations : std::initializer_list<std::string>{
           "1", R"([1])", R"([{}])", R"([{"op":"merge","key":"k"}])", R"([{"op":"put","key":"k"}])",
           R"([{"op":"delete","key":"a"},{"op":"put","key":"k","value":"x"}])", R"([{"op":"delete","key":""}])",
           R"([{"op":"delete","key":1}])", R"([{"op":"delete","keyBase64":"!"}])",
           R"([{"op":"delete","key":")" + long_key + R"("}])", R"([{"op":"put_row","key":"r","columns":[]}])",
           R"([{"op":"put_row","key":"r","columns":{"":""}}])", R"([{"op":"put_row","key":"r","columns":{"a":1}}])",
           R"([{"op":"put_row","key":"r","columnsBase64":{"!":""}}])",
           R"([{"op":"put_lob","key":"o","size":-1,"checksum":0,"object":"000102030405060708090a0b0c0d0eff"}])",
           R"([{"op":"put_lob","key":"o","size":1,"checksum":4294967296,"object":"000102030405060708090a0b0c0d0eff"}])",
           R"([{"op":"put_lob","key":"o","size":1,"checksum":0,"object":"000102030405060708090A0b0c0d0eff"}])",
           R"([{"op":"put_lob","key":"o","size":1,"checksum":0,"object":"00"}])",
           R"([{"op":"delete","key":"a"}])"
           ","}) {
    const auto parsed = parse(operations);
    ASSERT_FALSE(parsed.ok()) << operations;
    EXPECT_TRUE(batch_.empty() && batch_.operations.empty()) << operations;
  }
}

TEST_F(Parsing, HeadsThatAreRefused) {
  for (const std::string_view line :
       {"", "x", "[]", "{}", R"({"segmentId":-1})",
        R"({"segmentId":1,"offset":1,"lsn":1,"version":"","timestamp":"2024-05-01T12:00:00Z","ops":[]})",
        R"({"segmentId":1,"offset":1,"lsn":1,"version":"00000000000000000000","timestamp":"now","ops":[]})",
        R"({"segmentId":1,"offset":1,"version":"00000000000000000000","timestamp":"2024-05-01T12:00:00Z","ops":[]})",
        R"({"segmentId":1,"offset":1,"lsn":1,"version":"00000000000000000000","timestamp":"2024-05-01T12:00:00Z"})"}) {
    EXPECT_FALSE(parse_line(line).ok()) << line;
  }
  EXPECT_FALSE(parse_line(std::string(100'000, '[')).ok());
  EXPECT_TRUE(batch_.empty());
}

TEST(Lines, AreCutWhereverPiecesEnd) {
  const std::string text = "one\n\ntwo two\nthree\n";
  for (size_t step = 1; step <= text.size(); ++step) {
    LineBuffer lines(100);
    std::vector<std::string> found;
    for (size_t at = 0; at < text.size(); at += step) {
      ASSERT_TRUE(lines.append(BytesView(text).substr(at, step)).ok());
      while (const auto line = lines.next()) found.emplace_back(*line);
    }
    EXPECT_EQ(found, (std::vector<std::string>{"one", "", "two two", "three"})) << step;
    EXPECT_EQ(lines.pending_bytes(), 0u);
  }
}

TEST(Lines, HaveALimit) {
  LineBuffer lines(10);
  ASSERT_TRUE(lines.append("0123456789").ok());
  ASSERT_TRUE(lines.append("\n0123456789\n012").ok());
  EXPECT_EQ(lines.next(), "0123456789");
  EXPECT_EQ(lines.next(), "0123456789");
  EXPECT_EQ(lines.next(), std::nullopt);
  ASSERT_TRUE(lines.append("3456789").ok());
  EXPECT_FALSE(lines.append("x").ok());
  LineBuffer whole(10);
  EXPECT_FALSE(whole.append("0123456789x\n").ok());
}

TEST(Timestamps, OfRfc3339) {
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00.000001Z"), 1);
  EXPECT_EQ(parse_timestamp("1970-01-02T00:00:01.5Z"), 86'401'500'000);
  EXPECT_EQ(parse_timestamp("2024-02-29T23:59:59.999999999Z"), 1'709'251'199'999'999);
  for (const char* text : {"", "Z", "1970-01-01T00:00:00", "1970-01-01T00:00:00.Z", "1970-13-01T00:00:00Z",
                           "1970-02-30T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01 00:00:00Z",
                           "1970-01-01T00:00:00.1234567890Z", "1970-01-01T00:00:00+01:00", "197a-01-01T00:00:00Z"}) {
    EXPECT_EQ(parse_timestamp(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace strata::service
