#include "tuple/tuple.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace strata::tuple {
namespace {

Error broken(const char* what) { return Error(ErrorCode::invalid_argument, std::string("tuple: ") + what); }

// Where an incomplete versionstamp was written, and how many were.
struct IncompleteStamps {
  size_t count = 0;
  size_t offset = 0;
};

struct Packer {
  Bytes& out;
  IncompleteStamps& stamps;
  bool nested;

  void operator()(Null) const {
    append_null(out);
    // In a nested tuple a lone zero byte is its end.
    if (nested) out.push_back('\xff');
  }
  void operator()(const ByteString& value) const { append_bytes(out, value.value); }
  void operator()(const Text& value) const { append_string(out, value.value); }
  void operator()(const Tuple& value) const {
    out.push_back(static_cast<char>(code::nested));
    const Packer inner{out, stamps, true};
    for (const Element& element : value) std::visit(inner, element);
    out.push_back('\0');
  }
  void operator()(int64_t value) const { append_int(out, value); }
  void operator()(const BigInteger& value) const { append_integer(out, value.negative(), value.magnitude()); }
  void operator()(float value) const { append_float(out, value); }
  void operator()(double value) const { append_double(out, value); }
  void operator()(bool value) const { append_bool(out, value); }
  void operator()(const Uuid& value) const { append_uuid(out, value); }
  void operator()(const Versionstamp& value) const {
    out.push_back(static_cast<char>(code::versionstamp));
    if (!value.is_complete()) {
      ++stamps.count;
      stamps.offset = out.size();
    }
    out.append(value.bytes());
  }
};

void pack_elements(const Tuple& tuple, Bytes& out, IncompleteStamps& stamps) {
  const Packer packer{out, stamps, false};
  for (const Element& element : tuple) std::visit(packer, element);
}

template <class T>
Result<Element> as_element(Result<T> value) {
  if (!value.ok()) return std::move(value).error();
  return Element(*std::move(value));
}

Result<Element> take_element(BytesView& in, size_t depth);

// The elements up to the zero byte that ends a nested tuple; `in` starts behind its type code.
Result<Element> take_nested(BytesView& in, size_t depth) {
  if (depth > max_depth) return broken("nested too deep");
  Tuple tuple;
  for (;;) {
    if (in.empty()) return broken("nested tuple without an end");
    if (in.front() != '\0') {
      ASSIGN_OR_RETURN(Element element, take_element(in, depth));
      tuple.add(std::move(element));
    } else if (in.size() > 1 && in[1] == '\xff') {
      tuple.add(Null{});
      in.remove_prefix(2);
    } else {
      in.remove_prefix(1);
      return Element(std::move(tuple));
    }
  }
}

Result<Element> take_versionstamp(BytesView& in) {
  if (in.size() < 1 + Versionstamp::size_bytes) return broken("versionstamp cut short");
  auto stamp = Versionstamp::from_bytes(in.substr(1, Versionstamp::size_bytes));
  in.remove_prefix(1 + Versionstamp::size_bytes);
  return as_element(std::move(stamp));
}

// `in` is not empty. Codes that FoundationDB reserves, deprecates or leaves to users have no meaning to agree on.
Result<Element> take_element(BytesView& in, size_t depth) {
  const auto type = static_cast<unsigned char>(in.front());
  switch (type) {
    case code::null:
      in.remove_prefix(1);
      return Element(Null{});
    case code::bytes: {
      ASSIGN_OR_RETURN(const Bytes value, take_bytes(in));
      return Element(ByteString(value));
    }
    case code::string: {
      ASSIGN_OR_RETURN(const std::string value, take_string(in));
      return Element(Text(value));
    }
    case code::nested:
      in.remove_prefix(1);
      return take_nested(in, depth + 1);
    case code::float32:
      return as_element(take_float(in));
    case code::float64:
      return as_element(take_double(in));
    case code::boolean_false:
    case code::boolean_true:
      return as_element(take_bool(in));
    case code::uuid:
      return as_element(take_uuid(in));
    case code::versionstamp:
      return take_versionstamp(in);
    default:
      if (type < code::negative_big_integer || type > code::positive_big_integer) return broken("unknown type code");
      ASSIGN_OR_RETURN(const IntegerParts parts, take_integer(in));
      return Element::integer(parts.negative, parts.magnitude);
  }
}

struct Printer {
  std::string operator()(Null) const { return "null"; }
  std::string operator()(const ByteString& value) const {
    std::string out = "0x";
    for (const char byte : value.value) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return out;
  }
  std::string operator()(const Text& value) const { return fmt::format("\"{}\"", printable(value.value)); }
  std::string operator()(const Tuple& value) const { return to_string(value); }
  std::string operator()(int64_t value) const { return std::to_string(value); }
  std::string operator()(const BigInteger& value) const {
    return (value.negative() ? "-" : "+") + (*this)(ByteString(value.magnitude()));
  }
  std::string operator()(float value) const { return fmt::format("{}f", value); }
  std::string operator()(double value) const { return fmt::format("{}", value); }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(const Uuid& value) const {
    return "uuid:" + (*this)(ByteString(BytesView(value.bytes.data(), value.bytes.size())));
  }
  std::string operator()(const Versionstamp& value) const {
    return (value.is_complete() ? "stamp:" : "incomplete stamp:") + (*this)(ByteString(value.bytes()));
  }
};

}  // namespace

Versionstamp::Versionstamp(BytesView stamp, uint16_t user_version, bool complete) : complete_(complete) {
  std::memcpy(bytes_.data(), stamp.data(), transaction_bytes);
  bytes_[transaction_bytes] = static_cast<char>(user_version >> 8);
  bytes_[transaction_bytes + 1] = static_cast<char>(user_version);
}

Versionstamp Versionstamp::incomplete(uint16_t user_version) {
  return Versionstamp(Bytes(transaction_bytes, '\xff'), user_version, false);
}

Versionstamp Versionstamp::complete(BytesView stamp, uint16_t user_version) {
  STRATA_ASSERT(stamp.size() == transaction_bytes);
  return Versionstamp(stamp, user_version, true);
}

Result<Versionstamp> Versionstamp::from_bytes(BytesView bytes) {
  if (bytes.size() != size_bytes) return broken("a versionstamp has 12 bytes");
  return Versionstamp(bytes, read_be16(bytes.substr(transaction_bytes)), true);
}

Result<Element> Element::integer(bool negative, BytesView magnitude) {
  magnitude.remove_prefix(std::min(magnitude.find_first_not_of('\0'), magnitude.size()));
  if (magnitude.size() > max_integer_bytes) return broken("integer of more than 255 bytes");
  if (magnitude.size() > 8) return Element(BigInteger(negative, magnitude));
  uint64_t value = 0;
  for (const char byte : magnitude) value = value << 8 | static_cast<unsigned char>(byte);
  constexpr uint64_t most_negative = uint64_t{1} << 63;
  if (value > most_negative - (negative ? 0 : 1)) return Element(BigInteger(negative, magnitude));
  return Element(static_cast<int64_t>(negative ? uint64_t{0} - value : value));
}

Element Element::unsigned_integer(uint64_t value) {
  Bytes magnitude;
  append_be64(magnitude, value);
  return integer(false, magnitude).value();
}

bool operator==(const Element& a, const Element& b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&b](const auto& left) {
        using T = std::decay_t<decltype(left)>;
        const T& right = std::get<T>(b);
        if constexpr (std::is_same_v<T, float>) {
          return std::bit_cast<uint32_t>(left) == std::bit_cast<uint32_t>(right);
        } else if constexpr (std::is_same_v<T, double>) {
          return std::bit_cast<uint64_t>(left) == std::bit_cast<uint64_t>(right);
        } else {
          return left == right;
        }
      },
      a);
}

bool operator==(const Tuple& a, const Tuple& b) { return a.elements_ == b.elements_; }

Tuple& Tuple::add(Element element) {
  if (const auto* nested = std::get_if<Tuple>(&element)) depth_ = std::max(depth_, nested->depth_ + 1);
  STRATA_ASSERT(depth_ <= max_depth);
  elements_.push_back(std::move(element));
  return *this;
}

Tuple& Tuple::extend(const Tuple& other) {
  elements_.reserve(elements_.size() + other.size());
  // By index: `other` may be this tuple.
  for (size_t i = 0, count = other.size(); i < count; ++i) add(other[i]);
  return *this;
}

size_t Tuple::size() const { return elements_.size(); }
const Element& Tuple::operator[](size_t i) const {
  STRATA_ASSERT(i < elements_.size());
  return elements_[i];
}
std::vector<Element>::const_iterator Tuple::begin() const { return elements_.begin(); }
std::vector<Element>::const_iterator Tuple::end() const { return elements_.end(); }

bool Tuple::has_incomplete_versionstamp() const {
  return std::any_of(begin(), end(), [](const Element& element) {
    if (const auto* stamp = std::get_if<Versionstamp>(&element)) return !stamp->is_complete();
    const auto* nested = std::get_if<Tuple>(&element);
    return nested && nested->has_incomplete_versionstamp();
  });
}

Bytes Tuple::pack(BytesView prefix) const {
  Bytes out(prefix);
  IncompleteStamps stamps;
  pack_elements(*this, out, stamps);
  STRATA_ASSERT(stamps.count == 0);
  return out;
}

Result<Bytes> Tuple::pack_with_versionstamp(BytesView prefix) const {
  Bytes out(prefix);
  IncompleteStamps stamps;
  pack_elements(*this, out, stamps);
  if (stamps.count != 1) return broken("exactly one incomplete versionstamp is needed");
  append_le32(out, static_cast<uint32_t>(stamps.offset));
  return out;
}

Range Tuple::range(BytesView prefix) const {
  Range range{pack(prefix), {}};
  range.end = range.begin;
  range.begin.push_back('\0');
  range.end.push_back('\xff');
  return range;
}

Result<Tuple> Tuple::unpack(BytesView packed) {
  Tuple tuple;
  while (!packed.empty()) {
    ASSIGN_OR_RETURN(Element element, take_element(packed, 0));
    tuple.add(std::move(element));
  }
  return tuple;
}

std::string to_string(const Tuple& tuple) {
  std::string out = "(";
  for (size_t i = 0; i < tuple.size(); ++i) {
    if (i > 0) out += ", ";
    out += std::visit(Printer{}, tuple[i]);
  }
  return out + ")";
}

}  // namespace strata::tuple
