// Base64 of RFC 4648, section 4: the standard alphabet, padded.
//
// Purpose:       values travel in JSON as base64, so this lies on the path of every read and write over HTTP.
// Ownership:     values; nothing is kept.
// Thread safety: pure functions.
// Invariants:    decoding is strict: no white space, no missing padding, no bits set behind the last byte. So every
//                byte string has exactly one encoding, and decode(text) succeeds only if encode(result) == text.
#pragma once

#include "base/bytes.h"

namespace strata {

inline size_t base64_encoded_size(size_t bytes) { return (bytes + 2) / 3 * 4; }
void append_base64(Bytes& out, BytesView bytes);

// The most that `text_size` characters can decode to.
inline size_t base64_decoded_limit(size_t text_size) { return text_size / 4 * 3; }
// Writes to `out`, which has room for base64_decoded_limit(text.size()) bytes; returns how many, or nullopt for text
// that is not base64 (what `out` then holds is unspecified).
std::optional<size_t> base64_decode(BytesView text, char* out);

}  // namespace strata
