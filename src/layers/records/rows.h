// Rows: one key of a namespace, many named columns.
//
// Purpose:       upsert and delete of columns, delete and read of rows.
// Ownership:     a StoredRow owns its bytes.
// Thread safety: as the transaction that is passed.
// Invariants:    a row exists while its marker does; every write to the row stamps the marker anew, so the marker's
//                stamp is the row's version. A put writes blind, as that of values does. A row stays when its last
//                column is deleted; deleting columns of a row that is not there makes none.
#pragma once

#include <optional>
#include <span>

#include "kv/transaction.h"
#include "layers/records/keys.h"
#include "layers/records/operation.h"

namespace strata::records {

// What one read of a row may hold in memory, names and values together. A row grows by many writes without any limit of
// its own, an answer does not.
inline constexpr size_t max_row_read_bytes = 64u << 20;

struct StoredRow {
  struct StoredColumn {
    Bytes name;
    Bytes value;
  };
  Stamp stamp{};
  std::vector<StoredColumn> columns;  // by name, ascending
};

Result<void> put_row(kv::Transaction& transaction, const Namespace& space, BytesView row_key,
                     std::span<const Column> columns);
Result<void> delete_row(kv::Transaction& transaction, const Namespace& space, BytesView row_key);
Result<void> delete_columns(kv::Transaction& transaction, const Namespace& space, BytesView row_key,
                            std::span<const Column> columns);

Result<std::optional<StoredRow>> read_row(const kv::ReadTransaction& transaction, const Namespace& space,
                                          BytesView row_key);
// Only these columns, each once, and of them those that exist.
Result<std::optional<StoredRow>> read_row_columns(const kv::ReadTransaction& transaction, const Namespace& space,
                                                  BytesView row_key, std::span<const BytesView> names);

}  // namespace strata::records
