#include "math/diversity.h"

#include <algorithm>
#include <limits>

#include "math/arithmetic.h"

namespace strata::math {

Result<std::vector<DiversePick>> most_diverse(const Rows& rows, std::span<const float> query, size_t k, double lambda,
                                              const Execution& execution) {
  constexpr size_t piece_rows = 512;
  std::vector<double> relevance(rows.count);
  // Largest similarity to a row that was picked.
  std::vector<double> likeness(rows.count, -std::numeric_limits<double>::infinity());
  std::vector<bool> picked(rows.count);
  if (!for_pieces(execution, rows.count, piece_rows, [&](size_t begin, size_t end) {
        for (size_t row = begin; row < end; ++row) relevance[row] = cosine(query, rows[row]);
      })) {
    return cancelled_error();
  }
  std::vector<DiversePick> picks;
  picks.reserve(k);
  while (picks.size() < k) {
    DiversePick best{.row = rows.count};
    for (size_t row = 0; row < rows.count; ++row) {
      if (picked[row]) continue;
      const double score =
          picks.empty() ? lambda * relevance[row] : lambda * relevance[row] - (1 - lambda) * likeness[row];
      const bool better =
          best.row == rows.count || (picks.empty() ? relevance[row] > best.relevance : score > best.score);
      if (better) best = {.row = row, .relevance = relevance[row], .score = score};
    }
    picked[best.row] = true;
    picks.push_back(best);
    if (picks.size() == k) break;
    const std::span<const float> last = rows[best.row];
    if (!for_pieces(execution, rows.count, piece_rows, [&](size_t begin, size_t end) {
          for (size_t row = begin; row < end; ++row) likeness[row] = std::max(likeness[row], cosine(last, rows[row]));
        })) {
      return cancelled_error();
    }
  }
  return picks;
}

}  // namespace strata::math
