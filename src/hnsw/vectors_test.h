// Vectors for tests and benchmarks: points in clusters of a low intrinsic dimension.
//
// Purpose:       data that a graph finds neither trivial nor hopeless, the same for the same seed everywhere.
// Ownership:     values.
// Thread safety: a source belongs to one thread.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "base/random.h"

namespace strata::hnsw {

class ClusteredVectors {
 public:
  // Each cluster is a random plane of `intrinsic` dimensions around a random center; a little noise fills the rest.
  ClusteredVectors(size_t dimension, size_t clusters, size_t intrinsic, uint64_t seed)
      : dimension_(dimension), clusters_(clusters), intrinsic_(intrinsic), random_(seed) {
    centers_ = gaussians(clusters * dimension);
    planes_ = gaussians(clusters * intrinsic * dimension);
  }

  std::vector<float> next() {
    const size_t cluster = random_.below(clusters_);
    std::vector<float> vector(dimension_);
    for (size_t i = 0; i < dimension_; ++i) {
      vector[i] = centers_[cluster * dimension_ + i] + 0.05f * static_cast<float>(gaussian());
    }
    const float scale = 1.0f / std::sqrt(static_cast<float>(intrinsic_));
    for (size_t axis = 0; axis < intrinsic_; ++axis) {
      const float along = static_cast<float>(gaussian()) * scale;
      const float* plane = planes_.data() + (cluster * intrinsic_ + axis) * dimension_;
      for (size_t i = 0; i < dimension_; ++i) vector[i] += along * plane[i];
    }
    return vector;
  }

 private:
  double gaussian() {
    const double u = 1 - random_.fraction();
    return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * random_.fraction());
  }
  std::vector<float> gaussians(size_t count) {
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(gaussian());
    return values;
  }

  const size_t dimension_;
  const size_t clusters_;
  const size_t intrinsic_;
  Random random_;
  std::vector<float> centers_;
  std::vector<float> planes_;
};

}  // namespace strata::hnsw
