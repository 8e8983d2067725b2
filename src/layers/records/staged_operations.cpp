#include "layers/records/staged_operations.h"

#include <algorithm>

#include "layers/records/log_record.h"
#include "layers/records/stored_value.h"

namespace strata::records {
namespace {

constexpr char format = 1;

Error broken() { return {ErrorCode::corruption, "the staged operations of a transaction are broken"}; }

// A namespace's prefix, an entity, lengths, an index.
constexpr size_t key_overhead_bytes = 40;
// Of the arrays that hold a mutation and its conflict ranges, and of lengths in the log record.
constexpr size_t row_overhead_bytes = 400;

// A value or a column whose keys are `key` long.
size_t most_bytes_of(size_t key, size_t value) {
  const size_t chunks = value > chunk_bytes ? value / chunk_bytes + 1 : 0;
  // Once for the value and once in the log, where each part has a key too.
  return 9 * key + row_overhead_bytes + 2 * value + value / 200 + (chunks == 0 ? 0 : 3 * key + row_overhead_bytes) +
         chunks * (3 * key + 120);
}

}  // namespace

void stage_operation(kv::Transaction& transaction, const Namespace& space, const TransactionId& id, const ObjectId& run,
                     uint32_t sequence, const Operation& operation) {
  Bytes row(1, format);
  row.append(run.data(), run.size());
  transaction.set(staged_transaction_key(space, id), row);
  const Bytes record = encode_log_record(0, std::span(&operation, 1));
  BytesView rest = record;
  for (uint16_t part = 0; !rest.empty(); ++part) {
    STRATA_ASSERT(part < UINT16_MAX);
    transaction.set(staged_operation_key(space, id, sequence, part), rest.substr(0, chunk_bytes));
    rest.remove_prefix(std::min(rest.size(), chunk_bytes));
  }
}

Result<bool> has_staged(const kv::ReadTransaction& transaction, const Namespace& space, const TransactionId& id) {
  ASSIGN_OR_RETURN(const auto row, transaction.get(staged_transaction_key(space, id)).get());
  return row.has_value();
}

Result<StagedOperations> read_staged(const kv::ReadTransaction& transaction, const Namespace& space,
                                     const TransactionId& id, uint32_t count) {
  StagedOperations staged;
  staged.records.reserve(count);
  uint32_t next_part = 0;
  const Bytes row_key = staged_transaction_key(space, id);
  kv::RangeIterator parts(transaction, key_after(row_key), *prefix_end(row_key), {.mode = kv::StreamingMode::want_all});
  while (parts.next()) {
    const BytesView key = parts.key();
    if (key.size() != row_key.size() + 6) return broken();
    const uint32_t sequence = read_be32(key.substr(row_key.size()));
    const uint16_t part = read_be16(key.substr(row_key.size() + 4));
    if (part == 0) {
      staged.records.emplace_back();
      next_part = 0;
    }
    if (sequence >= count || sequence + 1 != staged.records.size() || part != next_part++) return broken();
    staged.records.back().append(parts.value());
  }
  RETURN_IF_ERROR(parts.status());
  if (staged.records.size() != count) return broken();
  staged.operations.reserve(count);
  for (const Bytes& bytes : staged.records) {
    ASSIGN_OR_RETURN(LogRecord record, decode_log_record(bytes));
    if (record.operations.size() != 1) return broken();
    staged.operations.push_back(std::move(record.operations[0]));
  }
  return staged;
}

void clear_staged(kv::Transaction& transaction, const Namespace& space, const TransactionId& id) {
  transaction.clear_prefix(staged_transaction_key(space, id));
}

Result<void> clear_all_staged(kv::Transaction& transaction, const Namespace& space) {
  const Bytes prefix = staged_operations_prefix(space);
  ASSIGN_OR_RETURN(const bool any, has_any(transaction, prefix));
  if (any) transaction.clear_prefix(prefix);
  return {};
}

size_t most_commit_bytes(const Operation& operation) {
  const size_t key = operation.key.size() + key_overhead_bytes;
  size_t bytes = 12 * key + 2 * row_overhead_bytes;
  switch (operation.type) {
    case OperationType::put_value:
      return bytes + most_bytes_of(key, operation.value.size());
    case OperationType::put_row:
    case OperationType::delete_columns:
      for (const Column& column : operation.columns) {
        bytes += most_bytes_of(key + column.name.size(), column.value.size());
      }
      return bytes;
    case OperationType::delete_value:
    case OperationType::delete_row:
    case OperationType::put_object:
    case OperationType::delete_object:
      return bytes;
  }
  return bytes;
}

}  // namespace strata::records
