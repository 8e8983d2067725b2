// Where a namespace's data lies in the key space: docs/formats/keyspace.md, in code.
//
// Purpose:       the only place that knows how keys of this layer are made.
// Ownership:     every function returns bytes of its own.
// Thread safety: pure functions.
// Invariants:    keys of one namespace share a prefix that no other namespace's has. User keys are stored raw behind a
//                length or at the end of the key, never escaped: 8 KiB of any bytes stay below the engine's 10,000.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "kv/numbered_names.h"
#include "layers/records/operation.h"

namespace strata::records {

// The first tuple element of all keys of this layer.
inline constexpr int64_t layer_number = 1;

// 8 bytes of commit version, 2 of order within it, as kv::Transaction writes them.
inline constexpr size_t stamp_bytes = 10;
using Stamp = std::array<char, stamp_bytes>;
// Stamps compare as their bytes do; std::array's own order is that of signed characters.
inline BytesView view(const Stamp& stamp) { return {stamp.data(), stamp.size()}; }

struct Namespace {
  int64_t id = 0;
  // Of all its data: the packed tuple (layer_number, id).
  Bytes prefix;
  friend bool operator==(const Namespace&, const Namespace&) = default;
};

inline constexpr size_t max_namespace_name_bytes = 128;
// Their rows and numbers.
inline constexpr kv::NumberedNames namespace_names(layer_number, "namespace", "namespaces", max_namespace_name_bytes);

Namespace make_namespace(int64_t id);
// Of the store's own random id.
Bytes store_id_key();
// Of the namespaces that are being filled and have no name yet.
Bytes hidden_namespaces_prefix();
Bytes hidden_namespace_key(int64_t id);
// Of the row that says whether the store follows a leader.
Bytes store_role_key();

Bytes value_key(const Namespace& space, BytesView key);
// Of the chunks of all large values of the namespace.
Bytes value_chunks_prefix(const Namespace& space);
// Of the marker that says a large value has chunks, and the prefix of the chunks themselves.
Bytes value_chunks_key(const Namespace& space, BytesView key);

// Of everything of all rows.
Bytes all_rows_prefix(const Namespace& space);
// The row key in a key that starts with it, as a view of `key`; corruption when it is none.
Result<BytesView> row_key_of(const Namespace& space, BytesView key);
// The prefix of everything of a row.
Bytes row_prefix(const Namespace& space, BytesView row_key);
// The functions below take that prefix.
Bytes row_marker_key(BytesView row);
Bytes columns_prefix(BytesView row);
Bytes column_key(BytesView row, BytesView column);
// Of the chunks of all large columns of the row.
Bytes column_chunks_prefix(BytesView row);
Bytes column_chunks_key(BytesView row, BytesView column);

// Of the head of a large object.
Bytes object_key(const Namespace& space, BytesView key);
// Of an object's bytes: the key of its descriptor and the prefix of its chunks.
Bytes object_data_key(const Namespace& space, const ObjectId& id);
Bytes object_chunk_key(const Namespace& space, const ObjectId& id, uint32_t index);
// Objects that are being staged, those that were replaced, and staged operations of transactions.
Bytes staged_objects_prefix(const Namespace& space);
Bytes staged_object_key(const Namespace& space, const ObjectId& id);
Bytes replaced_objects_prefix(const Namespace& space);
Bytes replaced_object_key(const Namespace& space, const Stamp& stamp, const ObjectId& id);
// corruption when it is not such a key.
Result<ObjectId> parse_staged_object_key(const Namespace& space, BytesView key);
struct ReplacedObjectKey {
  Stamp stamp{};
  ObjectId id{};
};
Result<ReplacedObjectKey> parse_replaced_object_key(const Namespace& space, BytesView key);

// Random, as the ids of objects.
using TransactionId = std::array<char, 16>;
// Of what transactions of several requests have staged: of all, of one (its row), of one operation (a part of it).
Bytes staged_operations_prefix(const Namespace& space);
Bytes staged_transaction_key(const Namespace& space, const TransactionId& id);
Bytes staged_operation_key(const Namespace& space, const TransactionId& id, uint32_t sequence, uint16_t part);

Bytes log_prefix(const Namespace& space);
Bytes log_key(const Namespace& space, const Stamp& stamp, uint16_t part);
struct LogKey {
  Stamp stamp{};
  uint16_t part = 0;
};
// corruption when it is not a key of this namespace's log.
Result<LogKey> parse_log_key(const Namespace& space, BytesView key);

Bytes log_segments_prefix(const Namespace& space);
Bytes log_segment_key(const Namespace& space, uint64_t number);
Result<uint64_t> parse_log_segment_key(const Namespace& space, BytesView key);
Bytes log_checkpoint_key(const Namespace& space);
// Of the row that says how far the namespace follows its leader.
Bytes follow_key(const Namespace& space);

}  // namespace strata::records
