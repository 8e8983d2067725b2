#include "base/glob.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace strata {
namespace {

// The first code point; a byte that begins none counts as one.
size_t character_bytes(std::string_view text) {
  size_t count = 1;
  while (count < text.size() && count < 4 && (static_cast<uint8_t>(text[count]) & 0xC0) == 0x80) ++count;
  return static_cast<uint8_t>(text[0]) < 0xC0 ? 1 : count;
}

std::string_view take_character(std::string_view& text) {
  const std::string_view character = text.substr(0, character_bytes(text));
  text.remove_prefix(character.size());
  return character;
}

// `pattern` stands behind '['. False: it is no class. Else it is left behind ']', and `matched` tells. Code points in
// UTF-8 are ordered as their bytes are.
bool take_class(std::string_view& pattern, std::string_view character, bool& matched) {
  std::string_view rest = pattern;
  const bool negated = !rest.empty() && (rest[0] == '!' || rest[0] == '^');
  if (negated) rest.remove_prefix(1);
  bool found = false;
  for (bool first = true; !rest.empty(); first = false) {
    if (rest[0] == ']' && !first) {
      pattern = rest.substr(1);
      matched = found != negated;
      return true;
    }
    const std::string_view low = take_character(rest);
    std::string_view high = low;
    if (rest.size() >= 2 && rest[0] == '-' && rest[1] != ']') {
      rest.remove_prefix(1);
      high = take_character(rest);
    }
    found = found || (low <= character && character <= high);
  }
  return false;
}

// One element of the pattern that is no star against the next character of the text; both are taken.
bool take_one(std::string_view& pattern, std::string_view& text) {
  const std::string_view character = take_character(text);
  if (pattern[0] == '?' && character != "/") {
    pattern.remove_prefix(1);
    return true;
  }
  if (pattern[0] == '[') {
    std::string_view behind = pattern.substr(1);
    bool matched = false;
    if (take_class(behind, character, matched)) {
      pattern = behind;
      return matched && character != "/";
    }
  }
  if (pattern[0] == '?') return false;
  if (pattern[0] == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
  return take_character(pattern) == character;
}

// The element that the pattern begins with, which is no star.
void take_element(std::string_view& pattern) {
  if (pattern[0] == '[') {
    std::string_view behind = pattern.substr(1);
    bool matched = false;
    if (take_class(behind, {}, matched)) {
      pattern = behind;
      return;
    }
  }
  if (pattern[0] == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
  take_character(pattern);
}

// Where to go on when the rest does not match: a star takes one character more.
struct Star {
  bool seen = false;
  std::string_view pattern;  // behind it
  std::string_view text;     // behind what it has taken
};

// Tries one way after the other, the fastest for what people write; after `steps` it is not known.
std::optional<bool> backtrack(std::string_view pattern, std::string_view text, size_t steps) {
  Star star;         // * takes anything but '/'
  Star double_star;  // ** takes anything
  for (; steps > 0; --steps) {
    if (pattern.starts_with('*')) {
      const bool any = pattern.starts_with("**");
      pattern.remove_prefix(any ? 2 : 1);
      (any ? double_star : star) = {true, pattern, text};
      // What a star before it could take more, this one takes.
      if (any) star = {};
      continue;
    }
    if (pattern.empty() && text.empty()) return true;
    if (!pattern.empty() && !text.empty() && take_one(pattern, text)) continue;
    if (star.seen && !star.text.empty() && star.text[0] != '/') {
      take_character(star.text);
      pattern = star.pattern;
      text = star.text;
    } else if (double_star.seen && !double_star.text.empty()) {
      take_character(double_star.text);
      star = {};
      pattern = double_star.pattern;
      text = double_star.text;
    } else {
      return false;
    }
  }
  return std::nullopt;
}

// Follows all ways at once: the elements of the pattern times the characters of the text is the most it takes.
bool simulate(std::string_view pattern, std::string_view text) {
  std::vector<std::string_view> elements;
  while (!pattern.empty()) {
    std::string_view rest = pattern;
    if (pattern.starts_with('*')) {
      rest.remove_prefix(pattern.starts_with("**") ? 2 : 1);
    } else {
      take_element(rest);
    }
    elements.push_back(pattern.substr(0, pattern.size() - rest.size()));
    pattern = rest;
  }
  // Whether the text so far may have brought the match to the element, and, last, behind all.
  std::vector<bool> at(elements.size() + 1);
  at[0] = true;
  for (;;) {
    for (size_t i = 0; i < elements.size(); ++i) {
      if (at[i] && elements[i][0] == '*') at[i + 1] = true;
    }
    if (text.empty()) return at.back();
    std::string_view behind = text;
    const bool slash = take_character(behind) == "/";
    // From the end, so that what is set is not read again.
    bool alive = false;
    at.back() = false;
    for (size_t i = elements.size(); i-- > 0;) {
      if (!at[i]) continue;
      if (elements[i][0] == '*') {
        at[i] = !slash || elements[i].size() == 2;
        alive = alive || at[i];
        continue;
      }
      at[i] = false;
      std::string_view element = elements[i];
      std::string_view taken = text;
      if (take_one(element, taken) && element.empty()) alive = at[i + 1] = true;
    }
    if (!alive) return false;
    text = behind;
  }
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  const std::optional<bool> found = backtrack(pattern, text, 16 * (pattern.size() + text.size() + 1));
  return found ? *found : simulate(pattern, text);
}

}  // namespace strata
