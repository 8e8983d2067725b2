// Operations of a transaction that spans several requests, on disk until its commit applies them.
//
// Purpose:       what clients append waits in keys, not in memory.
// Ownership:     StagedOperations owns the bytes that its operations view.
// Thread safety: as the transaction that is passed.
// Invariants:    docs/formats/records.md. A transaction that has staged anything has a row; commit and abort remove the
//                row with everything behind it, so a commit that finds no row has happened before.
#pragma once

#include <vector>

#include "kv/transaction.h"
#include "layers/records/keys.h"
#include "layers/records/operation.h"

namespace strata::records {

struct StagedOperations {
  std::vector<Bytes> records;
  std::vector<Operation> operations;  // views into records
};

void stage_operation(kv::Transaction& transaction, const Namespace& space, const TransactionId& id, const ObjectId& run,
                     uint32_t sequence, const Operation& operation);
// Serializable.
Result<bool> has_staged(const kv::ReadTransaction& transaction, const Namespace& space, const TransactionId& id);
// corruption unless there are exactly `count`.
Result<StagedOperations> read_staged(const kv::ReadTransaction& transaction, const Namespace& space,
                                     const TransactionId& id, uint32_t count);
void clear_staged(kv::Transaction& transaction, const Namespace& space, const TransactionId& id);
// Everything that any transaction of the namespace has staged.
Result<void> clear_all_staged(kv::Transaction& transaction, const Namespace& space);

// What applying the operation adds to a transaction at most, as the transaction counts it (get_approximate_size):
// mutations, conflict ranges and its part of the log record. A bound, not a guess: keys count up to twelve times.
size_t most_commit_bytes(const Operation& operation);
// The same of a transaction without any operation.
inline constexpr size_t most_empty_commit_bytes = 4'096;

}  // namespace strata::records
