// Scans: the values or the rows of a namespace, a page at a time.
//
// Purpose:       lists what a namespace holds without knowing its keys.
// Ownership:     pages own their bytes.
// Thread safety: as the transaction that is passed.
// Invariants:    values come in the order of their keys. Rows come by the length of their key, then in its order: that
//                is how they lie (keys.h). A page holds max_scan_bytes and one entry at most, so memory is bounded.
#pragma once

#include <optional>
#include <vector>

#include "kv/transaction.h"
#include "layers/records/keys.h"
#include "layers/records/rows.h"
#include "layers/records/values.h"

namespace strata::records {

inline constexpr size_t max_scan_entries = 10'000;
// A page ends with the entry that reaches it.
inline constexpr size_t max_scan_bytes = 4u << 20;

struct ScanOptions {
  // Of values alone: rows of one prefix do not lie together.
  BytesView prefix = {};
  // Behind this key; nullopt: from the first.
  std::optional<BytesView> after = std::nullopt;
  size_t limit = 1'000;  // at most max_scan_entries
  bool keys_only = false;
};

struct ScannedValue {
  Bytes key;
  Stamp stamp{};
  Bytes value;  // empty with keys_only
};
struct ValuePage {
  std::vector<ScannedValue> values;
  bool more = false;
};
Result<ValuePage> scan_values(const kv::ReadTransaction& transaction, const Namespace& space,
                              const ScanOptions& options);

struct ScannedRow {
  Bytes key;
  StoredRow row;  // without columns with keys_only
};
struct RowPage {
  std::vector<ScannedRow> rows;
  bool more = false;
};
// Errors: payload_too_large when one row is more than a read may hold (max_row_read_bytes).
Result<RowPage> scan_rows(const kv::ReadTransaction& transaction, const Namespace& space, const ScanOptions& options);

}  // namespace strata::records
