#include "text/wildcard.h"

#include "text/utf8.h"

namespace strata::text {
namespace {
constexpr size_t steps_at_once = 1u << 16;
}  // namespace

Wildcard::Wildcard(std::string_view pattern) {
  bool in_prefix = true;
  for (size_t at = 0; at < pattern.size();) {
    CodePoint c = code_point_at(pattern, at);
    at += c.size;
    if (c.value == '*') {
      if (parts_.empty() || parts_.back().kind != Kind::any) parts_.push_back({Kind::any, 0});
      in_prefix = false;
    } else if (c.value == '?') {
      parts_.push_back({Kind::one, 0});
      in_prefix = false;
    } else {
      if (c.value == '\\' && at < pattern.size()) {
        c = code_point_at(pattern, at);
        at += c.size;
      }
      parts_.push_back({Kind::exact, c.value});
      if (in_prefix) append_code_point(prefix_, c.value);
    }
  }
}

bool Wildcard::matches(std::string_view text, const Spend& spend) const {
  if (!text.starts_with(prefix_)) return false;
  constexpr size_t none = SIZE_MAX;
  size_t part = 0;
  size_t at = 0;
  // Where to go on when what follows the last asterisk does not fit: it takes one code point more.
  size_t after_any = none;
  size_t taken = 0;
  for (size_t steps = 1; at < text.size(); ++steps) {
    if (spend && steps % steps_at_once == 0 && !spend(steps_at_once)) return false;
    const CodePoint c = code_point_at(text, at);
    if (part < parts_.size() && parts_[part].kind == Kind::any) {
      after_any = ++part;
      taken = at;
    } else if (part < parts_.size() && (parts_[part].kind == Kind::one || parts_[part].code_point == c.value)) {
      ++part;
      at += c.size;
    } else if (after_any != none) {
      part = after_any;
      taken += code_point_at(text, taken).size;
      at = taken;
    } else {
      return false;
    }
  }
  while (part < parts_.size() && parts_[part].kind == Kind::any) ++part;
  return part == parts_.size();
}

}  // namespace strata::text
