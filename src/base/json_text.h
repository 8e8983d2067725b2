// JSON text, looked at without a parser: what splitting, projecting and minifying have in common.
//
// Ownership:     nothing; views.
// Thread safety: pure functions.
// Invariants:    no more is checked than is said: who takes a piece parses it.
#pragma once

#include "base/bytes.h"

namespace strata {

// `at` stands on an opening quote and is left behind the closing one, one with an even number of backslashes before it.
// False: there is none. Long strings are most of what documents hold: memchr takes them ten times as fast as a loop.
inline bool skip_json_string(BytesView text, size_t& at) {
  const size_t open = at++;
  for (;;) {
    const size_t quote = text.find('"', at);
    if (quote == BytesView::npos) return false;
    size_t before = quote;
    while (before - 1 > open && text[before - 1] == '\\') --before;
    at = quote + 1;
    if ((quote - before) % 2 == 0) return true;
  }
}

// Blanks, or other control characters, between the tokens. Strings that do not end are the rest of the text.
inline bool has_json_blanks(BytesView text) {
  for (size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c <= ' ') return true;
    if (c != '"') {
      ++at;
    } else if (!skip_json_string(text, at)) {
      return false;
    }
  }
  return false;
}

}  // namespace strata
