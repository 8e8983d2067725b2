// Arithmetic of a few vectors: means, sums, interpolation.
//
// Purpose:       formulas that need no collection.
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    computed in doubles, rounded once at the end. Inputs are finite.
// Errors:        invalid_argument: a result beyond floats, and what each function names. Dimensions are equal: the
//                caller has checked.
#pragma once

#include <span>
#include <vector>

#include "math/rows.h"

namespace strata::math {

// With weights: as many as rows; invalid_argument where they sum to 0. At least one row.
Result<std::vector<float>> centroid(const Rows& rows, std::span<const float> weights);

struct Term {
  std::span<const float> vector;
  double weight = 1;
};
// At least one term. normalize: to length 1, unless it is zero.
Result<std::vector<float>> weighted_sum(std::span<const Term> terms, bool normalize);

// a + t (b - a).
std::vector<float> lerp(std::span<const float> a, std::span<const float> b, double t);

// Along the arc between the directions of a and b: sin((1 - t) w) / sin w a + sin(t w) / sin w b, w their angle; lerp
// where they are parallel. Between opposite ones the arc goes through a fixed perpendicular (of the axis that a has
// least of, the first of equals), and the length is interpolated. invalid_argument: a zero vector, or opposite ones of
// one dimension.
class Slerp {
 public:
  static Result<Slerp> between(std::span<const float> a, std::span<const float> b);
  std::vector<float> at(double t) const;

 private:
  enum class Way : uint8_t { arc, line, half_turn };
  Slerp(std::span<const float> a, std::span<const float> b) : a_(a), b_(b) {}

  std::span<const float> a_;
  std::span<const float> b_;
  Way way_ = Way::arc;
  double angle_ = 0;
  double length_a_ = 0;
  double length_b_ = 0;
  std::vector<double> perpendicular_;  // of length 1
};

// a * b / (|a| |b|); 0 where one is zero. Within [-1, 1].
double cosine(std::span<const float> a, std::span<const float> b);

}  // namespace strata::math
