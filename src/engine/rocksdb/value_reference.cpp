#include "engine/rocksdb/value_reference.h"

#include <xxhash.h>

#include <cstring>

namespace strata::kv {
namespace {

constexpr BytesView mark("\x9f\xd4strata value\x1a\x01", 16);

}  // namespace

uint64_t value_hash(BytesView value) { return XXH3_64bits(value.data(), value.size()); }

void encode_reference(const ValueReference& reference, char* out) {
  Bytes bytes(mark);
  append_le64(bytes, reference.file);
  append_le64(bytes, reference.offset);
  append_le64(bytes, reference.size);
  append_le64(bytes, reference.hash);
  std::memcpy(out, bytes.data(), ValueReference::encoded_bytes);
}

bool is_reference(BytesView stored) {
  return stored.size() == ValueReference::encoded_bytes && stored.starts_with(mark);
}

ValueReference decode_reference(BytesView stored) {
  return {read_le64(stored.substr(16)), read_le64(stored.substr(24)), read_le64(stored.substr(32)),
          read_le64(stored.substr(40))};
}

}  // namespace strata::kv
