// What the parts of VectorMath share: checks of numbers and the time of an answer.
//
// Ownership:     nothing is kept.
// Thread safety: pure functions.
// Errors:        invalid_argument that names the vector; with the word "dimension" where that is wrong.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "service/vector_math.h"

namespace strata::service::vector_math {

inline Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

inline Result<void> check_numbers(FloatView values, std::string_view name) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return invalid(fmt::format("{}[{}] is not a finite number", name, i));
  }
  return {};
}

inline Result<void> check_vector(FloatView values, size_t dimension, std::string_view name) {
  if (values.size() != dimension) {
    return invalid(fmt::format("{} has dimension {}, expected dimension {}", name, values.size(), dimension));
  }
  return check_numbers(values, name);
}

template <class Answer>
Result<Answer> timed(const Clock& clock, int64_t begin_us, Result<Answer> answer) {
  if (answer.ok()) answer->compute_time_us = static_cast<uint64_t>(std::max<int64_t>(0, clock.steady_us() - begin_us));
  return answer;
}

}  // namespace strata::service::vector_math
