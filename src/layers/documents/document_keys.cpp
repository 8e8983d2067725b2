#include "layers/documents/document_keys.h"

#include <algorithm>

#include "base/assert.h"
#include "tuple/encode.h"

namespace strata::documents {
namespace {

// Second tuple element of the rows of tables; tables count from 1.
constexpr int64_t registry_number = 0;
constexpr char document_entity = 'd';
constexpr char chunk_entity = 'D';
constexpr char change_entity = 'c';

Bytes registry_prefix() {
  Bytes key;
  tuple::append_int(key, layer_number);
  tuple::append_int(key, registry_number);
  return key;
}

}  // namespace

Bytes table_prefix(int64_t number) {
  STRATA_ASSERT(number > registry_number);
  Bytes key;
  tuple::append_int(key, layer_number);
  tuple::append_int(key, number);
  return key;
}

// (2, 0, 0): an integer, so that no name's row can be the same key.
Bytes next_table_key() {
  Bytes key = registry_prefix();
  tuple::append_int(key, 0);
  return key;
}

// (2, 0, 0, number): behind the counter's key, which has no further element.
Bytes hidden_tables_prefix() { return next_table_key(); }

Bytes hidden_table_key(int64_t number) {
  Bytes key = hidden_tables_prefix();
  tuple::append_int(key, number);
  return key;
}

Result<int64_t> parse_hidden_table_key(BytesView key) {
  BytesView rest = key.substr(std::min(key.size(), hidden_tables_prefix().size()));
  const auto number = tuple::take_int(rest);
  if (number.ok() && *number > registry_number && hidden_table_key(*number) == key) return *number;
  return Error(ErrorCode::corruption, "a key of the list of tables being restored is malformed: " + printable(key));
}

Bytes table_key(std::string_view name) {
  Bytes key = registry_prefix();
  tuple::append_string(key, name);
  return key;
}

Bytes table_names_prefix() {
  Bytes key = table_key("");
  key.pop_back();  // the end of the empty name
  return key;
}

Result<Bytes> parse_table_key(BytesView key) {
  const size_t prefix_bytes = table_names_prefix().size();
  // Names hold no zeros (validate_table_name), so the encoding escapes nothing.
  if (key.size() > prefix_bytes) {
    const BytesView name = key.substr(prefix_bytes, key.size() - prefix_bytes - 1);
    if (table_key(name) == key) return Bytes(name);
  }
  return Error(ErrorCode::corruption, "a key of the list of tables is malformed: " + printable(key));
}

Bytes documents_prefix(BytesView table) {
  Bytes key(table);
  key.push_back(document_entity);
  return key;
}

Bytes document_key(BytesView table, BytesView key) {
  Bytes out;
  out.reserve(table.size() + 1 + key.size());
  out.append(table);
  out.push_back(document_entity);
  out.append(key);
  return out;
}

Bytes document_chunks_prefix(BytesView table, BytesView key) {
  STRATA_ASSERT(key.size() <= UINT16_MAX);
  Bytes out;
  out.reserve(table.size() + 3 + key.size() + 4);
  out.append(table);
  out.push_back(chunk_entity);
  append_be16(out, static_cast<uint16_t>(key.size()));
  out.append(key);
  return out;
}

Bytes changes_prefix(BytesView table) {
  Bytes key(table);
  key.push_back(change_entity);
  return key;
}

Bytes change_operand(BytesView table, BytesView key) {
  Bytes operand = changes_prefix(table);
  const auto at = static_cast<uint32_t>(operand.size());
  operand.append(stamp_bytes, '\xFF');
  operand.append(key);
  append_le32(operand, at);
  return operand;
}

}  // namespace strata::documents
