// Percent-encoding, as RFC 3986 has it: how bytes stand in a path or a query.
//
// Purpose:       what the server itself asks others for, and what a signature is computed of.
// Ownership:     appends to the caller's bytes, or returns its own.
// Thread safety: pure functions.
// Invariants:    letters, digits and -._~ stand for themselves, every other byte is %XX in capitals.
#pragma once

#include "base/bytes.h"

namespace strata {

bool is_unreserved(char c);
// keep_slash: of a path with several segments.
void append_percent_encoded(Bytes& out, BytesView text, bool keep_slash = false);
inline Bytes percent_encode(BytesView text) {
  Bytes out;
  out.reserve(text.size());
  append_percent_encoded(out, text);
  return out;
}

}  // namespace strata
