// Words: what a text is made of, lower-cased.
//
// Purpose:       Unicode words after the rules of UAX #29 that matter for search: letters, marks, digits and
//                underscores run together; an apostrophe or a dot between letters, and a dot or a comma between digits,
//                does not end a word; ideographs and Hiragana stand alone. A colon always ends one ("user:7" is two
//                words).
// Ownership:     views the text, which outlives it; `word` is the caller's buffer, kept between calls.
// Thread safety: none.
// Invariants:    no word is empty; one longer than max_word_bytes is cut there and its rest dropped, so that a text
//                without blanks has bounded terms. No allocation once the buffer has grown.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strata::text {

inline constexpr size_t max_word_bytes = 256;

class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  // False: no more; `word` is unspecified then.
  bool next(std::string& word);

 private:
  std::string_view text_;
  size_t at_ = 0;
};

// Of one code point, to lower case.
uint32_t to_lower(uint32_t code_point);

}  // namespace strata::text
