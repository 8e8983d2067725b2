// Tuple: a key made of typed parts that sorts as its parts do.
//
// Purpose:       what FoundationDB's bindings call a tuple, packed to the same bytes. Layers on a hot path append
//                elements one by one (encode.h); this is for keys whose parts are known at run time alone.
// Ownership:     owns its elements; views given to it are copied.
// Thread safety: as a value.
// Invariants:    unpack(t.pack()) == t, and unpack(b).pack() == b for every b that unpack accepts (encode.h names the
//                exception). Packed tuples sort by type code, then value; a tuple sorts before those it is a prefix of.
#pragma once

#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "tuple/encode.h"
#include "tuple/versionstamp.h"

namespace strata::tuple {

// Tuples nested deeper than this are refused by unpack and are a bug in add: it bounds every recursion.
inline constexpr size_t max_depth = 100;

using Null = std::monostate;

// Bytes and text are one C++ type and two tuple types: these say which.
struct ByteString {
  explicit ByteString(BytesView from) : value(from) {}
  Bytes value;
  friend bool operator==(const ByteString&, const ByteString&) = default;
};
struct Text {
  explicit Text(std::string_view from) : value(from) {}
  std::string value;
  friend bool operator==(const Text&, const Text&) = default;
};

// An integer that int64_t does not hold.
class BigInteger {
 public:
  bool negative() const { return negative_; }
  // Big-endian, 8 to 255 bytes, no leading zeros.
  BytesView magnitude() const { return magnitude_; }
  friend bool operator==(const BigInteger&, const BigInteger&) = default;

 private:
  friend struct Element;
  BigInteger(bool negative, BytesView magnitude) : negative_(negative), magnitude_(magnitude) {}
  bool negative_;
  Bytes magnitude_;
};

struct Element;

// [begin, end)
struct Range {
  Bytes begin;
  Bytes end;
  friend bool operator==(const Range&, const Range&) = default;
};

class Tuple {
 public:
  Tuple() = default;
  // Tuple::of(Text("user"), 42, ByteString(key), Null{}): a Tuple among the elements is nested.
  template <class... Elements>
  static Tuple of(Elements&&... elements);
  // invalid_argument, with the reason, for anything that is not a packed tuple.
  static Result<Tuple> unpack(BytesView packed);

  Tuple& add(Element element);
  // Appends the elements of `other`; nests nothing.
  Tuple& extend(const Tuple& other);

  size_t size() const;
  bool empty() const { return size() == 0; }
  const Element& operator[](size_t i) const;
  std::vector<Element>::const_iterator begin() const;
  std::vector<Element>::const_iterator end() const;

  bool has_incomplete_versionstamp() const;
  // An incomplete versionstamp in it is a bug.
  Bytes pack(BytesView prefix = {}) const;
  // For SET_VERSIONSTAMPED_KEY and _VALUE: the place of the stamp follows as 4 bytes, little-endian. Anything but one
  // incomplete versionstamp is invalid_argument.
  Result<Bytes> pack_with_versionstamp(BytesView prefix = {}) const;
  // Every tuple that has this one as a proper prefix.
  Range range(BytesView prefix = {}) const;

  friend bool operator==(const Tuple& a, const Tuple& b);

 private:
  std::vector<Element> elements_;
  // 0 without nested tuples.
  size_t depth_ = 0;
};

struct Element
    : std::variant<Null, ByteString, Text, Tuple, int64_t, BigInteger, float, double, bool, Uuid, Versionstamp> {
  using Base =
      std::variant<Null, ByteString, Text, Tuple, int64_t, BigInteger, float, double, bool, Uuid, Versionstamp>;
  using Base::Base;

  // Of big-endian bytes; int64_t where it fits. More than 255 bytes: invalid_argument.
  static Result<Element> integer(bool negative, BytesView magnitude);
  static Element unsigned_integer(uint64_t value);

  // Floating point by its bits: a NaN equals itself, -0.0 is not 0.0.
  friend bool operator==(const Element& a, const Element& b);
};

template <class... Elements>
Tuple Tuple::of(Elements&&... elements) {
  Tuple tuple;
  tuple.elements_.reserve(sizeof...(elements));
  (tuple.add(Element(std::forward<Elements>(elements))), ...);
  return tuple;
}

// For messages: ("user", 42, 0x00ff, null, (1.5)).
std::string to_string(const Tuple& tuple);

}  // namespace strata::tuple
