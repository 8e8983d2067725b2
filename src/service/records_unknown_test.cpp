// Writes that were not told the outcome of an attempt: applied once, or the client is told that nobody knows.
#include <gtest/gtest.h>

#include "engine/memory/memory_engine.h"
#include "layers/records/namespaces.h"
#include "service/intercepted_engine_test.h"
#include "service/records.h"

namespace strata::service {
namespace {

class UnknownResults : public testing::Test {
 protected:
  explicit UnknownResults(const kv::MemoryFaults& faults = {})
      : memory_(std::make_shared<kv::MemoryEngine>()),
        engine_(std::make_shared<kv::InterceptedEngine>(memory_)),
        database_(engine_),
        records_(database_, {.durability = kv::Durability::engine_default, .log_search = {.parts = 20}}) {
    EXPECT_TRUE(records_.open({}).ok());
    memory_->set_faults(faults);
  }

  Result<void> put(BytesView value, std::optional<std::string_view> expected = std::nullopt, BytesView key = "k") {
    const Operation operation{.type = OperationType::put_value, .key = key, .value = value};
    return records_.write({}, {"default", {&operation, 1}, expected});
  }
  std::string version() { return format_version(records_.read_value({}, "default", "k").value().value().stamp()); }
  std::string value() { return std::string(records_.read_value({}, "default", "k").value().value().value()); }
  size_t log_records() {
    return database_
        .read([](const kv::ReadTransaction& transaction) -> Result<size_t> {
          ASSIGN_OR_RETURN(const auto space, records::find_namespace(transaction, "default"));
          ASSIGN_OR_RETURN(const auto stored, records::read_log(transaction, *space, nullptr, 10'000));
          return stored.size();
        })
        .value();
  }
  std::function<void()> others_write(size_t count, BytesView key = "k") {
    return [this, count, key] {
      for (size_t i = 0; i < count; ++i) EXPECT_TRUE(put("theirs", std::nullopt, key).ok());
    };
  }

  std::shared_ptr<kv::MemoryEngine> memory_;
  std::shared_ptr<kv::InterceptedEngine> engine_;
  kv::Database database_;
  Records records_;
};

TEST_F(UnknownResults, AWriteThatCameThroughIsNotAppliedOverLaterOnes) {
  engine_->lose_answer(others_write(1));
  EXPECT_TRUE(put("mine").ok());
  EXPECT_EQ(value(), "theirs");
  EXPECT_EQ(log_records(), 2u);
}

TEST_F(UnknownResults, AWriteThatWasLostIsMade) {
  engine_->lose_commit(others_write(1));
  EXPECT_TRUE(put("mine").ok());
  EXPECT_EQ(value(), "mine");
  EXPECT_EQ(log_records(), 2u);
}

TEST_F(UnknownResults, AConditionHoldsForTheAttemptThatCameThrough) {
  ASSERT_TRUE(put("first").ok());
  engine_->lose_answer();
  EXPECT_TRUE(put("mine", version()).ok());
  EXPECT_EQ(value(), "mine");
  engine_->lose_commit(others_write(1));
  const auto refused = put("mine again", version());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::precondition_failed);
  EXPECT_EQ(value(), "theirs");
}

// Its own record comes first behind what it had read, whatever others write after it.
TEST_F(UnknownResults, AWriteFindsItselfBeforeManyOthers) {
  engine_->lose_answer(others_write(100, "other"));
  EXPECT_TRUE(put("mine").ok());
  EXPECT_EQ(value(), "mine");
}

// A bounded search: whoever cannot find out says so, and does not write again.
TEST_F(UnknownResults, StayUnknownWhereOthersWroteMoreThanARequestMayRead) {
  ASSERT_TRUE(put("before").ok());
  engine_->lose_commit(others_write(19, "other"));
  EXPECT_TRUE(put("mine").ok());
  EXPECT_EQ(value(), "mine");
  const size_t before = log_records();
  engine_->lose_commit(others_write(20, "other"));
  const auto lost = put("mine again");
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().code(), ErrorCode::commit_unknown_result);
  EXPECT_EQ(value(), "mine");
  EXPECT_EQ(log_records(), before + 20);
}

class ManyUnknownResults : public UnknownResults {
 protected:
  ManyUnknownResults() : UnknownResults({.commit_unknown_result_applied = 0.4, .commit_unknown_result_lost = 0.2}) {}
};

TEST_F(ManyUnknownResults, CompareAndSetIsAppliedOnce) {
  constexpr size_t writes = 60;
  ASSERT_TRUE(put("0").ok());
  for (size_t i = 1; i < writes; ++i) {
    const std::string before = version();
    const Result<void> written = put(std::to_string(i), before);
    ASSERT_TRUE(written.ok()) << i << ": " << written.error().message();
    EXPECT_EQ(value(), std::to_string(i));
    const Result<void> stale = put(std::to_string(i), before);
    ASSERT_FALSE(stale.ok());
    EXPECT_EQ(stale.error().code(), ErrorCode::precondition_failed);
  }
  EXPECT_EQ(log_records(), writes);
}

}  // namespace
}  // namespace strata::service
