// Distance: exact scores of float32 vectors, with the widest vector unit that the machine has.
//
// Purpose:       the same numbers wherever a score is told: in the index, beside it and in the mathematics.
// Ownership:     borrows.
// Thread safety: pure functions.
// Invariants:    a score depends on the two vectors, the metric and the machine alone; it is not NaN for finite values.
#pragma once

#include <cstddef>

#include "hnsw/types.h"

namespace strata::hnsw {

// 1 - cos, L2, -dot or L1; see Metric.
float score(Metric metric, const float* a, const float* b, size_t dimension);
// Against `count` rows, one after another in memory.
void scores(Metric metric, const float* query, const float* rows, size_t dimension, size_t count, float* out);

}  // namespace strata::hnsw
