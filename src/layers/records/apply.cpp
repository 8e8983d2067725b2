#include "layers/records/apply.h"

#include "layers/records/log_record.h"
#include "layers/records/objects.h"
#include "layers/records/rows.h"
#include "layers/records/stored_value.h"
#include "layers/records/values.h"

namespace strata::records {
namespace {

// From here on, one look at all large values of the namespace is cheaper than one at each key: 30,000 small puts cost
// 70 instead of 110 ms of CPU. It conflicts with the first large value of the namespace, and with none after it.
constexpr size_t many_operations = 16;

class Applier {
 public:
  Applier(kv::Transaction& transaction, const Namespace& space)
      : transaction_(transaction), space_(space), objects_(transaction, space) {}

  Result<void> look_for_large_values() {
    ASSIGN_OR_RETURN(may_be_large_, has_large_values(transaction_, space_));
    return {};
  }

  Result<void> apply(const Operation& operation) {
    switch (operation.type) {
      case OperationType::put_value:
        RETURN_IF_ERROR(put_value(transaction_, space_, operation.key, operation.value, may_be_large_));
        may_be_large_ = may_be_large_ || operation.value.size() > chunk_bytes;
        return {};
      case OperationType::delete_value:
        return delete_value(transaction_, space_, operation.key, may_be_large_);
      case OperationType::put_row:
        return put_row(transaction_, space_, operation.key, operation.columns);
      case OperationType::delete_row:
        return delete_row(transaction_, space_, operation.key);
      case OperationType::delete_columns:
        return delete_columns(transaction_, space_, operation.key, operation.columns);
      case OperationType::put_object:
        return objects_.put(operation.key, operation.object);
      case OperationType::delete_object:
        return objects_.remove(operation.key);
    }
    return Error(ErrorCode::invalid_argument, "unknown operation");
  }

 private:
  kv::Transaction& transaction_;
  const Namespace& space_;
  bool may_be_large_ = true;
  ObjectHeads objects_;
};

}  // namespace

Result<void> apply_unlogged(kv::Transaction& transaction, const Namespace& space,
                            std::span<const Operation> operations) {
  Applier applier(transaction, space);
  if (operations.size() >= many_operations) RETURN_IF_ERROR(applier.look_for_large_values());
  for (const Operation& operation : operations) RETURN_IF_ERROR(applier.apply(operation));
  return {};
}

Result<void> apply(kv::Transaction& transaction, const Namespace& space, std::span<const Operation> operations,
                   int64_t wall_us) {
  if (operations.empty()) return {};
  RETURN_IF_ERROR(apply_unlogged(transaction, space, operations));
  append_to_log(transaction, space, wall_us, operations);
  return {};
}

}  // namespace strata::records
