#include "tuple/encode.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace strata::tuple {
namespace {

constexpr size_t escape_bytes = 2;  // "\x00\xff" for a zero byte

unsigned char first_code(BytesView in) { return static_cast<unsigned char>(in.front()); }

Error broken(const char* what) { return Error(ErrorCode::invalid_argument, std::string("tuple: ") + what); }

void append_escaped(Bytes& out, unsigned char type, BytesView value) {
  out.push_back(static_cast<char>(type));
  for (;;) {
    const size_t zero_at = value.find('\0');
    if (zero_at == BytesView::npos) break;
    out.append(value.substr(0, zero_at));
    out.append("\x00\xff", escape_bytes);
    value.remove_prefix(zero_at + 1);
  }
  out.append(value);
  out.push_back('\0');
}

Result<Bytes> take_escaped(BytesView& in, unsigned char type, const char* expected) {
  if (in.empty() || first_code(in) != type) return broken(expected);
  Bytes value;
  BytesView rest = in.substr(1);
  for (;;) {
    const size_t zero_at = rest.find('\0');
    if (zero_at == BytesView::npos) return broken("string without an end");
    value.append(rest.substr(0, zero_at));
    const bool escaped = zero_at + 1 < rest.size() && rest[zero_at + 1] == '\xff';
    rest.remove_prefix(zero_at + (escaped ? escape_bytes : 1));
    if (!escaped) break;
    value.push_back('\0');
  }
  in = rest;
  return value;
}

// The magnitude in as few bytes as it needs behind a type code that counts them; one's complement when negative.
void append_magnitude(Bytes& out, bool negative, uint64_t magnitude) {
  const int bytes = (std::bit_width(magnitude) + 7) / 8;
  const uint64_t written = negative ? ~magnitude : magnitude;
  char buffer[9];
  buffer[0] = static_cast<char>(negative ? code::zero - bytes : code::zero + bytes);
  for (int i = 0; i < bytes; ++i) buffer[1 + i] = static_cast<char>(written >> (8 * (bytes - 1 - i)));
  out.append(buffer, static_cast<size_t>(bytes) + 1);
}

// IEEE bits sort as numbers once the sign bit is flipped, and all the bits of negative ones are.
template <class Bits>
Bits sortable(Bits bits) {
  constexpr Bits sign = Bits{1} << (sizeof(Bits) * 8 - 1);
  return (bits & sign) ? ~bits : bits ^ sign;
}
template <class Bits>
Bits unsortable(Bits bits) {
  constexpr Bits sign = Bits{1} << (sizeof(Bits) * 8 - 1);
  return (bits & sign) ? bits ^ sign : ~bits;
}

// The header of an integer, checked against the input's length.
struct IntegerHeader {
  bool negative;
  size_t header_bytes;
  size_t magnitude_bytes;
};

// FoundationDB's Python binding writes plus and minus 2^64 - 1 as big integers of 8 bytes; the others and we write them
// as 0x1c and 0x0c. Its data must be readable: the one value with two encodings.
bool is_python_spelling(BytesView in, bool negative) {
  const BytesView magnitude = in.substr(2, 8);
  const char length = negative ? '\xf7' : '\x08';
  return in[1] == length && magnitude.size() == 8 &&
         magnitude.find_first_not_of(negative ? '\0' : '\xff') == BytesView::npos;
}

Result<IntegerHeader> integer_header(BytesView in) {
  if (in.empty()) return broken("an integer was expected");
  const unsigned char type = first_code(in);
  IntegerHeader header{type < code::zero, 1, 0};
  if (type == code::negative_big_integer || type == code::positive_big_integer) {
    if (in.size() < 2) return broken("integer cut short");
    const auto length = static_cast<unsigned char>(in[1]);
    header.header_bytes = 2;
    header.magnitude_bytes = header.negative ? static_cast<unsigned char>(~length) : length;
    if (header.magnitude_bytes <= 8 && !is_python_spelling(in, header.negative)) {
      return broken("integer longer than it needs to be");
    }
  } else if (type > code::negative_big_integer && type < code::positive_big_integer) {
    header.magnitude_bytes = header.negative ? code::zero - type : type - code::zero;
  } else {
    return broken("an integer was expected");
  }
  if (in.size() < header.header_bytes + header.magnitude_bytes) return broken("integer cut short");
  // One value, one encoding: equality of keys is equality of values.
  const char leading_zero = header.negative ? '\xff' : '\0';
  if (header.magnitude_bytes > 0 && in[header.header_bytes] == leading_zero) {
    return broken("integer longer than it needs to be");
  }
  return header;
}

}  // namespace

void append_null(Bytes& out) { out.push_back('\0'); }

void append_bytes(Bytes& out, BytesView value) { append_escaped(out, code::bytes, value); }

void append_string(Bytes& out, std::string_view value) { append_escaped(out, code::string, value); }

void append_int(Bytes& out, int64_t value) {
  const bool negative = value < 0;
  append_magnitude(out, negative, negative ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value));
}

void append_uint(Bytes& out, uint64_t value) { append_magnitude(out, false, value); }

void append_integer(Bytes& out, bool negative, BytesView magnitude) {
  magnitude.remove_prefix(std::min(magnitude.find_first_not_of('\0'), magnitude.size()));
  STRATA_ASSERT(magnitude.size() <= max_integer_bytes);
  if (magnitude.size() <= 8) {
    uint64_t value = 0;
    for (const char byte : magnitude) value = value << 8 | static_cast<unsigned char>(byte);
    append_magnitude(out, negative && value != 0, value);
    return;
  }
  const char flip = negative ? '\xff' : '\0';
  out.push_back(static_cast<char>(negative ? code::negative_big_integer : code::positive_big_integer));
  out.push_back(static_cast<char>(static_cast<char>(magnitude.size()) ^ flip));
  for (const char byte : magnitude) out.push_back(static_cast<char>(byte ^ flip));
}

void append_float(Bytes& out, float value) {
  out.push_back(static_cast<char>(code::float32));
  append_be32(out, sortable(std::bit_cast<uint32_t>(value)));
}

void append_double(Bytes& out, double value) {
  out.push_back(static_cast<char>(code::float64));
  append_be64(out, sortable(std::bit_cast<uint64_t>(value)));
}

void append_bool(Bytes& out, bool value) {
  out.push_back(static_cast<char>(value ? code::boolean_true : code::boolean_false));
}

void append_uuid(Bytes& out, const Uuid& value) {
  out.push_back(static_cast<char>(code::uuid));
  out.append(value.bytes.data(), value.bytes.size());
}

Result<Bytes> take_bytes(BytesView& in) { return take_escaped(in, code::bytes, "a byte string was expected"); }

Result<std::string> take_string(BytesView& in) { return take_escaped(in, code::string, "a string was expected"); }

Result<int64_t> take_int(BytesView& in) {
  ASSIGN_OR_RETURN(const IntegerHeader header, integer_header(in));
  if (header.magnitude_bytes > 8) return broken("integer does not fit in 64 bits");
  const char flip = header.negative ? '\xff' : '\0';
  uint64_t magnitude = 0;
  for (size_t i = 0; i < header.magnitude_bytes; ++i) {
    magnitude = magnitude << 8 | static_cast<unsigned char>(in[header.header_bytes + i] ^ flip);
  }
  constexpr uint64_t most_negative = uint64_t{1} << 63;
  if (magnitude > most_negative - (header.negative ? 0 : 1)) return broken("integer does not fit in 64 bits");
  in.remove_prefix(header.header_bytes + header.magnitude_bytes);
  return static_cast<int64_t>(header.negative ? uint64_t{0} - magnitude : magnitude);
}

Result<IntegerParts> take_integer(BytesView& in) {
  ASSIGN_OR_RETURN(const IntegerHeader header, integer_header(in));
  IntegerParts parts{header.negative, Bytes(in.substr(header.header_bytes, header.magnitude_bytes))};
  if (header.negative) {
    for (char& byte : parts.magnitude) byte = static_cast<char>(~byte);
  }
  in.remove_prefix(header.header_bytes + header.magnitude_bytes);
  return parts;
}

Result<float> take_float(BytesView& in) {
  if (in.empty() || first_code(in) != code::float32) return broken("a float was expected");
  if (in.size() < 5) return broken("float cut short");
  const uint32_t bits = unsortable(read_be32(in.substr(1)));
  in.remove_prefix(5);
  return std::bit_cast<float>(bits);
}

Result<double> take_double(BytesView& in) {
  if (in.empty() || first_code(in) != code::float64) return broken("a double was expected");
  if (in.size() < 9) return broken("double cut short");
  const uint64_t bits = unsortable(read_be64(in.substr(1)));
  in.remove_prefix(9);
  return std::bit_cast<double>(bits);
}

Result<bool> take_bool(BytesView& in) {
  if (in.empty() || (first_code(in) != code::boolean_true && first_code(in) != code::boolean_false)) {
    return broken("a boolean was expected");
  }
  const bool value = first_code(in) == code::boolean_true;
  in.remove_prefix(1);
  return value;
}

Result<Uuid> take_uuid(BytesView& in) {
  if (in.empty() || first_code(in) != code::uuid) return broken("a UUID was expected");
  Uuid value;
  if (in.size() < 1 + value.bytes.size()) return broken("UUID cut short");
  std::memcpy(value.bytes.data(), in.data() + 1, value.bytes.size());
  in.remove_prefix(1 + value.bytes.size());
  return value;
}

}  // namespace strata::tuple
