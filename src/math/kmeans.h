// k_means: clusters of vectors, by Lloyd's iterations from k-means++ seeds.
//
// Purpose:       clusters, and the centroids that isolation is measured from.
// Ownership:     borrows the rows for the call.
// Thread safety: pure function; it uses threads of its own.
// Invariants:    the result depends on the rows and the options, never on the number of threads. Each row is assigned
//                to the nearest of the centroids that are returned, the first of equals. A centroid is the mean of its
//                rows, whatever the metric. A cluster that lost all its rows takes the row that is farthest from its
//                own centroid.
// Errors:        operation_cancelled.
#pragma once

#include <cstdint>
#include <vector>

#include "hnsw/types.h"
#include "math/rows.h"

namespace strata::math {

struct KMeansOptions {
  size_t k = 0;  // 1 .. rows.count
  uint32_t max_iterations = 100;
  // Converged once no centroid moves farther (L2) in an iteration.
  float tolerance = 0.0001f;
  hnsw::Metric metric = hnsw::Metric::euclidean;
  uint64_t seed = 1;
};

struct Clusters {
  std::vector<float> centroids;       // k rows
  std::vector<uint32_t> assignments;  // of each row
  std::vector<float> distances;       // of each row to its centroid
  uint32_t iterations = 0;
  bool converged = false;
};

Result<Clusters> k_means(const Rows& rows, const KMeansOptions& options, const Execution& execution);

// Fills assignments and distances of `clusters` from its centroids. False: cancelled.
bool assign_nearest(const Rows& rows, const Rows& centroids, hnsw::Metric metric, const Execution& execution,
                    Clusters& clusters);

}  // namespace strata::math
