#include "math/kmeans.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/assert.h"
#include "base/random.h"
#include "hnsw/distance.h"

namespace strata::math {
namespace {

using hnsw::Metric;

constexpr size_t piece_rows = 256;

class KMeans {
 public:
  KMeans(const Rows& rows, const KMeansOptions& options, const Execution& execution)
      : rows_(rows), options_(options), execution_(execution), random_(options.seed) {}

  Result<Clusters> run() {
    if (!seed()) return cancelled_error();
    while (clusters_.iterations < options_.max_iterations && !clusters_.converged) {
      if (!assign()) return cancelled_error();
      fill_empty_clusters();
      double moved = 0;
      if (!update(moved)) return cancelled_error();
      ++clusters_.iterations;
      clusters_.converged = moved <= options_.tolerance;
    }
    if (!assign()) return cancelled_error();
    return std::move(clusters_);
  }

 private:
  Rows centroids() const {
    return {.values = clusters_.centroids.data(), .count = options_.k, .dimension = rows_.dimension};
  }
  bool assign() { return assign_nearest(rows_, centroids(), options_.metric, execution_, clusters_); }

  // What k-means++ draws by: the square of a distance. 1 - cos is half of one; a dot product is none at all, so its
  // clusters are seeded as those of L2.
  double weight(std::span<const float> a, std::span<const float> b) const {
    const Metric metric = options_.metric == Metric::dot_product ? Metric::euclidean : options_.metric;
    const double distance = hnsw::score(metric, a.data(), b.data(), rows_.dimension);
    return std::max(0.0, metric == Metric::cosine ? distance : distance * distance);
  }

  bool seed() {
    clusters_.centroids.reserve(options_.k * rows_.dimension);
    std::vector<double> weights(rows_.count, std::numeric_limits<double>::infinity());
    std::vector<bool> taken(rows_.count);
    size_t chosen = random_.below(rows_.count);
    for (;;) {
      const std::span<const float> centroid = rows_[chosen];
      clusters_.centroids.insert(clusters_.centroids.end(), centroid.begin(), centroid.end());
      taken[chosen] = true;
      if (clusters_.centroids.size() == options_.k * rows_.dimension) return true;
      const bool done = for_pieces(execution_, rows_.count, piece_rows, [&](size_t begin, size_t end) {
        for (size_t row = begin; row < end; ++row) weights[row] = std::min(weights[row], weight(rows_[row], centroid));
      });
      if (!done) return false;
      weights[chosen] = 0;
      chosen = draw(weights, taken);
    }
  }

  size_t draw(const std::vector<double>& weights, const std::vector<bool>& taken) {
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    double left = random_.fraction() * total;
    size_t last = rows_.count;
    for (size_t row = 0; row < rows_.count && total > 0 && std::isfinite(total); ++row) {
      if (!(weights[row] > 0) || taken[row]) continue;
      last = row;
      left -= weights[row];
      if (left < 0) break;
    }
    if (last < rows_.count) return last;
    // Only rows that equal a seed are left (or their squares left the range): the first that is none.
    return static_cast<size_t>(std::ranges::find(taken, false) - taken.begin());
  }

  void fill_empty_clusters() {
    std::vector<size_t> sizes(options_.k);
    for (const uint32_t cluster : clusters_.assignments) ++sizes[cluster];
    for (uint32_t cluster = 0; cluster < options_.k; ++cluster) {
      if (sizes[cluster] > 0) continue;
      size_t farthest = rows_.count;
      for (size_t row = 0; row < rows_.count; ++row) {
        const bool is_free = sizes[clusters_.assignments[row]] > 1;
        if (is_free && (farthest == rows_.count || clusters_.distances[row] > clusters_.distances[farthest])) {
          farthest = row;
        }
      }
      STRATA_ASSERT(farthest < rows_.count);
      --sizes[clusters_.assignments[farthest]];
      ++sizes[cluster];
      clusters_.assignments[farthest] = cluster;
      clusters_.distances[farthest] = 0;
    }
  }

  // Each thread sums the rows of clusters of its own, in their order: the sums do not depend on who makes them.
  bool update(double& moved) {
    std::vector<std::vector<uint32_t>> members(options_.k);
    for (size_t row = 0; row < rows_.count; ++row) {
      members[clusters_.assignments[row]].push_back(static_cast<uint32_t>(row));
    }
    std::vector<double> movements(options_.k);
    const bool done = for_pieces(execution_, options_.k, 1, [&](size_t begin, size_t end) {
      for (size_t cluster = begin; cluster < end; ++cluster) movements[cluster] = move(cluster, members[cluster]);
    });
    moved = movements.empty() ? 0 : *std::ranges::max_element(movements);
    return done;
  }

  double move(size_t cluster, const std::vector<uint32_t>& members) {
    std::vector<double> sum(rows_.dimension);
    for (const uint32_t member : members) {
      const std::span<const float> row = rows_[member];
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(row[i]);
    }
    float* centroid = clusters_.centroids.data() + cluster * rows_.dimension;
    double squares = 0;
    for (size_t i = 0; i < sum.size(); ++i) {
      const auto mean = static_cast<float>(sum[i] / static_cast<double>(members.size()));
      const double step = static_cast<double>(mean) - static_cast<double>(centroid[i]);
      squares += step * step;
      centroid[i] = mean;
    }
    return std::sqrt(squares);
  }

  const Rows rows_;
  const KMeansOptions options_;
  const Execution& execution_;
  Random random_;
  Clusters clusters_;
};

}  // namespace

bool assign_nearest(const Rows& rows, const Rows& centroids, Metric metric, const Execution& execution,
                    Clusters& clusters) {
  clusters.assignments.resize(rows.count);
  clusters.distances.resize(rows.count);
  return for_pieces(execution, rows.count, piece_rows, [&](size_t begin, size_t end) {
    std::vector<float> scores(centroids.count);
    for (size_t row = begin; row < end; ++row) {
      hnsw::scores(metric, rows[row].data(), centroids.values, rows.dimension, centroids.count, scores.data());
      const auto nearest = std::ranges::min_element(scores);
      clusters.assignments[row] = static_cast<uint32_t>(nearest - scores.begin());
      clusters.distances[row] = *nearest;
    }
  });
}

Result<Clusters> k_means(const Rows& rows, const KMeansOptions& options, const Execution& execution) {
  STRATA_ASSERT(options.k >= 1 && options.k <= rows.count && rows.count <= UINT32_MAX);
  return KMeans(rows, options, execution).run();
}

}  // namespace strata::math
