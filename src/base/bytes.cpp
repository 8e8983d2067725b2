#include "base/bytes.h"

namespace strata {
namespace {

template <class Unsigned>
void append_be(Bytes& out, Unsigned value) {
  for (int shift = static_cast<int>(sizeof(Unsigned)) * 8 - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((value >> shift) & 0xFF));
  }
}

template <class Unsigned>
void append_le(Bytes& out, Unsigned value) {
  for (size_t i = 0; i < sizeof(Unsigned); ++i) out.push_back(static_cast<char>((value >> (8 * i)) & 0xFF));
}

template <class Unsigned>
Unsigned read_be(BytesView in) {
  Unsigned value = 0;
  for (size_t i = 0; i < sizeof(Unsigned); ++i) {
    value = static_cast<Unsigned>((value << 8) | static_cast<unsigned char>(in[i]));
  }
  return value;
}

template <class Unsigned>
Unsigned read_le(BytesView in) {
  Unsigned value = 0;
  for (size_t i = sizeof(Unsigned); i-- > 0;) {
    value = static_cast<Unsigned>((value << 8) | static_cast<unsigned char>(in[i]));
  }
  return value;
}

}  // namespace

std::optional<Bytes> prefix_end(BytesView prefix) {
  size_t length = prefix.size();
  while (length > 0 && static_cast<unsigned char>(prefix[length - 1]) == 0xFF) --length;
  if (length == 0) return std::nullopt;
  Bytes end(prefix.substr(0, length));
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

void append_be16(Bytes& out, uint16_t value) { append_be(out, value); }
void append_be32(Bytes& out, uint32_t value) { append_be(out, value); }
void append_be64(Bytes& out, uint64_t value) { append_be(out, value); }
void append_le32(Bytes& out, uint32_t value) { append_le(out, value); }
void append_le64(Bytes& out, uint64_t value) { append_le(out, value); }
uint16_t read_be16(BytesView in) { return read_be<uint16_t>(in); }
uint32_t read_be32(BytesView in) { return read_be<uint32_t>(in); }
uint64_t read_be64(BytesView in) { return read_be<uint64_t>(in); }
uint32_t read_le32(BytesView in) { return read_le<uint32_t>(in); }
uint64_t read_le64(BytesView in) { return read_le<uint64_t>(in); }

void append_varint(Bytes& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

std::optional<uint64_t> take_varint(BytesView& in, int max_bytes) {
  uint64_t value = 0;
  for (int shift = 0; shift < 7 * max_bytes; shift += 7) {
    if (in.empty()) return std::nullopt;
    const auto byte = static_cast<uint8_t>(in[0]);
    in.remove_prefix(1);
    value |= uint64_t{byte & 0x7Fu} << shift;
    if ((byte & 0x80) != 0) continue;
    if (byte == 0 && shift > 0) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

std::string printable(BytesView bytes, size_t limit) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == limit) return out + "...";
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte >= 0x20 && byte < 0x7F && byte != '\\') {
      out.push_back(static_cast<char>(byte));
    } else {
      out += "\\x";
      out.push_back(hex[byte >> 4]);
      out.push_back(hex[byte & 0xF]);
    }
  }
  return out;
}

}  // namespace strata
