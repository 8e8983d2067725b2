// Edit distance: how many insertions, deletions, replacements and swaps of neighbours lead from one word to the other.
//
// Purpose:       fuzzy matching.
// Ownership:     a FuzzyWord owns its pattern; matching allocates nothing.
// Thread safety: const methods from any thread.
// Invariants:    the distance is optimal string alignment (no part is edited twice), over code points.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strata::text {

// Bleve's bound too: beyond it nearly everything is similar.
inline constexpr uint32_t max_edit_distance = 2;
// Words that are longer match only themselves: a matrix of that width stands on the stack.
inline constexpr size_t max_fuzzy_code_points = 128;

class FuzzyWord {
 public:
  // The first `prefix_length` code points must be equal.
  FuzzyWord(std::string_view word, uint32_t max_distance, uint32_t prefix_length);

  bool matches(std::string_view other) const;

 private:
  std::string bytes_;
  std::u32string points_;
  uint32_t max_distance_;
  uint32_t prefix_length_;
};

// 0 for up to 2 code points, 1 for up to 5, else 2: what fuzziness "auto" means.
uint32_t automatic_distance(std::string_view word);

// Without bounds; for tests and short words.
uint32_t edit_distance(std::u32string_view a, std::u32string_view b);

}  // namespace strata::text
