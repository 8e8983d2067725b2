#include "faces/rest/byte_range.h"

#include <algorithm>
#include <charconv>

namespace strata::rest {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Digits alone. What does not fit is as far as can be.
std::optional<uint64_t> parse_position(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() ? value : UINT64_MAX;
}

bool equals_without_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

}  // namespace

std::optional<ByteRange> parse_byte_range(std::string_view header, uint64_t size) {
  const size_t equals = header.find('=');
  if (equals == std::string_view::npos || !equals_without_case(trim(header.substr(0, equals)), "bytes")) {
    return std::nullopt;
  }
  const std::string_view range = trim(header.substr(equals + 1));
  const size_t dash = range.find('-');
  if (dash == std::string_view::npos || range.find(',') != std::string_view::npos) return std::nullopt;
  const std::string_view from = trim(range.substr(0, dash));
  const std::string_view to = trim(range.substr(dash + 1));
  if (from.empty()) {
    const auto suffix = parse_position(to);
    if (!suffix) return std::nullopt;
    // The end of nothing is nothing, whole.
    if (size == 0 && *suffix > 0) return std::nullopt;
    const uint64_t count = std::min(*suffix, size);
    return ByteRange{size - count, count};
  }
  const auto first = parse_position(from);
  const auto last = to.empty() ? std::optional<uint64_t>(UINT64_MAX) : parse_position(to);
  if (!first || !last || *last < *first) return std::nullopt;
  if (*first >= size) return ByteRange{*first, 0};
  return ByteRange{*first, std::min(*last, size - 1) - *first + 1};
}

bool lists_tag(std::string_view list, std::string_view tag, bool weak) {
  if (trim(list) == "*") return true;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string_view entry = trim(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (weak && entry.starts_with("W/")) entry.remove_prefix(2);
    if (entry.size() >= 2 && entry.front() == '"' && entry.back() == '"') entry = entry.substr(1, entry.size() - 2);
    if (entry == tag) return true;
  }
  return false;
}

}  // namespace strata::rest
