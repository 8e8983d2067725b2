#include "service/tasks.h"

#include <gtest/gtest.h>

#include "base/future.h"

namespace strata::service {
namespace {

// Ends a task when the test says so.
struct Gate {
  Promise<void> entered;
  Promise<void> leave;
  Tasks::Function function() {
    return [this](TaskProgress& progress) -> Result<void> {
      progress.set_total(10);
      progress.set_done(4);
      progress.set_message("half way");
      entered.fulfil(Result<void>());
      RETURN_IF_ERROR(leave.future().get());
      return progress.check();
    };
  }
};

TaskInfo wait_for_end(const Tasks& tasks, const std::string& id) {
  for (;;) {
    const TaskInfo info = tasks.find(id).value();
    if (info.ended_us != 0) return info;
    std::this_thread::yield();
  }
}

TEST(Tasks, AreWatchedWhileTheyRun) {
  ManualClock clock;
  Tasks tasks(clock);
  Gate gate;
  const std::string id = tasks.start("work", R"({"table":"t"})", gate.function()).value();
  EXPECT_EQ(id.size(), 36u);
  EXPECT_EQ(id[14], '4');
  ASSERT_TRUE(gate.entered.future().get().ok());
  clock.advance_us(2'000'000);
  const TaskInfo info = tasks.find(id).value();
  EXPECT_EQ(info.status, TaskStatus::running);
  EXPECT_EQ(info.type, "work");
  EXPECT_EQ(info.arguments, R"({"table":"t"})");
  EXPECT_EQ(info.done, 4u);
  EXPECT_EQ(info.total, 10u);
  EXPECT_EQ(info.message, "half way");
  EXPECT_EQ(info.left_us, 3'000'000);
  EXPECT_EQ(info.ended_us, 0);
  gate.leave.fulfil(Result<void>());
  const TaskInfo ended = wait_for_end(tasks, id);
  EXPECT_EQ(ended.status, TaskStatus::completed);
  EXPECT_EQ(ended.error, "");
  EXPECT_FALSE(ended.left_us);
}

TEST(Tasks, FailuresSayWhy) {
  Tasks tasks;
  const std::string id =
      tasks.start("work", "{}", [](TaskProgress&) { return Result<void>(Error(ErrorCode::disk_full)); }).value();
  const TaskInfo ended = wait_for_end(tasks, id);
  EXPECT_EQ(ended.status, TaskStatus::failed);
  EXPECT_EQ(ended.error, error_message(ErrorCode::disk_full));
}

TEST(Tasks, OneThatRunsIsToldToEnd) {
  Tasks tasks;
  Gate gate;
  const std::string id = tasks.start("work", "{}", gate.function()).value();
  ASSERT_TRUE(gate.entered.future().get().ok());
  EXPECT_EQ(tasks.cancel(id).value().status, TaskStatus::running);
  gate.leave.fulfil(Result<void>());
  EXPECT_EQ(wait_for_end(tasks, id).status, TaskStatus::cancelled);
  // Too late: it stays what it is.
  EXPECT_EQ(tasks.cancel(id).value().status, TaskStatus::cancelled);
}

TEST(Tasks, OneThatWaitsIsCancelledAtOnce) {
  Gate gates[Tasks::max_running];
  Tasks tasks;
  for (Gate& gate : gates) ASSERT_TRUE(tasks.start("work", "{}", gate.function()).ok());
  for (Gate& gate : gates) ASSERT_TRUE(gate.entered.future().get().ok());
  bool ran = false;
  const std::string id = tasks
                             .start("work", "{}",
                                    [&](TaskProgress&) {
                                      ran = true;
                                      return Result<void>();
                                    })
                             .value();
  EXPECT_EQ(tasks.find(id).value().status, TaskStatus::pending);
  EXPECT_EQ(tasks.cancel(id).value().status, TaskStatus::cancelled);
  for (Gate& gate : gates) gate.leave.fulfil(Result<void>());
  tasks.stop();
  EXPECT_FALSE(ran);
}

TEST(Tasks, AreListedNewestFirstAndForgottenInTheEnd) {
  Tasks tasks;
  std::vector<std::string> ids;
  for (size_t i = 0; i < Tasks::max_ended + 5; ++i) {
    ids.push_back(tasks.start("work", "{}", [](TaskProgress&) { return Result<void>(); }).value());
    wait_for_end(tasks, ids.back());
  }
  const std::vector<TaskInfo> listed = tasks.list();
  ASSERT_EQ(listed.size(), Tasks::max_ended);
  for (size_t i = 0; i < listed.size(); ++i) EXPECT_EQ(listed[i].id, ids[ids.size() - 1 - i]);
  EXPECT_EQ(tasks.find(ids.front()).error().code(), ErrorCode::not_found);
  EXPECT_EQ(tasks.cancel("nobody").error().code(), ErrorCode::not_found);
}

TEST(Tasks, TooManyAreRefused) {
  Gate gates[Tasks::max_running];
  Tasks tasks;
  for (Gate& gate : gates) ASSERT_TRUE(tasks.start("work", "{}", gate.function()).ok());
  for (Gate& gate : gates) ASSERT_TRUE(gate.entered.future().get().ok());
  const auto nothing = [](TaskProgress&) { return Result<void>(); };
  for (size_t i = 0; i < Tasks::max_waiting; ++i) ASSERT_TRUE(tasks.start("work", "{}", nothing).ok());
  EXPECT_EQ(tasks.start("work", "{}", nothing).error().code(), ErrorCode::too_many_requests);
  for (Gate& gate : gates) gate.leave.fulfil(Result<void>());
}

TEST(Tasks, StopCancelsWhatRuns) {
  Tasks tasks;
  Promise<void> entered;
  const std::string id = tasks
                             .start("work", "{}",
                                    [&](TaskProgress& progress) -> Result<void> {
                                      entered.fulfil(Result<void>());
                                      while (progress.check().ok()) std::this_thread::yield();
                                      return progress.check();
                                    })
                             .value();
  ASSERT_TRUE(entered.future().get().ok());
  tasks.stop();
  EXPECT_EQ(tasks.find(id).value().status, TaskStatus::cancelled);
  EXPECT_EQ(tasks.start("work", "{}", [](TaskProgress&) { return Result<void>(); }).error().code(),
            ErrorCode::unavailable);
}

}  // namespace
}  // namespace strata::service
