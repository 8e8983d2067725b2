// Vector keys: the one place that knows how keys of this layer are made (docs/formats/keyspace.md).
//
// Ownership:     every function returns bytes of its own.
// Thread safety: pure functions.
// Invariants:    keys of one collection share a prefix that no other collection's has. Ids and LSNs stand big-endian at
//                the end of their keys, so a scan meets them in order.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "kv/numbered_names.h"

namespace strata::vectors {

// The names of collections and the numbers behind them: first tuple element 3. Data of a collection lies behind
// collection_names.prefix(number), its row at collection_names.name_key(name). Names are of letters, digits, '_' and
// '-' (validate_collection_name).
inline constexpr kv::NumberedNames collection_names(3, "collection", "collections", 256);

// What lies behind a collection's prefix.
enum class VectorEntity : char {
  counters = 'n',
  vector = 'v',
  chunk = 'V',
  metadata = 'm',
  threshold = 't',
  deferred = 'd',
  log = 'l',
  image = 'i',
};

// Of counters and image: the key itself; of the others: the prefix of all of them.
Bytes entity_prefix(BytesView collection, VectorEntity entity);
// Of vector, metadata, threshold, deferred (id) and log (LSN).
Bytes entity_key(BytesView collection, VectorEntity entity, uint64_t number);
// The number at its end; corruption when the key is not entity_key of one.
Result<uint64_t> number_of(BytesView collection, VectorEntity entity, BytesView key);
// The prefix of the chunks of one vector, and one of them.
Bytes chunks_prefix(BytesView collection, uint64_t id);
Bytes chunk_key(BytesView collection, uint64_t id, uint16_t index);

}  // namespace strata::vectors
