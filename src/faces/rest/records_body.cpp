#include "faces/rest/records_body.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/base64.h"
#include "faces/rest/json_document.h"

namespace strata::rest {
namespace {

using service::Column;
using service::Operation;
using service::OperationType;

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

Result<BytesView> decode(std::string_view text, Arena& arena) {
  // Not even a pointer for an empty value: the decoder would not use it.
  char* out = text.empty() ? nullptr : arena.allocate(base64_decoded_limit(text.size()));
  const std::optional<size_t> size = base64_decode(text, out);
  if (!size) return invalid("invalid base64 encoding");
  return BytesView(out, *size);
}

Result<void> refuse_repeated(const std::vector<Column>& columns) {
  std::vector<BytesView> names;
  names.reserve(columns.size());
  for (const Column& column : columns) names.push_back(column.name);
  std::sort(names.begin(), names.end());
  const auto repeated = std::adjacent_find(names.begin(), names.end());
  if (repeated != names.end()) return invalid(fmt::format("column {} is given twice", printable(*repeated)));
  return {};
}

Result<std::vector<Column>> decode_columns(simdjson::dom::object object, Arena& arena) {
  std::vector<Column> columns;
  for (const auto& [name, value] : object) {
    std::string_view text;
    if (value.get(text)) return invalid(fmt::format("column {} must be a string", printable(name)));
    ASSIGN_OR_RETURN(const BytesView bytes, decode(text, arena));
    columns.push_back({arena.copy(name), bytes});
  }
  RETURN_IF_ERROR(refuse_repeated(columns));
  return columns;
}

// The field `operation`: true for put.
Result<bool> is_put(const JsonField& operation) {
  ASSIGN_OR_RETURN(const std::string_view word, json_string(operation, "operation"));
  if (word == "put") return true;
  if (word == "delete") return false;
  return invalid("operation must be put or delete");
}

Result<void> add_item(RecordsBody& parsed, simdjson::dom::element item, size_t index) {
  simdjson::dom::object object;
  if (item.get(object)) return invalid(fmt::format("items[{}] must be an object", index));
  const std::string where = fmt::format("items[{}].", index);
  ASSIGN_OR_RETURN(const auto fields, json_fields<2>(object, {"key", "value"}, where));
  ASSIGN_OR_RETURN(const std::string_view key, json_string(fields[0], where + "key"));
  ASSIGN_OR_RETURN(const std::string_view value, json_string(fields[1], where + "value"));
  ASSIGN_OR_RETURN(const BytesView bytes, decode(value, parsed.arena));
  parsed.operations.push_back({.type = OperationType::put_value, .key = parsed.arena.copy(key), .value = bytes});
  return {};
}

Result<void> add_row(RecordsBody& parsed, simdjson::dom::element row, size_t index, bool put) {
  simdjson::dom::object object;
  if (row.get(object)) return invalid(fmt::format("rows[{}] must be an object", index));
  const std::string where = fmt::format("rows[{}].", index);
  ASSIGN_OR_RETURN(const auto fields, json_fields<2>(object, {"rowKey", "columns"}, where));
  ASSIGN_OR_RETURN(const std::string_view key, json_string(fields[0], where + "rowKey"));
  Operation operation{.type = put ? OperationType::put_row : OperationType::delete_row, .key = parsed.arena.copy(key)};
  if (put) {
    ASSIGN_OR_RETURN(const auto columns, json_object(fields[1], where + "columns"));
    ASSIGN_OR_RETURN(operation.columns, decode_columns(columns, parsed.arena));
  }
  parsed.operations.push_back(std::move(operation));
  return {};
}

}  // namespace

Result<RecordsBody> parse_put_value(BytesView key, BytesView body) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<1>(object, {"value"}));
  ASSIGN_OR_RETURN(const std::string_view value, json_string(fields[0], "value"));
  RecordsBody parsed;
  ASSIGN_OR_RETURN(const BytesView bytes, decode(value, parsed.arena));
  parsed.operations.push_back({.type = OperationType::put_value, .key = key, .value = bytes});
  return parsed;
}

Result<RecordsBody> parse_value_batch(BytesView body) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<3>(object, {"operation", "items", "keys"}));
  ASSIGN_OR_RETURN(const bool put, is_put(fields[0]));
  RecordsBody parsed;
  size_t index = 0;
  if (put) {
    ASSIGN_OR_RETURN(const auto items, json_array(fields[1], "items"));
    for (const simdjson::dom::element item : items) RETURN_IF_ERROR(add_item(parsed, item, index++));
    return parsed;
  }
  ASSIGN_OR_RETURN(const auto keys, json_array(fields[2], "keys"));
  for (const simdjson::dom::element key : keys) {
    std::string_view text;
    if (key.get(text)) return invalid(fmt::format("keys[{}] must be a string", index));
    parsed.operations.push_back({.type = OperationType::delete_value, .key = parsed.arena.copy(text)});
    ++index;
  }
  return parsed;
}

Result<RecordsBody> parse_put_row(BytesView row_key, BytesView body) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<1>(object, {"columns"}));
  ASSIGN_OR_RETURN(const auto columns, json_object(fields[0], "columns"));
  RecordsBody parsed;
  Operation operation{.type = OperationType::put_row, .key = row_key};
  ASSIGN_OR_RETURN(operation.columns, decode_columns(columns, parsed.arena));
  parsed.operations.push_back(std::move(operation));
  return parsed;
}

Result<RecordsBody> parse_row_batch(BytesView body) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<2>(object, {"operation", "rows"}));
  ASSIGN_OR_RETURN(const bool put, is_put(fields[0]));
  ASSIGN_OR_RETURN(const auto rows, json_array(fields[1], "rows"));
  RecordsBody parsed;
  size_t index = 0;
  for (const simdjson::dom::element row : rows) RETURN_IF_ERROR(add_row(parsed, row, index++, put));
  return parsed;
}

Result<RecordsBody> parse_staged_value(BytesView body, bool removes) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<2>(object, {"key", "value"}));
  RecordsBody parsed;
  Operation operation{.type = removes ? OperationType::delete_value : OperationType::put_value, .key = {}};
  ASSIGN_OR_RETURN(const std::string_view key, json_string(fields[0], "key"));
  operation.key = parsed.arena.copy(key);
  if (!removes || fields[1]) {
    ASSIGN_OR_RETURN(const std::string_view value, json_string(fields[1], "value"));
    ASSIGN_OR_RETURN(const BytesView bytes, decode(value, parsed.arena));
    if (!removes) operation.value = bytes;
  }
  parsed.operations.push_back(std::move(operation));
  return parsed;
}

Result<RecordsBody> parse_staged_row(BytesView body, bool removes) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<2>(object, {"rowKey", "columns"}));
  RecordsBody parsed;
  Operation operation{.type = removes ? OperationType::delete_row : OperationType::put_row, .key = {}};
  ASSIGN_OR_RETURN(const std::string_view key, json_string(fields[0], "rowKey"));
  operation.key = parsed.arena.copy(key);
  if (!removes || fields[1]) {
    ASSIGN_OR_RETURN(const auto columns, json_object(fields[1], "columns"));
    if (!removes) {
      ASSIGN_OR_RETURN(operation.columns, decode_columns(columns, parsed.arena));
    } else if (columns.size() != 0) {
      operation.type = OperationType::delete_columns;
      for (const auto& field : columns) operation.columns.push_back({.name = parsed.arena.copy(field.key)});
    }
  }
  parsed.operations.push_back(std::move(operation));
  return parsed;
}

Result<void> parse_column_names(BytesView body, Arena& arena, std::vector<Column>& columns) {
  if (body.empty()) return {};
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<1>(object, {"columns"}));
  ASSIGN_OR_RETURN(const auto names, json_object(fields[0], "columns"));
  for (const auto& field : names) columns.push_back({.name = arena.copy(field.key)});
  return {};
}

}  // namespace strata::rest
