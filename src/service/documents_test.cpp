#include "service/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/memory_engine.h"
#include "service/intercepted_engine_test.h"

namespace strata::service {
namespace {

using testing::HasSubstr;

class DocumentsServiceTest : public testing::Test {
 protected:
  DocumentsServiceTest()
      : engine_(std::make_shared<kv::InterceptedEngine>(
            std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{.clock = &clock_}))),
        database_(engine_, kv::DatabaseOptions{.clock = &clock_, .random_seed = 1}),
        documents_(database_, {.clock = &clock_}) {
    EXPECT_TRUE(documents_.make_table({}, {.name = "t"}).ok());
    EXPECT_TRUE(write({.table = "t", .inserts = {{"k", R"({"n":1})"}}}).ok());
  }

  Result<std::vector<BatchCounts>> write(const TableBatch& batch) { return documents_.batch({}, std::span(&batch, 1)); }
  TableBatch increment() {
    TableBatch batch{.table = "t"};
    batch.transforms.push_back({.key = "k", .operations = {{"$inc", "n", "1"}}});
    return batch;
  }
  Bytes text(BytesView key) {
    const auto found = documents_.read({}, "t", key);
    EXPECT_TRUE(found.ok());
    return *found ? (*found)->text : "";
  }

  ManualClock clock_;
  std::shared_ptr<kv::InterceptedEngine> engine_;
  kv::Database database_;
  Documents documents_;
};

TEST_F(DocumentsServiceTest, AWriteThatIsNotToldItsOutcomeHappensOnceOrNever) {
  engine_->lose_answer();
  EXPECT_EQ(write(increment()).error().code(), ErrorCode::commit_unknown_result);
  EXPECT_EQ(text("k"), R"({"n":2})");
  engine_->lose_commit();
  EXPECT_EQ(write(increment()).error().code(), ErrorCode::commit_unknown_result);
  EXPECT_EQ(text("k"), R"({"n":2})");
  EXPECT_TRUE(write(increment()).ok());
  EXPECT_EQ(text("k"), R"({"n":3})");
  const DocumentInsert record{"m", "{}"};
  engine_->lose_answer();
  EXPECT_EQ(documents_.merge({}, {.table = "t", .records = std::span(&record, 1)}).error().code(),
            ErrorCode::commit_unknown_result);
  EXPECT_EQ(text("m"), "{}");
}

TEST_F(DocumentsServiceTest, ATableIsMadeByARequestThatWasNotToldSo) {
  engine_->lose_answer();
  EXPECT_EQ(documents_.make_table({}, {.name = "u"})->table.name, "u");
  EXPECT_THAT(documents_.make_table({}, {.name = "t"}).error().message(), HasSubstr("already exists"));
}

TEST_F(DocumentsServiceTest, AConflictIsTriedAgain) {
  engine_->intercept([&](kv::Engine&, kv::CommitRequest) -> Result<kv::Committed> {
    EXPECT_TRUE(write({.table = "t", .inserts = {{"k", R"({"n":40})"}}}).ok());
    return ErrorCode::not_committed;
  });
  EXPECT_TRUE(write(increment()).ok());
  EXPECT_EQ(text("k"), R"({"n":41})");
}

TEST_F(DocumentsServiceTest, ACachedTableThatWasMadeAnewIsNotRead) {
  EXPECT_EQ(text("k"), R"({"n":1})");
  Documents other(database_, {.clock = &clock_});
  EXPECT_TRUE(other.drop_table({}, "t").ok());
  EXPECT_EQ(documents_.read({}, "t", "k").error().message(), "table not found: t");
  EXPECT_TRUE(other.make_table({}, {.name = "t"}).ok());
  EXPECT_EQ(text("k"), "");
  EXPECT_TRUE(write({.table = "t", .inserts = {{"k", "{}"}}}).ok());
  EXPECT_EQ(text("k"), "{}");
}

TEST_F(DocumentsServiceTest, AScanOfATableThatIsDroppedDoesNotLookWhole) {
  TableBatch batch{.table = "t"};
  const Bytes json = R"({"a":")" + Bytes(1'000, 'x') + R"("})";
  std::vector<Bytes> keys;
  for (int i = 0; i < 500; ++i) keys.push_back("k" + std::to_string(i));
  for (const Bytes& key : keys) batch.inserts.push_back({key, json});
  ASSERT_TRUE(write(batch).ok());
  auto scan = documents_.scan({}, {.table = "t"});
  ASSERT_TRUE(scan.ok());
  EXPECT_TRUE(scan->next({}).ok());
  EXPECT_FALSE(scan->done());
  EXPECT_TRUE(documents_.drop_table({}, "t").ok());
  EXPECT_EQ(scan->next({}).error().code(), ErrorCode::not_found);
  EXPECT_TRUE(documents_.make_table({}, {.name = "t"}).ok());
  EXPECT_EQ(scan->next({}).error().code(), ErrorCode::not_found);
}

TEST_F(DocumentsServiceTest, ADeadlineIsKept) {
  const Context late{.deadline_steady_us = clock_.steady_us() - 1};
  const TableBatch batch = increment();
  EXPECT_EQ(documents_.batch(late, std::span(&batch, 1)).error().code(), ErrorCode::transaction_timed_out);
}

}  // namespace
}  // namespace strata::service
