#include "layers/records/apply.h"

#include "layers/records/log_record.h"
#include "layers/records/rows.h"
#include "layers/records/values.h"

namespace strata::records {
namespace {

Result<void> apply_one(kv::Transaction& transaction, const Namespace& space, const Operation& operation) {
  switch (operation.type) {
    case OperationType::put_value:
      return put_value(transaction, space, operation.key, operation.value);
    case OperationType::delete_value:
      return delete_value(transaction, space, operation.key);
    case OperationType::put_row:
      return put_row(transaction, space, operation.key, operation.columns);
    case OperationType::delete_row:
      return delete_row(transaction, space, operation.key);
    case OperationType::delete_columns:
      return delete_columns(transaction, space, operation.key, operation.columns);
  }
  return Error(ErrorCode::invalid_argument, "unknown operation");
}

}  // namespace

Result<void> apply(kv::Transaction& transaction, const Namespace& space, std::span<const Operation> operations,
                   int64_t wall_us) {
  if (operations.empty()) return {};
  for (const Operation& operation : operations) RETURN_IF_ERROR(apply_one(transaction, space, operation));
  append_to_log(transaction, space, wall_us, operations);
  return {};
}

}  // namespace strata::records
