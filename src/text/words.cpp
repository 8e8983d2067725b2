#include "text/words.h"

#include <utf8proc.h>

#include <algorithm>
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

// Of an ASCII letter (the underscore among them) or digit: in lower case; 0 for everything else.
const std::array<char, 256> ascii_word_bytes = [] {
  std::array<char, 256> bytes{};
  for (uint32_t c = 0; c < 128; ++c) {
    if (ascii_kinds[c] == Kind::letter || ascii_kinds[c] == Kind::digit) bytes[c] = static_cast<char>(to_lower(c));
  }
  return bytes;
}();

// Takes the run of ASCII letters and digits that `text` has at `at`, and behind it.
size_t take_ascii_run(std::string_view text, size_t at, std::string& word) {
  const size_t begin = at;
  while (at < text.size() && ascii_word_bytes[static_cast<unsigned char>(text[at])] != 0) ++at;
  const size_t old = word.size();
  const size_t room = old + 4 <= max_word_bytes ? max_word_bytes - 3 - old : 0;
  const size_t taken = std::min(at - begin, room);
  word.resize(old + taken);
  for (size_t i = 0; i < taken; ++i) word[old + i] = ascii_word_bytes[static_cast<unsigned char>(text[begin + i])];
  return at;
}

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
    if (last != Kind::lone) {
      // Most text is made of these: twice as fast as one code point after the other.
      const size_t end = take_ascii_run(text_, at_, word);
      if (end > at_) {
        last = ascii_kinds[static_cast<unsigned char>(text_[end - 1])];
        at_ = end;
        continue;
      }
    }
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
