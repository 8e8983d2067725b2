#include "layers/records/staged_operations.h"

#include "base/random.h"
#include "layers/records/apply.h"
#include "layers/records/store_test.h"

namespace strata::records {
namespace {

class Staged : public RecordsTest {
 protected:
  void stage(const TransactionId& id, uint32_t sequence, const Operation& operation) {
    run([&](kv::Transaction& transaction) -> Result<void> {
      stage_operation(transaction, space_, id, test_object_id(9), sequence, operation);
      return {};
    });
  }
  Result<StagedOperations> read_back(const TransactionId& id, uint32_t count) {
    return database_.read(
        [&](const kv::ReadTransaction& transaction) { return read_staged(transaction, space_, id, count); });
  }
  const TransactionId one_ = test_object_id(1);
  const TransactionId other_ = test_object_id(2);
};

TEST_F(Staged, ComesBackInOrderAndGoesWhole) {
  const Bytes large(300'000, 'l');
  const std::vector<Operation> operations = {
      {.type = OperationType::put_value, .key = "a", .value = "1"},
      {.type = OperationType::put_value, .key = "b", .value = large},
      {.type = OperationType::put_row, .key = "row", .columns = {{"c", large}, {"d", ""}}},
      {.type = OperationType::delete_value, .key = "a"},
  };
  for (uint32_t i = 0; i < operations.size(); ++i) stage(one_, i, operations[i]);
  stage(other_, 0, operations[3]);
  const auto staged = read_back(one_, 4);
  ASSERT_TRUE(staged.ok());
  EXPECT_EQ(staged->operations, operations);
  EXPECT_EQ(read_back(other_, 1)->operations[0], operations[3]);

  run([&](kv::Transaction& transaction) -> Result<void> {
    EXPECT_TRUE(*has_staged(transaction, space_, one_));
    clear_staged(transaction, space_, one_);
    EXPECT_FALSE(*has_staged(transaction, space_, one_));
    return {};
  });
  EXPECT_EQ(dump(database_, space_).size(), 2u);
  run([&](kv::Transaction& transaction) { return clear_all_staged(transaction, space_); });
  EXPECT_TRUE(dump(database_, space_).empty());
}

TEST_F(Staged, WhatIsMissingOrDamagedIsCorruption) {
  const Operation operation{.type = OperationType::put_value, .key = "a", .value = "1"};
  stage(one_, 0, operation);
  stage(one_, 1, operation);
  EXPECT_TRUE(read_back(one_, 2).ok());
  EXPECT_EQ(read_back(one_, 1).error().code(), ErrorCode::corruption);
  EXPECT_EQ(read_back(one_, 3).error().code(), ErrorCode::corruption);
  const auto change = [&](uint32_t sequence, BytesView value) {
    run([&](kv::Transaction& transaction) -> Result<void> {
      const Bytes key = staged_operation_key(space_, one_, sequence, 0);
      value.empty() ? transaction.clear(key) : transaction.set(key, value);
      return {};
    });
  };
  change(1, "x");
  EXPECT_EQ(read_back(one_, 2).error().code(), ErrorCode::corruption);
  change(0, "");
  EXPECT_EQ(read_back(one_, 1).error().code(), ErrorCode::corruption);
}

// The bound is what lets an append promise that the commit will fit.
TEST_F(Staged, TheBoundOfACommitHolds) {
  Random random(17);
  const Bytes bytes(300'000, 'b');
  const auto some = [&](size_t most) { return BytesView(bytes).substr(0, random.below(most)); };
  // Without a NUL the longer one is another key; few keys, so that large values and rows replace each other.
  const auto key = [&] { return BytesView(bytes).substr(0, random.one_in(2) ? 1 : 1 + random.below(max_key_bytes)); };
  for (int round = 0; round < 150; ++round) {
    std::vector<Operation> operations;
    size_t most = most_empty_commit_bytes;
    for (size_t count = 1 + random.below(40); count > 0; --count) {
      Operation operation{.type = static_cast<OperationType>(1 + random.below(7)), .key = key()};
      const bool row = operation.type == OperationType::put_row || operation.type == OperationType::delete_columns;
      if (operation.type == OperationType::put_value) operation.value = some(random.one_in(4) ? 300'000 : 100);
      for (size_t columns = row ? random.below(8) : 0; columns > 0; --columns) {
        operation.columns.push_back({.name = BytesView(bytes).substr(0, 1 + random.below(max_column_bytes))});
        if (operation.type == OperationType::put_row)
          operation.columns.back().value = some(random.one_in(4) ? 200'000 : 9);
      }
      operation.object.id = test_object_id(static_cast<int>(random.below(9)));
      most += most_commit_bytes(operation);
      operations.push_back(std::move(operation));
    }
    kv::Transaction transaction = database_.create_transaction();
    transaction.raise_size_limit_to_engine();
    clear_staged(transaction, space_, one_);
    const auto applied = apply(transaction, space_, operations, 1);
    ASSERT_TRUE(applied.ok()) << applied.error().message();
    EXPECT_LE(static_cast<size_t>(*transaction.get_approximate_size().get()), most) << round;
    ASSERT_TRUE(transaction.commit().get().ok());
  }
}

}  // namespace
}  // namespace strata::records
