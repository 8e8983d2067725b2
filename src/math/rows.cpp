#include "math/rows.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

namespace strata::math {

bool for_pieces(const Execution& execution, size_t count, size_t piece,
                const std::function<void(size_t begin, size_t end)>& work) {
  std::atomic<size_t> next{0};
  std::atomic<bool> cancelled{false};
  const auto run = [&] {
    while (!cancelled) {
      if (execution.is_cancelled()) {
        cancelled = true;
        return;
      }
      const size_t begin = next.fetch_add(piece);
      if (begin >= count) return;
      work(begin, std::min(begin + piece, count));
    }
  };
  const size_t pieces = (count + piece - 1) / piece;
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(execution.threads, pieces); ++i) threads.emplace_back(run);
  run();
  for (std::thread& thread : threads) thread.join();
  return !cancelled;
}

Error cancelled_error() { return Error(ErrorCode::operation_cancelled, "the computation was stopped"); }

Result<void> check_finite(std::span<const float> values) {
  if (std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) return {};
  return Error(ErrorCode::invalid_argument, "the result is beyond the range of 32-bit floats");
}

}  // namespace strata::math
