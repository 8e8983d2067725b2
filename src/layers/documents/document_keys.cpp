#include "layers/documents/document_keys.h"

#include <algorithm>

#include "base/assert.h"
#include "tuple/encode.h"

namespace strata::documents {
namespace {

constexpr char document_entity = 'd';
constexpr char chunk_entity = 'D';
constexpr char change_entity = 'c';

}  // namespace

Bytes table_prefix(int64_t number) { return table_names.prefix(number); }

// (2, 0, 0, number): behind the counter's key, which has no further element.
Bytes hidden_tables_prefix() { return table_names.next_number_key(); }

Bytes hidden_table_key(int64_t number) {
  Bytes key = hidden_tables_prefix();
  tuple::append_int(key, number);
  return key;
}

Result<int64_t> parse_hidden_table_key(BytesView key) {
  BytesView rest = key.substr(std::min(key.size(), hidden_tables_prefix().size()));
  const auto number = tuple::take_int(rest);
  if (number.ok() && *number > 0 && hidden_table_key(*number) == key) return *number;
  return Error(ErrorCode::corruption, "a key of the list of tables being restored is malformed: " + printable(key));
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
