#include "base/coroutine_thread.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/future.h"

namespace strata {
namespace {

TEST(CoroutineThread, FunctionsWaitWithoutHoldingTheThread) {
  Promise<int> first;
  Promise<int> second;
  Future<int> one = first.future();
  Future<int> two = second.future();
  std::atomic<int> sum = 0;
  {
    CoroutineThread thread;
    thread.start([&] {
      sum += one.get().value();
      // Only the other function can make this one go on.
      second.fulfil(2);
    });
    thread.start([&] {
      first.fulfil(1);
      sum += two.get().value();
    });
  }
  EXPECT_EQ(sum, 3);
}

TEST(CoroutineThread, StartsFromItsOwnFunctions) {
  std::atomic<int> ran = 0;
  {
    CoroutineThread thread;
    thread.start([&] {
      for (int i = 0; i < 10; ++i) thread.start([&] { ++ran; });
    });
  }
  EXPECT_EQ(ran, 10);
}

TEST(CoroutineThread, WakeUpsComeFromAnyThread) {
  constexpr int count = 200;
  std::vector<Promise<int>> promises(count);
  std::vector<Future<int>> futures;
  for (auto& promise : promises) futures.push_back(promise.future());
  std::atomic<int> sum = 0;
  std::thread fulfiller;
  {
    CoroutineThread thread;
    for (Future<int>& future : futures) thread.start([&sum, &future] { sum += future.get().value(); });
    fulfiller = std::thread([&] {
      for (auto& promise : promises) promise.fulfil(1);
    });
  }
  fulfiller.join();
  EXPECT_EQ(sum, count);
}

}  // namespace
}  // namespace strata
