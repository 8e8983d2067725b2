#include "layers/records/apply.h"

#include "layers/records/rows.h"
#include "layers/records/store_test.h"
#include "layers/records/values.h"

namespace strata::records {
namespace {

class Apply : public RecordsTest {
 protected:
  void write(const std::vector<Operation>& operations) {
    run([&](kv::Transaction& transaction) {
      transaction.raise_size_limit_to_engine();
      return apply(transaction, space_, operations, 1);
    });
  }
  Bytes get(BytesView key) {
    const auto stored =
        read([&](const kv::ReadTransaction& transaction) { return read_value(transaction, space_, key); });
    return stored ? Bytes(stored->value()) : "<absent>";
  }
  size_t large_values() { return check_chunks(dump(database_, space_), space_); }

  static Operation put(BytesView key, BytesView value) {
    return {.type = OperationType::put_value, .key = key, .value = value};
  }
  static Operation remove(BytesView key) { return {.type = OperationType::delete_value, .key = key}; }

  const Bytes large_ = Bytes(200'000, 'l');
  std::vector<Operation> many_ = std::vector<Operation>(20, put("filler", "f"));
};

TEST_F(Apply, ManyOperationsReplaceLargeValues) {
  write({put("a", large_), put("b", large_), put("c", large_)});
  EXPECT_EQ(large_values(), 3u);
  many_.push_back(put("a", "small"));
  many_.push_back(remove("b"));
  write(many_);
  EXPECT_EQ(get("a"), "small");
  EXPECT_EQ(get("b"), "<absent>");
  EXPECT_EQ(get("c"), large_);
  EXPECT_EQ(large_values(), 1u);
}

TEST_F(Apply, ManyOperationsReplaceTheLargeValuesAmongThem) {
  many_.push_back(put("a", large_));
  many_.push_back(put("b", large_));
  many_.push_back(put("c", large_));
  many_.push_back(put("a", "small"));
  many_.push_back(remove("b"));
  write(many_);
  EXPECT_EQ(get("a"), "small");
  EXPECT_EQ(get("b"), "<absent>");
  EXPECT_EQ(get("c"), large_);
  EXPECT_EQ(large_values(), 1u);
}

TEST_F(Apply, ManyOperationsThatMissedTheFirstLargeValueConflict) {
  kv::Transaction batch = database_.create_transaction();
  many_.push_back(put("a", "small"));
  ASSERT_TRUE(apply(batch, space_, many_, 1).ok());
  write({put("a", large_)});
  EXPECT_EQ(batch.commit().get().error().code(), ErrorCode::not_committed);
}

TEST_F(Apply, ManyOperationsDoNotConflictWithSmallOnes) {
  kv::Transaction batch = database_.create_transaction();
  ASSERT_TRUE(apply(batch, space_, many_, 1).ok());
  write({put("filler", "other"), {.type = OperationType::put_row, .key = "r", .columns = {{"c", large_}}}});
  EXPECT_TRUE(batch.commit().get().ok());
  EXPECT_EQ(get("filler"), "f");
}

// The limit is on bytes written, not on what conflict ranges add to each column.
TEST_F(Apply, ManyColumnsUnderTheLongestRowKey) {
  const Bytes key(max_key_bytes, 'r');
  std::vector<Bytes> names;
  for (int i = 0; i < 5'000; ++i) names.push_back("column " + std::to_string(i));
  Operation operation{.type = OperationType::put_row, .key = key};
  for (const Bytes& name : names) operation.columns.push_back({name, name});
  write({operation});
  const auto row = read([&](const kv::ReadTransaction& transaction) { return read_row(transaction, space_, key); });
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->columns.size(), names.size());
}

}  // namespace
}  // namespace strata::records
