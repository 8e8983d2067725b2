// most_diverse: a selection by maximal marginal relevance.
//
// Purpose:       relevant rows that do not say the same thing.
// Ownership:     borrows the rows for the call.
// Thread safety: pure function; it uses threads of its own.
// Invariants:    similarities are cosines. The first pick is the most relevant row, its score lambda times its
//                similarity; each next one has the largest lambda * similarity to the query - (1 - lambda) * largest
//                similarity to a row that was picked. Of equals the first row wins.
// Errors:        operation_cancelled.
#pragma once

#include <vector>

#include "math/rows.h"

namespace strata::math {

struct DiversePick {
  size_t row = 0;
  double relevance = 0;
  double score = 0;
};

// k: at most rows.count. lambda: 0 .. 1.
Result<std::vector<DiversePick>> most_diverse(const Rows& rows, std::span<const float> query, size_t k, double lambda,
                                              const Execution& execution);

}  // namespace strata::math
