// parse_number: a number in decimal digits, and nothing else.
//
// Purpose:       the one reading of numbers in queries, options and headers.
// Ownership:     nothing.
// Thread safety: pure.
// Invariants:    the whole text is the number: no blanks, no plus, and a minus for signed types alone. nullopt for
//                anything else, an empty text and what does not fit included.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace strata {

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace strata
