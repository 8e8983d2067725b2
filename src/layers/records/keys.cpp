#include "layers/records/keys.h"

#include <algorithm>

#include "layers/records/operation.h"
#include "tuple/encode.h"

namespace strata::records {
namespace {

// Rows of the layer that are no namespace's.
constexpr int64_t store_role_row = 1;
constexpr int64_t store_id_row = 2;
constexpr int64_t hidden_namespaces_row = 3;

constexpr char value_entity = 'k';
constexpr char value_chunks_entity = 'K';
constexpr char row_entity = 'r';
constexpr char log_entity = 'l';
constexpr char follow_entity = 'f';
constexpr char object_entity = 'o';
constexpr char object_data_entity = 'O';
constexpr char staged_object_entity = 'p';
constexpr char replaced_object_entity = 'g';
constexpr char staged_operation_entity = 't';
constexpr char log_segment_entity = 's';
constexpr char log_checkpoint_entity = 'c';

constexpr char row_marker_part = '\x00';
constexpr char columns_part = '\x01';
constexpr char column_chunks_part = '\x02';

Bytes entity_key(const Namespace& space, char entity, size_t more_bytes) {
  Bytes key;
  key.reserve(space.prefix.size() + 1 + more_bytes);
  key.append(space.prefix);
  key.push_back(entity);
  return key;
}

void append_with_length(Bytes& out, BytesView bytes) {
  STRATA_ASSERT(bytes.size() <= UINT16_MAX);
  append_be16(out, static_cast<uint16_t>(bytes.size()));
  out.append(bytes);
}

Bytes row_part(BytesView row, char part, size_t more_bytes = 0) {
  Bytes key;
  key.reserve(row.size() + 1 + more_bytes);
  key.append(row);
  key.push_back(part);
  return key;
}

}  // namespace

Namespace make_namespace(int64_t id) { return {.id = id, .prefix = namespace_names.prefix(id)}; }

Bytes store_id_key() { return namespace_names.other_key(store_id_row); }

Bytes hidden_namespaces_prefix() { return namespace_names.other_key(hidden_namespaces_row); }

Bytes hidden_namespace_key(int64_t id) {
  Bytes key = hidden_namespaces_prefix();
  tuple::append_int(key, id);
  return key;
}

Bytes store_role_key() { return namespace_names.other_key(store_role_row); }

Bytes value_key(const Namespace& space, BytesView key) {
  Bytes out = entity_key(space, value_entity, key.size());
  out.append(key);
  return out;
}

Bytes value_chunks_prefix(const Namespace& space) { return entity_key(space, value_chunks_entity, 0); }

Bytes value_chunks_key(const Namespace& space, BytesView key) {
  Bytes out = entity_key(space, value_chunks_entity, key.size() + 6);
  append_with_length(out, key);
  return out;
}

Bytes all_rows_prefix(const Namespace& space) { return entity_key(space, row_entity, 0); }

Result<BytesView> row_key_of(const Namespace& space, BytesView key) {
  const Bytes prefix = all_rows_prefix(space);
  // A length, the row key, and what part of the row it is.
  if (key.starts_with(prefix) && key.size() >= prefix.size() + 3) {
    const BytesView rest = key.substr(prefix.size());
    const size_t size = read_be16(rest);
    if (size != 0 && rest.size() >= 2 + size + 1) return rest.substr(2, size);
  }
  return Error(ErrorCode::corruption, "a key of a row is malformed: " + printable(key));
}

Bytes row_prefix(const Namespace& space, BytesView row_key) {
  Bytes out = entity_key(space, row_entity, row_key.size() + 2);
  append_with_length(out, row_key);
  return out;
}

Bytes row_marker_key(BytesView row) { return row_part(row, row_marker_part); }
Bytes columns_prefix(BytesView row) { return row_part(row, columns_part); }
Bytes column_chunks_prefix(BytesView row) { return row_part(row, column_chunks_part); }

Bytes column_key(BytesView row, BytesView column) {
  Bytes key = row_part(row, columns_part, column.size());
  key.append(column);
  return key;
}

Bytes column_chunks_key(BytesView row, BytesView column) {
  Bytes key = row_part(row, column_chunks_part, column.size() + 6);
  append_with_length(key, column);
  return key;
}

Bytes object_key(const Namespace& space, BytesView key) {
  Bytes out = entity_key(space, object_entity, key.size());
  out.append(key);
  return out;
}

Bytes object_data_key(const Namespace& space, const ObjectId& id) {
  Bytes key = entity_key(space, object_data_entity, id.size() + 4);
  key.append(id.data(), id.size());
  return key;
}

Bytes object_chunk_key(const Namespace& space, const ObjectId& id, uint32_t index) {
  Bytes key = object_data_key(space, id);
  append_be32(key, index);
  return key;
}

Bytes staged_objects_prefix(const Namespace& space) { return entity_key(space, staged_object_entity, 0); }

Bytes staged_object_key(const Namespace& space, const ObjectId& id) {
  Bytes key = entity_key(space, staged_object_entity, id.size());
  key.append(id.data(), id.size());
  return key;
}

Bytes replaced_objects_prefix(const Namespace& space) { return entity_key(space, replaced_object_entity, 0); }

Bytes replaced_object_key(const Namespace& space, const Stamp& stamp, const ObjectId& id) {
  Bytes key = entity_key(space, replaced_object_entity, stamp.size() + id.size() + 4);
  key.append(stamp.data(), stamp.size());
  key.append(id.data(), id.size());
  return key;
}

Result<ObjectId> parse_staged_object_key(const Namespace& space, BytesView key) {
  const Bytes prefix = staged_objects_prefix(space);
  if (!key.starts_with(prefix) || key.size() != prefix.size() + object_id_bytes) {
    return Error(ErrorCode::corruption, "a key of a staged object is malformed: " + printable(key));
  }
  ObjectId id;
  std::copy_n(key.begin() + static_cast<ptrdiff_t>(prefix.size()), id.size(), id.begin());
  return id;
}

Result<ReplacedObjectKey> parse_replaced_object_key(const Namespace& space, BytesView key) {
  const Bytes prefix = replaced_objects_prefix(space);
  if (!key.starts_with(prefix) || key.size() != prefix.size() + stamp_bytes + object_id_bytes) {
    return Error(ErrorCode::corruption, "a key of a replaced object is malformed: " + printable(key));
  }
  ReplacedObjectKey parsed;
  key.remove_prefix(prefix.size());
  std::copy_n(key.begin(), stamp_bytes, parsed.stamp.begin());
  std::copy_n(key.begin() + stamp_bytes, object_id_bytes, parsed.id.begin());
  return parsed;
}

Bytes staged_operations_prefix(const Namespace& space) { return entity_key(space, staged_operation_entity, 0); }

Bytes staged_transaction_key(const Namespace& space, const TransactionId& id) {
  Bytes key = entity_key(space, staged_operation_entity, id.size() + 6);
  key.append(id.data(), id.size());
  return key;
}

Bytes staged_operation_key(const Namespace& space, const TransactionId& id, uint32_t sequence, uint16_t part) {
  Bytes key = staged_transaction_key(space, id);
  append_be32(key, sequence);
  append_be16(key, part);
  return key;
}

Bytes log_prefix(const Namespace& space) { return entity_key(space, log_entity, 0); }

Bytes log_key(const Namespace& space, const Stamp& stamp, uint16_t part) {
  Bytes key = entity_key(space, log_entity, stamp_bytes + 2 + 4);
  key.append(stamp.data(), stamp.size());
  append_be16(key, part);
  return key;
}

Result<LogKey> parse_log_key(const Namespace& space, BytesView key) {
  const Bytes prefix = log_prefix(space);
  if (!key.starts_with(prefix) || key.size() != prefix.size() + stamp_bytes + 2) {
    return Error(ErrorCode::corruption, "a key of the log is malformed: " + printable(key));
  }
  LogKey parsed;
  key.remove_prefix(prefix.size());
  std::copy_n(key.begin(), stamp_bytes, parsed.stamp.begin());
  parsed.part = read_be16(key.substr(stamp_bytes));
  return parsed;
}

Bytes log_segments_prefix(const Namespace& space) { return entity_key(space, log_segment_entity, 0); }

Bytes log_segment_key(const Namespace& space, uint64_t number) {
  Bytes key = entity_key(space, log_segment_entity, 8);
  append_be64(key, number);
  return key;
}

Result<uint64_t> parse_log_segment_key(const Namespace& space, BytesView key) {
  const Bytes prefix = log_segments_prefix(space);
  if (!key.starts_with(prefix) || key.size() != prefix.size() + 8) {
    return Error(ErrorCode::corruption, "a key of the log's segments is malformed: " + printable(key));
  }
  return read_be64(key.substr(prefix.size()));
}

Bytes log_checkpoint_key(const Namespace& space) { return entity_key(space, log_checkpoint_entity, 0); }

Bytes follow_key(const Namespace& space) { return entity_key(space, follow_entity, 0); }

}  // namespace strata::records
