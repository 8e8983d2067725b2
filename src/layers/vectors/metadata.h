// Metadata: what a vector carries beside its numbers; names and values of five types.
//
// Purpose:       the value types, their limits, the order that filters compare by, and the bytes in the store
//                (docs/formats/vector-metadata.md).
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    a Metadata that passed check_metadata is sorted by name, has no name twice, and holds finite doubles.
//                Numbers compare by their mathematical values: 1 and 1.0 are equal, 2^53 + 1 and 2^53 are not.
// Errors:        invalid_argument that names the field, for what a client sent; corruption for what the store holds.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::vectors {

using StringList = std::vector<std::string>;
using MetadataValue = std::variant<std::string, int64_t, double, bool, StringList>;

struct MetadataField {
  std::string name;
  MetadataValue value;
  friend bool operator==(const MetadataField&, const MetadataField&) = default;
};
using Metadata = std::vector<MetadataField>;

inline constexpr size_t max_metadata_fields = 256;
inline constexpr size_t max_metadata_name_bytes = 1'024;
inline constexpr size_t max_metadata_bytes = 65'536;

// Sorts by name and checks the limits: fields, names, finite doubles, encoded size.
Result<void> check_metadata(Metadata& metadata);
// nullptr: it has no such field. `metadata` is sorted.
const MetadataValue* find_field(const Metadata& metadata, std::string_view name);

// Of a Metadata that was checked.
size_t encoded_size(const Metadata& metadata);
Bytes encode_metadata(const Metadata& metadata);
Result<Metadata> decode_metadata(BytesView bytes);

// A number as it is compared and indexed: a double that is an integer of 64 bits is that integer, so that equal numbers
// are the same bits.
class MetadataNumber {
 public:
  MetadataNumber(int64_t value) : integer_(value) {}  // NOLINT
  // Finite.
  MetadataNumber(double value);  // NOLINT
  // nullopt: the value is no number.
  static std::optional<MetadataNumber> of(const MetadataValue& value);

  bool is_integer() const { return is_integer_; }
  int64_t integer() const { return integer_; }
  double real() const { return real_; }

  friend std::strong_ordering operator<=>(const MetadataNumber& a, const MetadataNumber& b);
  friend bool operator==(const MetadataNumber& a, const MetadataNumber& b) { return (a <=> b) == 0; }

 private:
  bool is_integer_ = true;
  union {
    int64_t integer_;
    double real_;
  };
};

}  // namespace strata::vectors
