#include "base/coroutine.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/future.h"

namespace strata {
namespace {

// A loop that runs a pool's ready coroutines on the test's thread.
class TestLoop final : public ReadyListener {
 public:
  void on_ready() override {
    std::lock_guard lock(mutex_);
    ready_ = true;
    ++wakes;
    condition_.notify_one();
  }
  void run_until_idle(CoroutinePool& pool) {
    while (pool.running() > 0) {
      {
        std::unique_lock lock(mutex_);
        condition_.wait(lock, [this] { return ready_; });
        ready_ = false;
      }
      pool.run_ready();
    }
  }
  int wakes = 0;

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool ready_ = false;
};

void start(CoroutinePool& pool, std::function<void()>& function) {
  ASSERT_TRUE(pool.start([](void* argument) { (*static_cast<std::function<void()>*>(argument))(); }, &function));
}

TEST(Coroutine, RunsToItsEndWithoutWaiting) {
  TestLoop loop;
  CoroutinePool pool(loop);
  int ran = 0;
  std::function<void()> function = [&] {
    EXPECT_NE(CoroutinePool::current(), nullptr);
    ++ran;
  };
  start(pool, function);
  start(pool, function);
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(pool.running(), 0u);
  EXPECT_EQ(CoroutinePool::current(), nullptr);
}

TEST(Coroutine, FutureSuspendsItAndAnotherThreadWakesIt) {
  TestLoop loop;
  CoroutinePool pool(loop);
  Promise<int> promise;
  Future<int> future = promise.future();
  std::thread::id before;
  std::thread::id after;
  int value = 0;
  std::function<void()> function = [&] {
    before = std::this_thread::get_id();
    value = future.get().value();
    after = std::this_thread::get_id();
  };
  start(pool, function);
  EXPECT_EQ(value, 0);
  EXPECT_EQ(pool.running(), 1u);
  std::thread thread([&] { promise.fulfil(42); });
  loop.run_until_idle(pool);
  thread.join();
  EXPECT_EQ(value, 42);
  EXPECT_EQ(before, after);
}

TEST(Coroutine, ReadyFutureDoesNotSuspend) {
  TestLoop loop;
  CoroutinePool pool(loop);
  std::function<void()> function = [] { EXPECT_EQ(Future<int>(3).get().value(), 3); };
  start(pool, function);
  EXPECT_EQ(pool.running(), 0u);
  EXPECT_EQ(loop.wakes, 0);
}

TEST(Coroutine, ResumeInsideArmReturnsAtOnce) {
  TestLoop loop;
  CoroutinePool pool(loop);
  bool done = false;
  std::function<void()> function = [&] {
    current_suspender()->suspend_until([](std::function<void()> resume) { resume(); });
    done = true;
  };
  start(pool, function);
  EXPECT_TRUE(done);
  EXPECT_EQ(loop.wakes, 0);
}

TEST(Coroutine, SuspendHookRunsOnlyWhenItWaits) {
  TestLoop loop;
  CoroutinePool pool(loop);
  int hooked = 0;
  Promise<int> promise;
  Future<int> future = promise.future();
  std::function<void()> function = [&] {
    CoroutinePool::current()->on_suspend([](void* count) { ++*static_cast<int*>(count); }, &hooked);
    EXPECT_TRUE(Future<int>(1).get().ok());
    EXPECT_EQ(hooked, 0);
    EXPECT_TRUE(future.get().ok());
  };
  start(pool, function);
  EXPECT_EQ(hooked, 1);
  promise.fulfil(0);
  loop.run_until_idle(pool);
  // The next user of the stack starts without it.
  Promise<int> second;
  Future<int> second_future = second.future();
  function = [&] { EXPECT_TRUE(second_future.get().ok()); };
  start(pool, function);
  EXPECT_EQ(hooked, 1);
  second.fulfil(0);
  loop.run_until_idle(pool);
}

TEST(Coroutine, OneWakesAnotherOnTheSameThread) {
  TestLoop loop;
  CoroutinePool pool(loop);
  Promise<int> promise;
  Future<int> future = promise.future();
  std::string order;
  std::function<void()> waiter = [&] {
    order += "wait ";
    EXPECT_TRUE(future.get().ok());
    order += "woken ";
  };
  std::function<void()> waker = [&] {
    promise.fulfil(1);
    order += "fulfilled ";
  };
  start(pool, waiter);
  start(pool, waker);
  loop.run_until_idle(pool);
  EXPECT_EQ(order, "wait fulfilled woken ");
}

TEST(Coroutine, IdleStacksAreBounded) {
  TestLoop loop;
  CoroutinePool pool(loop, {.stack_bytes = 65'536, .max_idle = 2});
  std::vector<Promise<int>> promises(8);
  std::vector<std::function<void()>> functions;
  for (auto& promise : promises) {
    functions.emplace_back(
        [future = std::make_shared<Future<int>>(promise.future())] { EXPECT_TRUE(future->get().ok()); });
  }
  for (auto& function : functions) start(pool, function);
  EXPECT_EQ(pool.running(), 8u);
  for (auto& promise : promises) promise.fulfil(0);
  loop.run_until_idle(pool);
  EXPECT_EQ(pool.running(), 0u);
}

// Many coroutines that wait many times for a thread that answers: nothing is lost, nothing runs twice.
TEST(Coroutine, ManyWaitsAgainstAnAnsweringThread) {
  TestLoop loop;
  CoroutinePool pool(loop);
  std::mutex mutex;
  std::condition_variable condition;
  std::deque<Promise<int>> asked;
  bool ending = false;
  std::thread answerer([&] {
    std::unique_lock lock(mutex);
    for (;;) {
      condition.wait(lock, [&] { return ending || !asked.empty(); });
      if (asked.empty()) return;
      Promise<int> promise = std::move(asked.front());
      asked.pop_front();
      lock.unlock();
      promise.fulfil(1);
      lock.lock();
    }
  });
  int sum = 0;
  std::function<void()> function = [&] {
    for (int i = 0; i < 200; ++i) {
      Promise<int> promise;
      Future<int> future = promise.future();
      {
        std::lock_guard lock(mutex);
        asked.push_back(std::move(promise));
      }
      condition.notify_one();
      sum += future.get().value();
    }
  };
  for (int i = 0; i < 50; ++i) start(pool, function);
  loop.run_until_idle(pool);
  EXPECT_EQ(sum, 10'000);
  {
    std::lock_guard lock(mutex);
    ending = true;
  }
  condition.notify_one();
  answerer.join();
}

}  // namespace
}  // namespace strata
