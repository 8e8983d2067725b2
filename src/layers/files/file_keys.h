// Keys of versioned files: 15 04, then a letter for each kind of row (docs/formats/keyspace.md).
//
// Purpose:       the one place that puts them together and takes them apart.
// Ownership:     values; what is taken off a key views it.
// Thread safety: pure functions.
#pragma once

#include "kv/transaction.h"

namespace strata::files {

enum class RowKind : char {
  branch = 'h',
  snapshot = 's',
  version = 'v',
  entry = 'e',
  data = 'd',
  upload = 'u',
  collection = 'g',
};

inline constexpr BytesView layer_prefix = "\x15\x04";
// What every value begins with.
inline constexpr char row_format = 1;

inline Bytes file_key(RowKind kind, BytesView rest = {}) {
  Bytes key;
  key.reserve(layer_prefix.size() + 1 + rest.size());
  key.append(layer_prefix);
  key.push_back(static_cast<char>(kind));
  key.append(rest);
  return key;
}
inline kv::KeyRange file_keys(RowKind kind, BytesView rest = {}) {
  Bytes begin = file_key(kind, rest);
  Bytes end = *prefix_end(begin);
  return {std::move(begin), std::move(end)};
}
// Of a key in file_keys(kind).
inline BytesView file_key_rest(BytesView key) { return key.substr(layer_prefix.size() + 1); }

inline Error corrupt_row(std::string_view what) {
  return {ErrorCode::corruption, "versioned files: " + std::string(what) + " is malformed"};
}

}  // namespace strata::files
