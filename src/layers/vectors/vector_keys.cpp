#include "layers/vectors/vector_keys.h"

namespace strata::vectors {
Bytes entity_prefix(BytesView collection, VectorEntity entity) {
  Bytes key;
  key.reserve(collection.size() + 1 + 8);
  key.append(collection);
  key.push_back(static_cast<char>(entity));
  return key;
}

Bytes entity_key(BytesView collection, VectorEntity entity, uint64_t number) {
  Bytes key = entity_prefix(collection, entity);
  append_be64(key, number);
  return key;
}

Result<uint64_t> number_of(BytesView collection, VectorEntity entity, BytesView key) {
  const size_t head = collection.size() + 1;
  if (key.size() == head + 8 && key.starts_with(collection) && key[head - 1] == static_cast<char>(entity)) {
    return read_be64(key.substr(head));
  }
  return Error(ErrorCode::corruption, "a key of a collection is malformed: " + printable(key));
}

Bytes chunks_prefix(BytesView collection, uint64_t id) { return entity_key(collection, VectorEntity::chunk, id); }

Bytes chunk_key(BytesView collection, uint64_t id, uint16_t index) {
  Bytes key = chunks_prefix(collection, id);
  append_be16(key, index);
  return key;
}

}  // namespace strata::vectors
