#include "layers/vectors/vectors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/assert.h"

namespace strata::vectors {
namespace {

static_assert(std::endian::native == std::endian::little, "vectors are stored as they lie in memory");

constexpr char format = 1;
constexpr char chunked_flag = 1;
constexpr size_t header_bytes = 2;

Error broken(const char* what) {
  return Error(ErrorCode::corruption, std::string("a stored vector is broken: ") + what);
}

BytesView bytes_of(std::span<const float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

Result<void> append_values(std::vector<float>& values, BytesView bytes) {
  if (bytes.size() % sizeof(float) != 0) return broken("a part of a number");
  const size_t before = values.size();
  values.resize(before + bytes.size() / sizeof(float));
  std::memcpy(values.data() + before, bytes.data(), bytes.size());
  return {};
}

}  // namespace

Future<std::optional<Bytes>> get_counters(const kv::ReadTransaction& transaction, const Collection& collection) {
  return transaction.get(entity_prefix(collection.prefix, VectorEntity::counters));
}

Result<Counters> decode_counters(const std::optional<Bytes>& stored) {
  if (!stored) return Counters();
  if (stored->size() != 1 + 3 * 8 || (*stored)[0] != format) {
    return Error(ErrorCode::corruption, "the counters of a collection are broken");
  }
  const BytesView bytes = *stored;
  return Counters{.next_id = read_le64(bytes.substr(1)),
                  .next_lsn = read_le64(bytes.substr(9)),
                  .count = read_le64(bytes.substr(17))};
}

Result<Counters> read_counters(const kv::ReadTransaction& transaction, const Collection& collection) {
  ASSIGN_OR_RETURN(const auto stored, get_counters(transaction, collection).get());
  return decode_counters(stored);
}

void set_counters(kv::Transaction& transaction, const Collection& collection, const Counters& counters) {
  Bytes value(1, format);
  append_le64(value, counters.next_id);
  append_le64(value, counters.next_lsn);
  append_le64(value, counters.count);
  transaction.set(entity_prefix(collection.prefix, VectorEntity::counters), value);
}

Bytes encode_deferral(const Deferral& deferral) {
  Bytes value(1, format);
  value.push_back(static_cast<char>((deferral.index ? 1 : 0) | (deferral.graph ? 2 : 0) | (deferral.metadata ? 4 : 0) |
                                    (deferral.parallel ? 8 : 0)));
  return value;
}

Result<Deferral> decode_deferral(BytesView stored) {
  if (stored.size() != 2 || stored[0] != format || static_cast<uint8_t>(stored[1]) > 15) {
    return broken("what is deferred of it");
  }
  const auto bits = static_cast<uint8_t>(stored[1]);
  return Deferral{
      .index = (bits & 1) != 0, .graph = (bits & 2) != 0, .metadata = (bits & 4) != 0, .parallel = (bits & 8) != 0};
}

Bytes encode_threshold(float threshold) {
  Bytes value(1, format);
  append_le32(value, std::bit_cast<uint32_t>(threshold));
  return value;
}

Result<float> decode_threshold(BytesView stored) {
  if (stored.size() != 5 || stored[0] != format) return broken("its threshold");
  return std::bit_cast<float>(read_le32(stored.substr(1)));
}

void set_values(kv::Transaction& transaction, const Collection& collection, uint64_t id,
                std::span<const float> values) {
  STRATA_ASSERT(values.size() == collection.options.dimension);
  BytesView rest = bytes_of(values);
  Bytes head;
  head.reserve(header_bytes + std::min(rest.size(), chunk_bytes));
  head.push_back(format);
  head.push_back(rest.size() > chunk_bytes ? chunked_flag : '\0');
  const auto take = [&rest] {
    const BytesView chunk = rest.substr(0, chunk_bytes);
    rest.remove_prefix(chunk.size());
    return chunk;
  };
  head.append(take());
  transaction.set(entity_key(collection.prefix, VectorEntity::vector, id), head);
  for (uint16_t index = 0; !rest.empty(); ++index) transaction.set(chunk_key(collection.prefix, id, index), take());
}

void set_metadata(kv::Transaction& transaction, const Collection& collection, uint64_t id, const Metadata& metadata) {
  const Bytes key = entity_key(collection.prefix, VectorEntity::metadata, id);
  if (metadata.empty()) {
    transaction.clear(key);
  } else {
    transaction.set(key, encode_metadata(metadata));
  }
}

void set_deferral(kv::Transaction& transaction, const Collection& collection, uint64_t id, const Deferral& deferral) {
  const Bytes key = entity_key(collection.prefix, VectorEntity::deferred, id);
  if (deferral.any()) {
    transaction.set(key, encode_deferral(deferral));
  } else {
    transaction.clear(key);
  }
}

void set_threshold(kv::Transaction& transaction, const Collection& collection, uint64_t id, float threshold) {
  const Bytes key = entity_key(collection.prefix, VectorEntity::threshold, id);
  if (threshold == 0) {
    transaction.clear(key);
  } else {
    transaction.set(key, encode_threshold(threshold));
  }
}

void clear_vector(kv::Transaction& transaction, const Collection& collection, uint64_t id) {
  for (const VectorEntity entity :
       {VectorEntity::vector, VectorEntity::metadata, VectorEntity::threshold, VectorEntity::deferred}) {
    transaction.clear(entity_key(collection.prefix, entity, id));
  }
  // A range to clear costs reads ever after: only where there may be something.
  if (collection.options.dimension * sizeof(float) > chunk_bytes) {
    transaction.clear_prefix(chunks_prefix(collection.prefix, id));
  }
}

Result<std::vector<float>> finish_values(const kv::ReadTransaction& transaction, const Collection& collection,
                                         uint64_t id, BytesView stored) {
  const size_t expected_bytes = collection.options.dimension * sizeof(float);
  const bool chunked = expected_bytes > chunk_bytes;
  if (stored.size() < header_bytes || stored[0] != format) return broken("unknown format");
  if (stored[1] != (chunked ? chunked_flag : '\0')) return broken("unknown flags");
  stored.remove_prefix(header_bytes);
  if (stored.size() != std::min(expected_bytes, chunk_bytes)) return broken("another length");
  std::vector<float> values;
  values.reserve(collection.options.dimension);
  RETURN_IF_ERROR(append_values(values, stored));
  if (!chunked) return values;
  const Bytes prefix = chunks_prefix(collection.prefix, id);
  kv::RangeIterator chunks(transaction, prefix, *prefix_end(prefix), {.mode = kv::StreamingMode::want_all});
  for (uint16_t index = 0; chunks.next(); ++index) {
    if (chunks.key() != chunk_key(collection.prefix, id, index)) return broken("a chunk is missing");
    if (chunks.value().size() > expected_bytes - values.size() * sizeof(float)) return broken("too many chunks");
    RETURN_IF_ERROR(append_values(values, chunks.value()));
  }
  RETURN_IF_ERROR(chunks.status());
  if (values.size() != collection.options.dimension) return broken("too few chunks");
  return values;
}

Result<std::optional<std::vector<float>>> read_values(const kv::ReadTransaction& transaction,
                                                      const Collection& collection, uint64_t id) {
  ASSIGN_OR_RETURN(const auto stored, transaction.get(entity_key(collection.prefix, VectorEntity::vector, id)).get());
  if (!stored) return std::optional<std::vector<float>>();
  ASSIGN_OR_RETURN(auto values, finish_values(transaction, collection, id, *stored));
  return std::optional<std::vector<float>>(std::move(values));
}

Result<Metadata> read_metadata(const kv::ReadTransaction& transaction, const Collection& collection, uint64_t id) {
  ASSIGN_OR_RETURN(const auto stored, transaction.get(entity_key(collection.prefix, VectorEntity::metadata, id)).get());
  if (!stored) return Metadata();
  return decode_metadata(*stored);
}

Result<std::vector<StoredRow>> read_vectors_from(const kv::ReadTransaction& transaction, const Collection& collection,
                                                 uint64_t from, size_t limit_bytes) {
  const Bytes begin = entity_key(collection.prefix, VectorEntity::vector, from);
  const Bytes end = *prefix_end(entity_prefix(collection.prefix, VectorEntity::vector));
  std::vector<StoredRow> found;
  size_t bytes = 0;
  kv::RangeIterator rows(transaction, begin, end, {.mode = kv::StreamingMode::want_all});
  while (bytes < limit_bytes && rows.next()) {
    ASSIGN_OR_RETURN(const uint64_t id, number_of(collection.prefix, VectorEntity::vector, rows.key()));
    ASSIGN_OR_RETURN(auto values, finish_values(transaction, collection, id, rows.value()));
    bytes += values.size() * sizeof(float);
    found.push_back({id, std::move(values)});
  }
  RETURN_IF_ERROR(rows.status());
  return found;
}

}  // namespace strata::vectors
