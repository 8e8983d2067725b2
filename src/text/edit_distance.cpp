#include "text/edit_distance.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "text/utf8.h"

namespace strata::text {

FuzzyWord::FuzzyWord(std::string_view word, uint32_t max_distance, uint32_t prefix_length)
    : bytes_(word), max_distance_(std::min(max_distance, max_edit_distance)), prefix_length_(prefix_length) {
  for (size_t at = 0; at < word.size();) {
    const CodePoint c = code_point_at(word, at);
    points_.push_back(c.value);
    at += c.size;
  }
}

bool FuzzyWord::matches(std::string_view other) const {
  if (other == bytes_) return true;
  if (max_distance_ == 0 || points_.size() > max_fuzzy_code_points) return false;
  // A code point is 1 to 4 bytes, so most words are refused by their length alone.
  if (other.size() > (points_.size() + max_distance_) * 4 || other.size() + max_distance_ < points_.size())
    return false;
  std::array<char32_t, max_fuzzy_code_points + max_edit_distance> decoded;
  size_t size = 0;
  for (size_t at = 0; at < other.size();) {
    if (size == points_.size() + max_distance_) return false;
    const CodePoint c = code_point_at(other, at);
    decoded[size++] = c.value;
    at += c.size;
  }
  const std::u32string_view a = points_;
  const std::u32string_view b(decoded.data(), size);
  if (b.size() + max_distance_ < a.size()) return false;
  const size_t fixed = std::min<size_t>(prefix_length_, a.size());
  if (b.size() < fixed || a.substr(0, fixed) != b.substr(0, fixed)) return false;

  constexpr size_t width = max_fuzzy_code_points + max_edit_distance + 1;
  std::array<std::array<uint16_t, width>, 3> rows;
  auto* before = &rows[0];
  auto* last = &rows[1];
  auto* row = &rows[2];
  for (size_t j = 0; j <= b.size(); ++j) (*last)[j] = static_cast<uint16_t>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    (*row)[0] = static_cast<uint16_t>(i);
    uint16_t least = (*row)[0];
    for (size_t j = 1; j <= b.size(); ++j) {
      uint16_t cost =
          std::min<uint16_t>((*last)[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1), std::min((*last)[j], (*row)[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost = std::min<uint16_t>(cost, (*before)[j - 2] + 1);
      }
      (*row)[j] = cost;
      least = std::min(least, cost);
    }
    // A swap reaches back two rows, so one row above the bound may still lead below it; two may not.
    if (least > max_distance_ + 1U) return false;
    std::swap(before, last);
    std::swap(last, row);
  }
  return (*last)[b.size()] <= max_distance_;
}

uint32_t automatic_distance(std::string_view word) {
  const size_t length = count_code_points(word);
  return length <= 2 ? 0 : length <= 5 ? 1 : 2;
}

uint32_t edit_distance(std::u32string_view a, std::u32string_view b) {
  std::vector<std::vector<uint32_t>> d(a.size() + 1, std::vector<uint32_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = static_cast<uint32_t>(i);
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = static_cast<uint32_t>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace strata::text
