// The operations of VectorMath that need no collection.
#include <optional>

#include "hnsw/types.h"
#include "math/arithmetic.h"
#include "service/vector_math_checks.h"

namespace strata::service {

using vector_math::check_numbers;
using vector_math::check_vector;
using vector_math::invalid;
using vector_math::timed;

Result<InterpolateAnswer> VectorMath::interpolate(const Context&, const InterpolateRequest& request) {
  const int64_t begin_us = clock_.steady_us();
  const bool slerp = request.method == "slerp";
  if (!slerp && !request.method.empty() && request.method != "lerp") {
    return invalid(fmt::format("unknown method {}: it is lerp or slerp", printable(request.method, 40)));
  }
  if (request.a.empty() || request.a.size() > hnsw::max_dimension) {
    return invalid(fmt::format("a must have a dimension from 1 to {}", hnsw::max_dimension));
  }
  RETURN_IF_ERROR(check_numbers(request.a, "a"));
  RETURN_IF_ERROR(check_vector(request.b, request.a.size(), "b"));
  const bool is_sequence = request.sequence_count > 0;
  if (!is_sequence && !(request.t >= 0 && request.t <= 1)) return invalid("t must be from 0 to 1");
  if (request.sequence_count > max_sequence || request.sequence_count * request.a.size() > (16u << 20)) {
    return invalid(fmt::format("sequence_count is at most {}, and 16,777,216 numbers", max_sequence));
  }
  std::optional<math::Slerp> arc;
  if (slerp) {
    ASSIGN_OR_RETURN(arc, math::Slerp::between(request.a, request.b));
  }
  InterpolateAnswer answer;
  const auto add = [&](double t) {
    answer.results.push_back(arc ? arc->at(t) : math::lerp(request.a, request.b, t));
    return math::check_finite(answer.results.back());
  };
  if (!is_sequence) RETURN_IF_ERROR(add(static_cast<double>(request.t)));
  for (uint32_t i = 0; i < request.sequence_count; ++i) {
    RETURN_IF_ERROR(add(i == 0 ? 0 : static_cast<double>(i) / (request.sequence_count - 1)));
  }
  return timed(clock_, begin_us, Result<InterpolateAnswer>(std::move(answer)));
}

Result<AnalogyAnswer> VectorMath::analogy(const Context&, const AnalogyRequest& request) {
  const int64_t begin_us = clock_.steady_us();
  std::vector<math::Term> terms;
  for (const AnalogyRequest::Term& term : request.terms) {
    terms.push_back({term.vector, static_cast<double>(term.weight)});
    if (!std::isfinite(term.weight)) return invalid("each weight of terms must be a finite number");
  }
  const bool arithmetic = !terms.empty();
  if (!arithmetic) {
    if (request.a.empty() || request.b.empty() || request.c.empty())
      return invalid("a, b and c, or terms, are required");
    terms = {{request.b, 1}, {request.a, -1}, {request.c, 1}};
  }
  if (terms.size() > max_arithmetic_terms) return invalid(fmt::format("terms are at most {}", max_arithmetic_terms));
  const size_t dimension = terms[0].vector.size();
  if (dimension == 0 || dimension > hnsw::max_dimension) {
    return invalid(fmt::format("vectors must have a dimension from 1 to {}", hnsw::max_dimension));
  }
  static constexpr std::string_view names[] = {"b", "a", "c"};
  for (size_t i = 0; i < terms.size(); ++i) {
    const std::string name = arithmetic ? fmt::format("terms[{}].vector", i) : std::string(names[i]);
    RETURN_IF_ERROR(check_vector(terms[i].vector, dimension, name));
  }
  AnalogyAnswer answer;
  ASSIGN_OR_RETURN(answer.result, math::weighted_sum(terms, request.normalize));
  return timed(clock_, begin_us, Result<AnalogyAnswer>(std::move(answer)));
}

}  // namespace strata::service
