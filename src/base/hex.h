// Hexadecimal, lower-case: how ids, versions and cursors are written.
//
// Purpose:       bytes as two digits each, and back.
// Ownership:     append_hex writes to the caller's bytes, decode_hex returns its own.
// Thread safety: pure functions.
// Invariants:    decode_hex(to_hex(b)) == b; nothing else is decoded: no capitals, no odd count.
#pragma once

#include <optional>

#include "base/bytes.h"

namespace strata {

void append_hex(Bytes& out, BytesView bytes);
inline Bytes to_hex(BytesView bytes) {
  Bytes text;
  text.reserve(2 * bytes.size());
  append_hex(text, bytes);
  return text;
}

std::optional<Bytes> decode_hex(BytesView text);

}  // namespace strata
