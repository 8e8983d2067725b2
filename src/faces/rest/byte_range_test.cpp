#include "faces/rest/byte_range.h"

#include <gtest/gtest.h>

#include <string>

namespace strata::rest {
namespace {

std::string range_of(std::string_view header, uint64_t size) {
  const auto range = parse_byte_range(header, size);
  return range ? std::to_string(range->first) + "+" + std::to_string(range->count) : "whole";
}

TEST(ByteRange, WhatIsAskedFor) {
  EXPECT_EQ(range_of("bytes=0-0", 10), "0+1");
  EXPECT_EQ(range_of("bytes=2-5", 10), "2+4");
  EXPECT_EQ(range_of("bytes=2-", 10), "2+8");
  EXPECT_EQ(range_of("bytes=-3", 10), "7+3");
  EXPECT_EQ(range_of("Bytes = 2 - 5 ", 10), "2+4");
  EXPECT_EQ(range_of("bytes=9-100", 10), "9+1");
  EXPECT_EQ(range_of("bytes=-100", 10), "0+10");
  EXPECT_EQ(range_of("bytes=0-99999999999999999999999", 10), "0+10");
}

TEST(ByteRange, BehindTheEnd) {
  EXPECT_EQ(range_of("bytes=10-", 10), "10+0");
  EXPECT_EQ(range_of("bytes=10-20", 10), "10+0");
  EXPECT_EQ(range_of("bytes=-0", 10), "10+0");
  EXPECT_EQ(range_of("bytes=0-", 0), "0+0");
  EXPECT_EQ(range_of("bytes=99999999999999999999999-", 10), "18446744073709551615+0");
}

TEST(ByteRange, NotUnderstoodIsTheWhole) {
  for (const std::string_view header : {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=5-2",
                                        "bytes=0-1,3-4", "items=0-1", "bytes=+1-2", "bytes=1-2x", "bytes=--1"}) {
    EXPECT_EQ(range_of(header, 10), "whole") << header;
  }
  EXPECT_EQ(range_of("bytes=-5", 0), "whole");
}

TEST(EntityTags, Lists) {
  EXPECT_TRUE(lists_tag("\"a\"", "a", false));
  EXPECT_TRUE(lists_tag("a", "a", false));
  EXPECT_TRUE(lists_tag("\"b\" , \"a\"", "a", false));
  EXPECT_TRUE(lists_tag(" * ", "a", false));
  EXPECT_TRUE(lists_tag("W/\"a\"", "a", true));
  EXPECT_FALSE(lists_tag("W/\"a\"", "a", false));
  EXPECT_FALSE(lists_tag("\"b\"", "a", true));
  EXPECT_FALSE(lists_tag("", "a", true));
}

}  // namespace
}  // namespace strata::rest
