#include "layers/records/operation.h"

#include <fmt/format.h>

namespace strata::records {

Result<void> validate_key(BytesView key, std::string_view what) {
  if (key.empty()) return Error(ErrorCode::invalid_argument, fmt::format("{} must not be empty", what));
  if (key.size() > max_key_bytes) {
    return Error(ErrorCode::key_too_large,
                 fmt::format("{} is {} bytes long, at most {} are allowed", what, key.size(), max_key_bytes));
  }
  return {};
}

Result<void> validate_column(BytesView name) {
  if (name.empty()) return Error(ErrorCode::invalid_argument, "a column's name must not be empty");
  if (name.size() > max_column_bytes) {
    return Error(ErrorCode::key_too_large, fmt::format("a column's name is {} bytes long, at most {} are allowed",
                                                       name.size(), max_column_bytes));
  }
  return {};
}

Result<void> validate(const Operation& operation) {
  const bool of_row = operation.type == OperationType::put_row || operation.type == OperationType::delete_row ||
                      operation.type == OperationType::delete_columns;
  RETURN_IF_ERROR(validate_key(operation.key, of_row ? "rowKey" : "key"));
  for (const Column& column : operation.columns) RETURN_IF_ERROR(validate_column(column.name));
  if (operation.object.size > max_object_bytes) {
    return Error(ErrorCode::payload_too_large, fmt::format("an object is {} bytes long, at most {} are allowed",
                                                           operation.object.size, max_object_bytes));
  }
  return {};
}

}  // namespace strata::records
