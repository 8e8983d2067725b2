// Operation: one change of a namespace, as a request asks for it and as the namespace's log keeps it.
//
// Purpose:       every write, single or batch, is a list of these; applying and logging read the same list, so that the
//                log cannot say anything else than what was done.
// Ownership:     views; whoever makes an Operation keeps its bytes (ParsedRequest of a face, an encoded log record).
// Thread safety: values.
// Invariants:    the numbers are those of the log's format (docs/formats/records.md) and never change.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::records {

// 8 KiB: with the namespace's prefix and a chunk's suffix a key of the engine stays below its 10,000 bytes.
inline constexpr size_t max_key_bytes = 8'192;
// With a row key of 8 KiB still below 10,000.
inline constexpr size_t max_column_bytes = 1'024;

enum class OperationType : uint8_t {
  put_value = 1,
  delete_value = 2,
  put_row = 3,
  delete_row = 4,
  delete_columns = 5,
  put_object = 6,
  delete_object = 7,
};

struct Column {
  BytesView name;
  BytesView value;  // empty in delete_columns
  friend bool operator==(const Column&, const Column&) = default;
};

// Of a large object: random, so that nobody who stages one needs to ask what is taken.
inline constexpr size_t object_id_bytes = 16;
using ObjectId = std::array<char, object_id_bytes>;

// Chunks count in four bytes: 384 TiB would fit.
inline constexpr uint64_t max_object_bytes = uint64_t{1} << 48;

// What a put of a large object says instead of its bytes, which lie in chunks already.
struct ObjectReference {
  ObjectId id{};
  uint64_t size = 0;
  uint32_t checksum = 0;  // CRC-32 of all bytes, as zlib computes it
  friend bool operator==(const ObjectReference&, const ObjectReference&) = default;
};

struct Operation {
  OperationType type;
  BytesView key;                // of the value, the row or the object
  BytesView value = {};         // of put_value
  std::vector<Column> columns;  // of put_row and delete_columns
  ObjectReference object = {};  // of put_object
  friend bool operator==(const Operation&, const Operation&) = default;
};

// invalid_argument or key_too_large, with words for the one who asked.
Result<void> validate_key(BytesView key, std::string_view what);
Result<void> validate_column(BytesView name);
Result<void> validate(const Operation& operation);

}  // namespace strata::records
