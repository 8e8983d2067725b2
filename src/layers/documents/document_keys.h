// Document keys: the one place that knows how keys of this layer are made (docs/formats/keyspace.md).
//
// Ownership:     every function returns bytes of its own.
// Thread safety: pure functions.
// Invariants:    keys of one table share a prefix that no other table's has. Keys of documents stand raw at the end of
//                their head's key, so a scan meets documents in the order of their bytes.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "kv/numbered_names.h"

namespace strata::documents {

// The first tuple element of all keys of this layer.
inline constexpr int64_t layer_number = 2;

// 8 bytes of commit version, 2 of order within it, as kv::Transaction writes them.
inline constexpr size_t stamp_bytes = 10;
using Stamp = std::array<char, stamp_bytes>;

inline constexpr size_t max_table_name_bytes = 128;
// Their rows and numbers.
inline constexpr kv::NumberedNames table_names(layer_number, "table", "tables", max_table_name_bytes);

// Of all data of a table: the packed tuple (layer_number, number).
Bytes table_prefix(int64_t number);
// Of a table that is being restored: its number, which no name leads to yet. The first: of all of them.
Bytes hidden_tables_prefix();
Bytes hidden_table_key(int64_t number);
// corruption when it is not one.
Result<int64_t> parse_hidden_table_key(BytesView key);

// Of the heads of all documents; table_prefix and one byte.
Bytes documents_prefix(BytesView table);
Bytes document_key(BytesView table, BytesView key);
// The prefix of the chunks of one document.
Bytes document_chunks_prefix(BytesView table, BytesView key);

// While a backup runs: what was written, in the order of commits. Its keys are this, a stamp, and the document's key.
Bytes changes_prefix(BytesView table);
// The operand of SET_VERSIONSTAMPED_KEY that makes such a key.
Bytes change_operand(BytesView table, BytesView key);

}  // namespace strata::documents
