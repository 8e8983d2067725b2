#include "service/log_signal.h"

#include <gtest/gtest.h>

#include <thread>

namespace strata::service {
namespace {

TEST(LogSignal, AChangeIsSeenByThoseWhoWaitForIt) {
  LogSignal signal;
  Future<void> mine = signal.changed(1, signal.sequence(1));
  Future<void> others = signal.changed(2, signal.sequence(2));
  signal.notify(1);
  EXPECT_TRUE(mine.is_ready());
  EXPECT_FALSE(others.is_ready());
  signal.wake_all();
  EXPECT_TRUE(others.is_ready());
}

TEST(LogSignal, AChangeBeforeTheWaitIsNotMissed) {
  LogSignal signal;
  const uint64_t seen = signal.sequence(1);
  signal.notify(1);
  EXPECT_TRUE(signal.changed(1, seen).is_ready());
  EXPECT_FALSE(signal.changed(1, signal.sequence(1)).is_ready());
}

TEST(LogSignal, NobodyMissesTheLastOfManyChanges) {
  LogSignal signal;
  constexpr uint64_t changes = 20'000;
  std::thread writer([&] {
    for (uint64_t i = 0; i < changes; ++i) signal.notify(1);
  });
  for (uint64_t seen = 0; seen < changes; seen = signal.sequence(1)) EXPECT_TRUE(signal.changed(1, seen).get().ok());
  writer.join();
}

TEST(LogSignal, WrittenNamespacesAreTakenOnce) {
  LogSignal signal;
  EXPECT_TRUE(signal.take_written().empty());
  for (int i = 0; i < 3; ++i) signal.notify(1);
  signal.notify(2);
  EXPECT_EQ(signal.take_written(), (std::vector<int64_t>{1, 2}));
  EXPECT_TRUE(signal.take_written().empty());
  signal.notify(2);
  EXPECT_EQ(signal.take_written(), std::vector<int64_t>{2});
}

TEST(LogSignal, WhoWaitsForAForgottenNamespaceWakes) {
  LogSignal signal;
  Future<void> change = signal.changed(1, signal.sequence(1));
  signal.forget(1);
  EXPECT_TRUE(change.is_ready());
  EXPECT_EQ(signal.sequence(1), 0u);
}

TEST(LogSignal, ACancelledWaitEnds) {
  LogSignal signal;
  Future<void> change = signal.changed(1, signal.sequence(1));
  change.cancel_handle()();
  EXPECT_FALSE(change.get().ok());
  signal.notify(1);
}

}  // namespace
}  // namespace strata::service
