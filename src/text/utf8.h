// UTF-8, one code point at a time.
//
// Purpose:       what words, distances and wildcards walk on.
// Ownership:     views.
// Thread safety: pure functions.
// Invariants:    a byte that is no valid UTF-8 is taken alone, as U+FFFD: every walk ends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strata::text {

struct CodePoint {
  uint32_t value = 0;
  // Bytes it takes, 1 .. 4.
  uint32_t size = 1;
};

// `at` < text.size().
CodePoint code_point_at(std::string_view text, size_t at);
void append_code_point(std::string& out, uint32_t value);
// How many there are.
size_t count_code_points(std::string_view text);

}  // namespace strata::text
