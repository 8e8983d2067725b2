#include "base/timer.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace strata {
namespace {

TEST(Timer, NoDelayIsReadyAtOnce) {
  EXPECT_TRUE(sleep_us(0).is_ready());
  EXPECT_TRUE(sleep_us(-5).is_ready());
}

TEST(Timer, IsNotEarlyAndKeepsOrder) {
  const int64_t start_us = system_clock().steady_us();
  Future<void> later = sleep_us(20'000);
  Future<void> sooner = sleep_us(5'000);
  EXPECT_TRUE(sooner.get().ok());
  EXPECT_GE(system_clock().steady_us() - start_us, 5'000);
  EXPECT_TRUE(later.get().ok());
  EXPECT_GE(system_clock().steady_us() - start_us, 20'000);
}

}  // namespace
}  // namespace strata
