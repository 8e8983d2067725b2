// Byte strings and the few operations on them that every layer needs.
//
// Purpose:       one name for "a string of bytes that is not text", and the key arithmetic of an ordered key space.
// Ownership:     Bytes owns, BytesView borrows; no function here keeps what it is given.
// Thread safety: pure functions.
// Invariants:    order is that of unsigned bytes (std::string's char_traits<char> compares with memcmp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace strata {

using Bytes = std::string;
using BytesView = std::string_view;

// The first key after `key`: key + "\0".
inline Bytes key_after(BytesView key) {
  Bytes next;
  next.reserve(key.size() + 1);
  next.append(key);
  next.push_back('\0');
  return next;
}

// The first key that is greater than every key starting with `prefix`.
// nullopt when there is none: an empty prefix, or one of 0xFF bytes only.
std::optional<Bytes> prefix_end(BytesView prefix);

// Big-endian integers sort as their values do; little-endian is what atomic operations and options speak.
void append_be16(Bytes& out, uint16_t value);
void append_be32(Bytes& out, uint32_t value);
void append_be64(Bytes& out, uint64_t value);
void append_le32(Bytes& out, uint32_t value);
void append_le64(Bytes& out, uint64_t value);
// The caller has checked that `in` holds at least 2, 4 or 8 bytes.
uint16_t read_be16(BytesView in);
uint32_t read_be32(BytesView in);
uint64_t read_be64(BytesView in);
uint32_t read_le32(BytesView in);
uint64_t read_le64(BytesView in);

// 7 bits a byte, low ones first, the top bit on all but the last.
void append_varint(Bytes& out, uint64_t value);
// Off the front of `in`. nullopt: it ends early, is longer than max_bytes, or is not the shortest form, so that every
// number has one encoding; `in` is then somewhere behind its start. max_bytes: at most 9, so that what fits is kept.
std::optional<uint64_t> take_varint(BytesView& in, int max_bytes = 5);

// Printable form for messages and logs: ASCII as it is, the rest as \xNN; cut at `limit` bytes with "...".
std::string printable(BytesView bytes, size_t limit = 120);

}  // namespace strata
