// Rows: vectors one after another, and how a computation over them is run.
//
// Purpose:       what every function of math/ takes.
// Ownership:     views.
// Thread safety: `cancelled` is called from the threads of the computation.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"

namespace strata::math {

struct Rows {
  const float* values = nullptr;
  size_t count = 0;
  size_t dimension = 0;

  std::span<const float> operator[](size_t row) const { return {values + row * dimension, dimension}; }
};

struct Execution {
  size_t threads = 1;
  // Asked often; true ends the computation with operation_cancelled.
  std::function<bool()> cancelled = nullptr;

  bool is_cancelled() const { return cancelled && cancelled(); }
};

// work(begin, end) over pieces of [0, count), on that many threads, the caller's among them; pieces are handed out as
// they are asked for. False: it was cancelled, and not all was done.
bool for_pieces(const Execution& execution, size_t count, size_t piece,
                const std::function<void(size_t begin, size_t end)>& work);

Error cancelled_error();
// invalid_argument where a result is beyond the range of a float.
Result<void> check_finite(std::span<const float> values);

}  // namespace strata::math
