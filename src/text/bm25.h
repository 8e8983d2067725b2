// BM25: how well a text answers a query, from how often and how rarely its terms occur.
//
// Purpose:       the one formula; Lucene's constants.
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    scores are finite and not negative for any counts, consistent or not.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace strata::text {

inline constexpr double bm25_k1 = 1.2;
inline constexpr double bm25_b = 0.75;

// What is known of all texts of a field.
struct CollectionStatistics {
  uint64_t documents = 0;
  uint64_t terms = 0;
};

// The weight of a term that `containing` of the documents hold.
inline double bm25_weight(const CollectionStatistics& all, uint64_t containing) {
  const double n = static_cast<double>(std::min(containing, all.documents));
  return std::log1p((static_cast<double>(all.documents) - n + 0.5) / (n + 0.5));
}

// What `frequency` occurrences in a text of `length` terms add.
inline double bm25_score(const CollectionStatistics& all, double weight, uint64_t frequency, uint64_t length) {
  if (frequency == 0) return 0;
  const double average =
      all.documents == 0 || all.terms == 0 ? 1 : static_cast<double>(all.terms) / static_cast<double>(all.documents);
  const double tf = static_cast<double>(frequency);
  const double norm = bm25_k1 * (1 - bm25_b + bm25_b * static_cast<double>(length) / average);
  return weight * tf * (bm25_k1 + 1) / (tf + norm);
}

}  // namespace strata::text
