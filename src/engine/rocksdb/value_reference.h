// ValueReference: what the tree holds in place of a large value.
//
// Purpose:       says where in the store's value files a value lies, and what it must be
//                (docs/formats/rocksdb-store.md).
// Thread safety: pure functions.
// Invariants:    bytes that begin with the mark and are as long as a reference are one, everywhere in the tree: a value
//                that happens to look like one is put into a value file itself, whatever its size (is_stored_beside).
//                So no client can make one up.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace strata::kv {

struct ValueReference {
  static constexpr size_t encoded_bytes = 48;

  uint64_t file = 0;
  uint64_t offset = 0;  // of the value's first byte
  uint64_t size = 0;
  uint64_t hash = 0;  // value_hash
  friend bool operator==(const ValueReference&, const ValueReference&) = default;
};

// XXH3, 64 bits, seed 0.
uint64_t value_hash(BytesView value);

void encode_reference(const ValueReference& reference, char* out);
bool is_reference(BytesView stored);
// Of what is one.
ValueReference decode_reference(BytesView stored);

inline bool is_stored_beside(BytesView value, size_t large_value_bytes) {
  return value.size() >= large_value_bytes || is_reference(value);
}

// How long the value is that the tree holds as `stored`.
inline uint64_t value_size(BytesView stored) {
  return is_reference(stored) ? decode_reference(stored).size : stored.size();
}

}  // namespace strata::kv
