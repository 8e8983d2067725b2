// Special keys: what a transaction can read about itself under "\xff\xff/".
//
// Purpose:       transaction/read_conflict_range/, write_conflict_range/ and conflicting_keys/, each a list of range
//                boundaries: value "1" begins a range, "0" ends it. Keys that concern a cluster file come from the face
//                that has one.
// Thread safety: called under the state's mutex.
// Errors:        special_keys_no_module_found for a key outside these; special_keys_cross_module_read for a range that
//                leaves the module of its begin, unless special_key_space_relaxed is set.
#pragma once

#include "kv/transaction_state.h"

namespace strata::kv {

bool is_special_key(BytesView key);
Result<std::optional<Bytes>> get_special_key(TransactionState& state, BytesView key);
// Selectors with an offset other than 1: client_invalid_operation.
Result<RangePage> get_special_range(TransactionState& state, const KeySelector& begin, const KeySelector& end,
                                    size_t limit_rows, bool reverse);

}  // namespace strata::kv
