#include "text/words.h"

#include <utf8proc.h>

#include <array>

#include "text/utf8.h"

namespace strata::text {

namespace {

enum class Kind : unsigned char { other, letter, digit, mark, lone, middle };

// Between two letters (U+2019 is an apostrophe too), and between two digits.
bool joins_letters(uint32_t c) { return c == '\'' || c == '.' || c == 0x2019 || c == 0xB7; }
bool joins_digits(uint32_t c) { return c == '\'' || c == '.' || c == ','; }

bool stands_alone(uint32_t c) {
  return (c >= 0x3041 && c <= 0x309F) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

Kind slow_kind_of(uint32_t c) {
  if (joins_letters(c) || joins_digits(c)) return Kind::middle;
  if (c == '_') return Kind::letter;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return stands_alone(c) ? Kind::lone : Kind::letter;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return Kind::mark;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return Kind::digit;
    default:
      return Kind::other;
  }
}

const std::array<Kind, 128> ascii_kinds = [] {
  std::array<Kind, 128> kinds{};
  for (uint32_t c = 0; c < 128; ++c) kinds[c] = slow_kind_of(c);
  return kinds;
}();

Kind kind_of(uint32_t c) { return c < 128 ? ascii_kinds[c] : slow_kind_of(c); }

}  // namespace

uint32_t to_lower(uint32_t c) {
  if (c < 128) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

bool Words::next(std::string& word) {
  word.clear();
  Kind last = Kind::other;
  while (at_ < text_.size()) {
    const CodePoint c = code_point_at(text_, at_);
    Kind kind = kind_of(c.value);
    if (kind == Kind::mark) kind = word.empty() ? Kind::other : last;
    if (kind == Kind::middle) {
      const size_t behind = at_ + c.size;
      const Kind next = behind < text_.size() ? kind_of(code_point_at(text_, behind).value) : Kind::other;
      const bool joins =
          !word.empty() && next == last &&
          ((last == Kind::letter && joins_letters(c.value)) || (last == Kind::digit && joins_digits(c.value)));
      kind = joins ? last : Kind::other;
    }
    if (kind == Kind::other || (kind == Kind::lone && !word.empty())) {
      if (!word.empty()) {
        if (kind == Kind::other) at_ += c.size;
        return true;
      }
      at_ += c.size;
      continue;
    }
    // An ideograph with its marks is a word, whatever comes behind.
    if (last == Kind::lone && kind_of(c.value) != Kind::mark) return true;
    at_ += c.size;
    if (word.size() + 4 <= max_word_bytes) append_code_point(word, c.value == 0x2019 ? '\'' : to_lower(c.value));
    last = kind;
  }
  return !word.empty();
}

}  // namespace strata::text
