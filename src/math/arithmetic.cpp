#include "math/arithmetic.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numbers>

namespace strata::math {
namespace {

using FloatVector = Eigen::Map<const Eigen::VectorXf>;

FloatVector map(std::span<const float> values) {
  return FloatVector(values.data(), static_cast<Eigen::Index>(values.size()));
}

std::vector<float> to_floats(const Eigen::VectorXd& values) {
  std::vector<float> floats(static_cast<size_t>(values.size()));
  Eigen::Map<Eigen::VectorXf>(floats.data(), values.size()) = values.cast<float>();
  return floats;
}

// Directions that differ by less have no plane of their own: sin w is noise.
constexpr double parallel = 1e-7;

}  // namespace

double cosine(std::span<const float> a, std::span<const float> b) {
  const auto x = map(a).cast<double>();
  const auto y = map(b).cast<double>();
  const double lengths = std::sqrt(x.squaredNorm()) * std::sqrt(y.squaredNorm());
  return lengths == 0 ? 0 : std::clamp(x.dot(y) / lengths, -1.0, 1.0);
}

Result<std::vector<float>> centroid(const Rows& rows, std::span<const float> weights) {
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(rows.dimension));
  double total = 0;
  for (size_t row = 0; row < rows.count; ++row) {
    const double weight = weights.empty() ? 1 : static_cast<double>(weights[row]);
    sum += weight * map(rows[row]).cast<double>();
    total += weight;
  }
  if (total == 0) return Error(ErrorCode::invalid_argument, "the weights sum to 0");
  std::vector<float> result = to_floats(sum / total);
  RETURN_IF_ERROR(check_finite(result));
  return result;
}

Result<std::vector<float>> weighted_sum(std::span<const Term> terms, bool normalize) {
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(terms[0].vector.size()));
  for (const Term& term : terms) sum += term.weight * map(term.vector).cast<double>();
  if (normalize) sum.stableNormalize();
  std::vector<float> result = to_floats(sum);
  RETURN_IF_ERROR(check_finite(result));
  return result;
}

std::vector<float> lerp(std::span<const float> a, std::span<const float> b, double t) {
  return to_floats((1 - t) * map(a).cast<double>() + t * map(b).cast<double>());
}

Result<Slerp> Slerp::between(std::span<const float> a, std::span<const float> b) {
  Slerp slerp(a, b);
  const Eigen::VectorXd x = map(a).cast<double>();
  const Eigen::VectorXd y = map(b).cast<double>();
  slerp.length_a_ = x.stableNorm();
  slerp.length_b_ = y.stableNorm();
  if (slerp.length_a_ == 0 || slerp.length_b_ == 0) {
    return Error(ErrorCode::invalid_argument, "slerp of a zero vector: it has no direction");
  }
  const Eigen::VectorXd from = x / slerp.length_a_;
  const Eigen::VectorXd to = y / slerp.length_b_;
  // Better than the arc cosine near 0 and pi.
  slerp.angle_ = 2 * std::atan2((from - to).norm(), (from + to).norm());
  if (slerp.angle_ < parallel) {
    slerp.way_ = Way::line;
  } else if (slerp.angle_ > std::numbers::pi - parallel) {
    if (a.size() == 1) return Error(ErrorCode::invalid_argument, "slerp of opposite vectors needs a dimension above 1");
    slerp.way_ = Way::half_turn;
    Eigen::Index axis = 0;
    from.cwiseAbs().minCoeff(&axis);
    Eigen::VectorXd side = Eigen::VectorXd::Unit(from.size(), axis);
    side -= side.dot(from) * from;
    side.normalize();
    slerp.perpendicular_.assign(side.begin(), side.end());
  }
  return slerp;
}

std::vector<float> Slerp::at(double t) const {
  const auto x = map(a_).cast<double>();
  const auto y = map(b_).cast<double>();
  if (t == 0) return {a_.begin(), a_.end()};
  if (t == 1) return {b_.begin(), b_.end()};
  switch (way_) {
    case Way::line:
      return lerp(a_, b_, t);
    case Way::half_turn: {
      const Eigen::Map<const Eigen::VectorXd> side(perpendicular_.data(),
                                                   static_cast<Eigen::Index>(perpendicular_.size()));
      const double length = (1 - t) * length_a_ + t * length_b_;
      const double turn = std::numbers::pi * t;
      return to_floats(length * (std::cos(turn) / length_a_ * x + std::sin(turn) * side));
    }
    case Way::arc:
      break;
  }
  const double sine = std::sin(angle_);
  return to_floats(std::sin((1 - t) * angle_) / sine * x + std::sin(t * angle_) / sine * y);
}

}  // namespace strata::math
