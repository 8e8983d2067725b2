// apply: the one way in which data of a namespace changes.
//
// Purpose:       writes a list of operations and the one log record that tells of them, in the caller's transaction.
// Ownership:     copies what it needs.
// Thread safety: as the transaction that is passed.
// Invariants:    all operations and their record, or none (the transaction's promise). Called at most once in a
//                transaction and namespace.
#pragma once

#include <span>

#include "kv/transaction.h"
#include "layers/records/keys.h"
#include "layers/records/operation.h"

namespace strata::records {

// In order: a later operation sees the earlier ones. The operations are valid (validate). None: nothing is written.
Result<void> apply(kv::Transaction& transaction, const Namespace& space, std::span<const Operation> operations,
                   int64_t wall_us);

// Without the record: for a namespace that nobody sees yet, which is filled from a backup whose log goes on behind it.
Result<void> apply_unlogged(kv::Transaction& transaction, const Namespace& space,
                            std::span<const Operation> operations);

}  // namespace strata::records
