#include "app/file_options.h"

#include <gtest/gtest.h>

namespace strata::app {
namespace {

TEST(FileOptions, Durations) {
  EXPECT_EQ(parse_duration_ms("10"), 10'000);
  EXPECT_EQ(parse_duration_ms("30s"), 30'000);
  EXPECT_EQ(parse_duration_ms("5M"), 300'000);
  EXPECT_EQ(parse_duration_ms("250ms"), 250);
  EXPECT_EQ(parse_duration_ms("24h"), 86'400'000);
  for (const char* text :
       {"", "s", "0s", "-1s", "1.5s", "5 s", "25h", "1d", "99999999999999999999s", "20000000000000000m"}) {
    EXPECT_EQ(parse_duration_ms(text), std::nullopt) << text;
  }
}

TEST(FileOptions, Sizes) {
  EXPECT_EQ(parse_file_size("0"), 0u);
  EXPECT_EQ(parse_file_size("512b"), 512u);
  EXPECT_EQ(parse_file_size("1KB"), 1'024u);
  EXPECT_EQ(parse_file_size("1mb"), 1u << 20);
  EXPECT_EQ(parse_file_size("1gb"), 1u << 30);
  for (const char* text : {"", "kb", "-1", "2gb", "1tb", "1k b", "17179869184gb"}) {
    EXPECT_EQ(parse_file_size(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace strata::app
