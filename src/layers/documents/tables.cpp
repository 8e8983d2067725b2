#include "layers/documents/tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/utf8.h"

namespace strata::documents {
namespace {

constexpr char format = 1;
// The same while a backup copies the table.
constexpr char copied_format = 2;
constexpr size_t fixed_bytes = 1 + 8 + 8 + 4;

Error broken() { return Error(ErrorCode::corruption, "the row of a table is broken"); }

void append_text(Bytes& out, BytesView text) {
  append_le32(out, static_cast<uint32_t>(text.size()));
  out.append(text);
}

bool take_text(BytesView& in, Bytes& text) {
  if (in.size() < 4) return false;
  const size_t size = read_le32(in);
  in.remove_prefix(4);
  if (in.size() < size) return false;
  text = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}

Bytes encode(const Table& table) {
  Bytes row(1, table.is_copied ? copied_format : format);
  append_le64(row, static_cast<uint64_t>(table.number));
  append_le64(row, static_cast<uint64_t>(table.created_us));
  append_le32(row, table.options.shards);
  append_text(row, table.options.description);
  append_text(row, table.options.schema);
  append_indexes(row, table.indexes, table.next_index);
  return row;
}

Result<Table> decode(std::string_view name, BytesView row) {
  if (row.size() < fixed_bytes || (row[0] != format && row[0] != copied_format)) return broken();
  Table table{.name = std::string(name)};
  table.is_copied = row[0] == copied_format;
  table.number = static_cast<int64_t>(read_le64(row.substr(1)));
  table.created_us = static_cast<int64_t>(read_le64(row.substr(9)));
  table.options.shards = read_le32(row.substr(17));
  row.remove_prefix(fixed_bytes);
  if (table.number <= 0 || !take_text(row, table.options.description) || !take_text(row, table.options.schema)) {
    return broken();
  }
  RETURN_IF_ERROR(take_indexes(row, table.indexes, table.next_index));
  table.prefix = table_prefix(table.number);
  return table;
}

}  // namespace

Result<void> validate_table_options(const TableOptions& options) {
  if (options.shards == 0 || options.shards > max_shards) {
    return Error(ErrorCode::invalid_argument, fmt::format("num_shards must be 1 to {}", max_shards));
  }
  if (text::count_code_points(options.description) > max_table_description_letters) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("description has at most {} letters", max_table_description_letters));
  }
  if (options.schema.size() > max_schema_bytes) {
    return Error(ErrorCode::invalid_argument, fmt::format("schema has at most {} bytes", max_schema_bytes));
  }
  return {};
}

Result<std::optional<Table>> find_table(const kv::ReadTransaction& transaction, std::string_view name) {
  if (!table_names.may_exist(name)) return std::optional<Table>();
  ASSIGN_OR_RETURN(const auto row, transaction.get(table_names.name_key(name)).get());
  if (!row) return std::optional<Table>();
  ASSIGN_OR_RETURN(Table table, decode(name, *row));
  return std::optional<Table>(std::move(table));
}

Result<std::optional<Table>> make_table(kv::Transaction& transaction, std::string_view name,
                                        const TableOptions& options, int64_t wall_us) {
  ASSIGN_OR_RETURN(const auto found, find_table(transaction, name));
  if (found) return std::optional<Table>();
  Table table{.name = std::string(name), .created_us = wall_us, .options = options};
  ASSIGN_OR_RETURN(table.number, table_names.take_number(transaction));
  table.prefix = table_prefix(table.number);
  transaction.set(table_names.name_key(name), encode(table));
  return std::optional<Table>(std::move(table));
}

void put_table(kv::Transaction& transaction, const Table& table) {
  transaction.set(table_names.name_key(table.name), encode(table));
}

Result<bool> drop_table(kv::Transaction& transaction, std::string_view name) {
  ASSIGN_OR_RETURN(const auto found, find_table(transaction, name));
  if (!found) return false;
  transaction.clear(table_names.name_key(name));
  transaction.clear_prefix(found->prefix);
  return true;
}

Result<std::vector<Table>> list_tables(const kv::ReadTransaction& transaction, std::string_view after, size_t limit) {
  std::vector<Table> tables;
  kv::RangeIterator rows(transaction, table_names.names_begin(after), table_names.names_end(),
                         {.limit = static_cast<int>(limit)});
  while (rows.next()) {
    ASSIGN_OR_RETURN(const Bytes name, table_names.parse_name_key(rows.key()));
    ASSIGN_OR_RETURN(Table table, decode(name, rows.value()));
    tables.push_back(std::move(table));
  }
  RETURN_IF_ERROR(rows.status());
  return tables;
}

Result<int64_t> make_hidden_table(kv::Transaction& transaction) {
  ASSIGN_OR_RETURN(const int64_t number, table_names.take_number(transaction));
  transaction.set(hidden_table_key(number), "");
  return number;
}

Result<bool> reveal_table(kv::Transaction& transaction, const Table& table) {
  ASSIGN_OR_RETURN(const auto found, find_table(transaction, table.name));
  if (found) return false;
  transaction.clear(hidden_table_key(table.number));
  put_table(transaction, table);
  return true;
}

void clear_hidden_table(kv::Transaction& transaction, int64_t number) {
  transaction.clear_prefix(table_prefix(number));
  transaction.clear(hidden_table_key(number));
}

Result<std::vector<int64_t>> list_hidden_tables(const kv::ReadTransaction& transaction) {
  const Bytes begin = key_after(hidden_tables_prefix());
  const auto end = prefix_end(hidden_tables_prefix());
  STRATA_ASSERT(end.has_value());
  std::vector<int64_t> numbers;
  kv::RangeIterator rows(transaction, begin, *end, {.mode = kv::StreamingMode::want_all});
  while (rows.next()) {
    ASSIGN_OR_RETURN(const int64_t number, parse_hidden_table_key(rows.key()));
    numbers.push_back(number);
  }
  RETURN_IF_ERROR(rows.status());
  return numbers;
}

}  // namespace strata::documents
