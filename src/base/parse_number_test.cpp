#include "base/parse_number.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace strata {
namespace {

TEST(ParseNumber, TheWholeTextIsTheNumber) {
  EXPECT_EQ(parse_number<uint64_t>("0"), 0u);
  EXPECT_EQ(parse_number<uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_number<int64_t>("-9223372036854775808"), INT64_MIN);
  for (const char* text : {"", " 1", "1 ", "+1", "-1", "1.0", "0x1", "1e3", "18446744073709551616"}) {
    EXPECT_FALSE(parse_number<uint64_t>(text)) << text;
  }
}

}  // namespace
}  // namespace strata
