#include "layers/records/rows.h"

#include "layers/records/store_test.h"

namespace strata::records {
namespace {

using Columns = std::map<Bytes, Bytes>;

class Rows : public RecordsTest {
 protected:
  static std::vector<Column> views(const Columns& columns) {
    std::vector<Column> list;
    for (const auto& [name, value] : columns) list.push_back({name, value});
    return list;
  }
  void put(BytesView key, const Columns& columns) {
    run([&](kv::Transaction& transaction) { return put_row(transaction, space_, key, views(columns)); });
  }
  void remove(BytesView key) {
    run([&](kv::Transaction& transaction) { return delete_row(transaction, space_, key); });
  }
  void remove_columns(BytesView key, const std::vector<BytesView>& names) {
    std::vector<Column> columns;
    for (const BytesView name : names) columns.push_back({name, {}});
    run([&](kv::Transaction& transaction) { return delete_columns(transaction, space_, key, columns); });
  }
  static std::optional<Columns> as_map(const std::optional<StoredRow>& row) {
    if (!row) return std::nullopt;
    Columns columns;
    for (const auto& column : row->columns) columns.emplace(column.name, column.value);
    EXPECT_EQ(columns.size(), row->columns.size());
    return columns;
  }
  std::optional<StoredRow> stored(BytesView key) {
    return read([&](const kv::ReadTransaction& transaction) { return read_row(transaction, space_, key); });
  }
  std::optional<Columns> get(BytesView key) { return as_map(stored(key)); }
  std::optional<Columns> get(BytesView key, const std::vector<BytesView>& names) {
    return as_map(read(
        [&](const kv::ReadTransaction& transaction) { return read_row_columns(transaction, space_, key, names); }));
  }
  size_t large_columns() { return check_chunks(dump(database_, space_), space_); }
};

TEST_F(Rows, PutIsAnUpsertOfColumns) {
  EXPECT_EQ(get("r"), std::nullopt);
  put("r", {{"a", "1"}, {"b", "2"}});
  put("r", {{"b", "3"}, {"c", ""}});
  EXPECT_EQ(get("r"), (Columns{{"a", "1"}, {"b", "3"}, {"c", ""}}));
  EXPECT_EQ(get("r2"), std::nullopt);
}

TEST_F(Rows, APutWithoutColumnsMakesTheRow) {
  put("r", {});
  EXPECT_EQ(get("r"), Columns{});
}

TEST_F(Rows, ReadsNamedColumns) {
  put("r", {{"a", "1"}, {"b", Bytes(200'000, 'b')}, {"c", "3"}});
  EXPECT_EQ(get("r", {"c", "a", "c", "absent"}), (Columns{{"a", "1"}, {"c", "3"}}));
  EXPECT_EQ(get("r", {"b"}), (Columns{{"b", Bytes(200'000, 'b')}}));
  EXPECT_EQ(get("r", {}), Columns{});
  EXPECT_EQ(get("r", {"", Bytes(max_column_bytes + 1, 'x')}), Columns{});
  EXPECT_EQ(get("absent", {"a"}), std::nullopt);
}

TEST_F(Rows, TheRowStaysWithoutItsColumns) {
  put("r", {{"a", "1"}, {"b", Bytes(200'000, 'b')}});
  const Stamp before = stored("r")->stamp;
  remove_columns("r", {"a", "b", "absent"});
  EXPECT_EQ(get("r"), Columns{});
  EXPECT_EQ(large_columns(), 0u);
  EXPECT_GT(stored("r")->stamp, before);
}

TEST_F(Rows, DeletingColumnsOfNoRowMakesNone) {
  remove_columns("r", {"a"});
  EXPECT_EQ(get("r"), std::nullopt);
}

TEST_F(Rows, DeleteLeavesNothingAndNoNeighbourSuffers) {
  const Bytes large(200'000, 'l');
  put("r", {{"a", large}, {"b", "2"}});
  put(Bytes("r\0", 2), {{"a", "near"}});
  put("r\x01", {{"a", "near"}});
  remove("r");
  remove("r");
  EXPECT_EQ(get("r"), std::nullopt);
  EXPECT_EQ(get(Bytes("r\0", 2)), (Columns{{"a", "near"}}));
  EXPECT_EQ(get("r\x01"), (Columns{{"a", "near"}}));
  EXPECT_EQ(large_columns(), 0u);
}

TEST_F(Rows, LargeColumnsAreReplacedWhole) {
  const Bytes large(300'000, 'l');
  put("r", {{"a", large}, {"b", large}});
  EXPECT_EQ(large_columns(), 2u);
  put("r", {{"a", "small"}});
  EXPECT_EQ(get("r"), (Columns{{"a", "small"}, {"b", large}}));
  EXPECT_EQ(large_columns(), 1u);
  put("r", {{"b", Bytes(100'000, 's')}});
  EXPECT_EQ(get("r"), (Columns{{"a", "small"}, {"b", Bytes(100'000, 's')}}));
  EXPECT_EQ(large_columns(), 1u);
}

TEST_F(Rows, AColumnNamedTwiceKeepsItsLastValue) {
  const Bytes large(200'000, 'l');
  const std::vector<Column> columns = {{"a", large}, {"a", "last"}};
  run([&](kv::Transaction& transaction) { return put_row(transaction, space_, "r", columns); });
  EXPECT_EQ(get("r"), (Columns{{"a", "last"}}));
  EXPECT_EQ(large_columns(), 0u);
}

TEST_F(Rows, LimitsOfNamesAndKeys) {
  const Bytes key(max_key_bytes, '\xFF');
  const Bytes name(max_column_bytes, '\xFF');
  put(key, {{name, Bytes(200'000, 'l')}, {Bytes(1, '\0'), "zero"}});
  EXPECT_EQ(get(key), (Columns{{name, Bytes(200'000, 'l')}, {Bytes(1, '\0'), "zero"}}));
  remove_columns(key, {name});
  EXPECT_EQ(get(key), (Columns{{Bytes(1, '\0'), "zero"}}));
  EXPECT_EQ(large_columns(), 0u);
}

TEST_F(Rows, PutsOfOneRowDoNotConflict) {
  kv::Transaction first = database_.create_transaction();
  kv::Transaction second = database_.create_transaction();
  ASSERT_TRUE(put_row(first, space_, "r", views({{"a", "1"}})).ok());
  ASSERT_TRUE(put_row(second, space_, "r", views({{"a", "2"}, {"b", "2"}})).ok());
  EXPECT_TRUE(second.commit().get().ok());
  EXPECT_TRUE(first.commit().get().ok());
  EXPECT_EQ(get("r"), (Columns{{"a", "1"}, {"b", "2"}}));
}

TEST_F(Rows, DeletingColumnsSeesAPutOfTheSameTransaction) {
  run([&](kv::Transaction& transaction) -> Result<void> {
    RETURN_IF_ERROR(put_row(transaction, space_, "r", views({{"a", "1"}, {"b", Bytes(200'000, 'b')}})));
    const std::vector<Column> names = {{"b", {}}};
    return delete_columns(transaction, space_, "r", names);
  });
  EXPECT_EQ(get("r"), (Columns{{"a", "1"}}));
  EXPECT_EQ(large_columns(), 0u);
}

TEST_F(Rows, ARowTooLargeForOneAnswerSaysSo) {
  const Bytes large(8u << 20, 'l');
  for (int i = 0; i < 9; ++i) {
    run([&](kv::Transaction& transaction) {
      transaction.raise_size_limit_to_engine();
      return put_row(transaction, space_, "r", views({{"c" + std::to_string(i), large}}));
    });
  }
  const auto whole =
      database_.read([&](const kv::ReadTransaction& transaction) { return read_row(transaction, space_, "r"); });
  ASSERT_FALSE(whole.ok());
  EXPECT_EQ(whole.error().code(), ErrorCode::payload_too_large);
  EXPECT_EQ(get("r", {"c3"}), (Columns{{"c3", large}}));
}

}  // namespace
}  // namespace strata::records
