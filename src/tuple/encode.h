// Tuple elements, one at a time: what a layer's keys are made of without building a Tuple.
//
// Purpose:       FoundationDB's tuple encoding, byte for byte: packed elements sort as their values do, and a packed
//                tuple followed by another is the packed concatenation. docs/formats/tuple.md is the format's page.
// Ownership:     append_* write to the caller's bytes; take_* copy out of the caller's view.
// Thread safety: pure functions.
// Invariants:    take_x(append_x(v)) == v, and every value has one encoding: what take_* accepts, append_* would have
//                written (but for the Python binding's spelling of plus and minus 2^64 - 1, which is read and never
//                written). take_* never read past the view and leave it alone when they fail.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::tuple {

// FoundationDB's type codes. Integers are 0x14 (zero) plus or minus the number of bytes of the magnitude.
namespace code {
inline constexpr unsigned char null = 0x00;
inline constexpr unsigned char bytes = 0x01;
inline constexpr unsigned char string = 0x02;
inline constexpr unsigned char nested = 0x05;
inline constexpr unsigned char negative_big_integer = 0x0b;
inline constexpr unsigned char zero = 0x14;
inline constexpr unsigned char positive_big_integer = 0x1d;
inline constexpr unsigned char float32 = 0x20;
inline constexpr unsigned char float64 = 0x21;
inline constexpr unsigned char boolean_false = 0x26;
inline constexpr unsigned char boolean_true = 0x27;
inline constexpr unsigned char uuid = 0x30;
inline constexpr unsigned char versionstamp = 0x33;
}  // namespace code

// The most bytes that the magnitude of an integer has: its length is one byte.
inline constexpr size_t max_integer_bytes = 255;

// 16 bytes in network order; sorts as unsigned bytes.
struct Uuid {
  std::array<char, 16> bytes{};
  friend bool operator==(const Uuid&, const Uuid&) = default;
};

// At the top level of a tuple; inside a nested one a null is 0x00 0xff (Tuple::pack knows).
void append_null(Bytes& out);
void append_bytes(Bytes& out, BytesView value);
// UTF-8. It is not checked, here or in take_string: FoundationDB's Go binding writes what its strings hold.
void append_string(Bytes& out, std::string_view value);
void append_int(Bytes& out, int64_t value);
void append_uint(Bytes& out, uint64_t value);
// `magnitude` is big-endian; leading zeros are dropped. What is left must be max_integer_bytes or shorter.
void append_integer(Bytes& out, bool negative, BytesView magnitude);
void append_float(Bytes& out, float value);
void append_double(Bytes& out, double value);
void append_bool(Bytes& out, bool value);
void append_uuid(Bytes& out, const Uuid& value);

// One element off the front of `in`, of exactly this type; invalid_argument when it is another or broken. take_int
// refuses integers that do not fit.
Result<Bytes> take_bytes(BytesView& in);
Result<std::string> take_string(BytesView& in);
Result<int64_t> take_int(BytesView& in);
Result<float> take_float(BytesView& in);
Result<double> take_double(BytesView& in);
Result<bool> take_bool(BytesView& in);
Result<Uuid> take_uuid(BytesView& in);

// Any integer: sign and big-endian magnitude without leading zeros, empty for 0.
struct IntegerParts {
  bool negative = false;
  Bytes magnitude;
};
Result<IntegerParts> take_integer(BytesView& in);

}  // namespace strata::tuple
