#include "base/future.h"

#include <gtest/gtest.h>

#include <thread>

namespace strata {
namespace {

TEST(Future, ReadyValueIsTakenOnce) {
  Future<int> future(7);
  EXPECT_TRUE(future.is_ready());
  EXPECT_EQ(future.get().value(), 7);
  EXPECT_FALSE(future.valid());
}

TEST(Future, GetBlocksUntilAnotherThreadFulfils) {
  Promise<int> promise;
  Future<int> future = promise.future();
  EXPECT_FALSE(future.is_ready());
  std::thread thread([&] { promise.fulfil(3); });
  EXPECT_EQ(future.get().value(), 3);
  thread.join();
}

TEST(Future, AbandonedPromiseAnswersCancelled) {
  Future<int> future;
  {
    Promise<int> promise;
    future = promise.future();
  }
  EXPECT_EQ(future.get().error().code(), ErrorCode::operation_cancelled);
}

TEST(Future, FirstFulfilmentCounts) {
  Promise<int> promise;
  Future<int> future = promise.future();
  promise.fulfil(1);
  promise.fulfil(2);
  EXPECT_EQ(future.get().value(), 1);
}

TEST(Future, ThenChainsValuesResultsAndFutures) {
  Promise<int> promise;
  auto chained = promise.future()
                     .then([](Result<int> r) { return *r + 1; })
                     .then([](Result<int> r) -> Result<int> { return *r * 2; })
                     .then([](Result<int> r) { return Future<std::string>(std::to_string(*r)); });
  EXPECT_FALSE(chained.is_ready());
  promise.fulfil(4);
  EXPECT_EQ(chained.get().value(), "10");
}

TEST(Future, ThenRunsInlineWhenReady) {
  bool ran = false;
  auto future = Future<void>(Result<void>()).then([&](Result<void> r) {
    ran = r.ok();
    return r;
  });
  EXPECT_TRUE(ran);
  EXPECT_TRUE(future.get().ok());
}

TEST(Future, CancelTellsTheSourceThroughThen) {
  Promise<int> promise;
  bool told = false;
  auto source = promise.future();
  promise.on_cancel([&] { told = true; });
  auto chained = source.then([](Result<int> r) { return r; });
  chained.cancel();
  EXPECT_TRUE(told);
  EXPECT_EQ(chained.get().error().code(), ErrorCode::operation_cancelled);
}

TEST(Future, CancelTellsTheSecondSourceOnceTheFirstHasAnswered) {
  Promise<int> first;
  Promise<int> second;
  bool told = false;
  second.on_cancel([&] { told = true; });
  Future<int> both = first.future().then([&second](Result<int>) { return second.future(); });
  first.fulfil(1);
  EXPECT_FALSE(both.is_ready());
  both.cancel();
  EXPECT_TRUE(told);
  EXPECT_EQ(both.get().error().code(), ErrorCode::operation_cancelled);
}

TEST(Future, OnReadyRunsOnceOnFulfil) {
  Promise<int> promise;
  int calls = 0;
  promise.future().on_ready([&](Result<int> r) { calls += *r; });
  promise.fulfil(5);
  promise.fulfil(6);
  EXPECT_EQ(calls, 5);
}

// A suspender that hands the coroutine's turn back at once: resume is called inside arm or on another thread.
class CountingSuspender final : public Suspender {
 public:
  void suspend_until(const std::function<void(std::function<void()>)>& arm) override {
    ++suspended;
    Promise<int> done;
    auto future = done.future();
    Suspender* before = set_current_suspender(nullptr);
    arm([&] { done.fulfil(0); });
    EXPECT_TRUE(future.get().ok());
    set_current_suspender(before);
  }
  int suspended = 0;
};

TEST(Future, GetUsesTheCurrentSuspender) {
  CountingSuspender suspender;
  Promise<int> promise;
  Future<int> future = promise.future();
  set_current_suspender(&suspender);
  std::thread thread([&] { promise.fulfil(9); });
  EXPECT_EQ(future.get().value(), 9);
  thread.join();
  EXPECT_EQ(Future<int>(1).get().value(), 1);
  set_current_suspender(nullptr);
  EXPECT_LE(suspender.suspended, 1);
}

}  // namespace
}  // namespace strata
