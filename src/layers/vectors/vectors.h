// Vectors: the bytes of one vector, of what is deferred of it, and of a collection's counters.
//
// Purpose:       vectors as keys; docs/formats/vectors.md describes the bytes.
// Ownership:     values.
// Thread safety: as the transaction that is passed.
// Invariants:    a vector has as many numbers as its collection's dimension, all finite, or is not stored. Ids and LSNs
//                are dense: one LSN a vector that is written, changed or removed.
// Errors:        corruption for what the store holds and this program would not have written.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "kv/transaction.h"
#include "layers/vectors/collections.h"
#include "layers/vectors/metadata.h"

namespace strata::vectors {

inline constexpr size_t chunk_bytes = 96'000;

struct Counters {
  uint64_t next_id = 1;  // 0: the last one is given out
  uint64_t next_lsn = 1;
  uint64_t count = 0;
  friend bool operator==(const Counters&, const Counters&) = default;
};
Future<std::optional<Bytes>> get_counters(const kv::ReadTransaction& transaction, const Collection& collection);
Result<Counters> decode_counters(const std::optional<Bytes>& stored);
// Both, where nothing else is read meanwhile.
Result<Counters> read_counters(const kv::ReadTransaction& transaction, const Collection& collection);
void set_counters(kv::Transaction& transaction, const Collection& collection, const Counters& counters);

// What optimize is to do for a vector.
struct Deferral {
  bool index = false;
  bool graph = false;
  bool metadata = false;
  // It asked for all cores.
  bool parallel = false;
  bool any() const { return index || graph || metadata; }
  friend bool operator==(const Deferral&, const Deferral&) = default;
};
Bytes encode_deferral(const Deferral& deferral);
Result<Deferral> decode_deferral(BytesView stored);

Bytes encode_threshold(float threshold);
Result<float> decode_threshold(BytesView stored);

// Values of a vector that is not there yet, or of the same dimension over its old ones.
void set_values(kv::Transaction& transaction, const Collection& collection, uint64_t id, std::span<const float> values);
// Empty: none.
void set_metadata(kv::Transaction& transaction, const Collection& collection, uint64_t id, const Metadata& metadata);
void set_deferral(kv::Transaction& transaction, const Collection& collection, uint64_t id, const Deferral& deferral);
void set_threshold(kv::Transaction& transaction, const Collection& collection, uint64_t id, float threshold);
void clear_vector(kv::Transaction& transaction, const Collection& collection, uint64_t id);

// nullopt: there is none. Reads the chunks where there are some.
Result<std::optional<std::vector<float>>> read_values(const kv::ReadTransaction& transaction,
                                                      const Collection& collection, uint64_t id);
// The same of what get() of its key gave.
Result<std::vector<float>> finish_values(const kv::ReadTransaction& transaction, const Collection& collection,
                                         uint64_t id, BytesView stored);
Result<Metadata> read_metadata(const kv::ReadTransaction& transaction, const Collection& collection, uint64_t id);

struct StoredRow {
  uint64_t id = 0;
  std::vector<float> values;
};
// Vectors whose ids are `from` or more, in order of ids, about `limit_bytes` of them, at least one. Done when empty.
Result<std::vector<StoredRow>> read_vectors_from(const kv::ReadTransaction& transaction, const Collection& collection,
                                                 uint64_t from, size_t limit_bytes);

}  // namespace strata::vectors
