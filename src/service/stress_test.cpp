#include "service/stress.h"

#include <gtest/gtest.h>

namespace strata::service {
namespace {

TEST(LatencyHistogram, PercentilesAreWithinAThirtySecond) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.percentile_us(0.5), 0);
  for (int64_t us = 1; us <= 100'000; ++us) histogram.add(us);
  EXPECT_EQ(histogram.count(), 100'000u);
  EXPECT_EQ(histogram.max_us(), 100'000);
  for (const double fraction : {0.00001, 0.001, 0.5, 0.9, 0.99, 0.99999}) {
    const double exact = fraction * 100'000;
    const auto found = static_cast<double>(histogram.percentile_us(fraction));
    EXPECT_GE(found, exact - 1e-6) << fraction;
    EXPECT_LE(found, exact * 33 / 32) << fraction;
  }
  EXPECT_EQ(histogram.percentile_us(1), 100'000);
}

TEST(LatencyHistogram, AddsUpAndTakesAnything) {
  LatencyHistogram one;
  LatencyHistogram other;
  one.add(-5);
  one.add(7);
  other.add(INT64_MAX);
  one.add(other);
  EXPECT_EQ(one.count(), 3u);
  EXPECT_EQ(one.percentile_us(0.1), 0);
  EXPECT_EQ(one.percentile_us(0.5), 7);
  EXPECT_EQ(one.max_us(), INT64_MAX);
}

}  // namespace
}  // namespace strata::service
