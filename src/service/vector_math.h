// VectorMath: the use cases that compute over vectors: of a collection, or of what the request brings.
//
// Purpose:       what a face calls for the operations under math/; vectors come from the keys, so that whatever was
//                acknowledged takes part, deferred or not. The formulas are those of src/math.
// Ownership:     borrows the database, which outlives it; owns the threads of long work. Requests are views.
// Thread safety: any thread. Long work leaves the caller's thread, and ends when `stop` is set or the deadline is over.
// Invariants:    the same request on the same vectors has the same answer: what draws at random has a fixed seed.
//                compute_time_us is the time of all of it, reading included.
// Errors:        not_found ("collection 'X' not found", "vector 7 not found"), invalid_argument (with the word
//                "dimension" where that is wrong), payload_too_large (more vectors than max_math_bytes take),
//                too_many_requests (too many long computations wait), operation_cancelled, transaction_timed_out.
#pragma once

#include <memory>

#include "kv/database.h"
#include "service/context.h"
#include "service/long_jobs.h"
#include "service/turns.h"
#include "service/vector_types.h"

namespace strata::service {

// Of the vectors that one computation holds in memory.
inline constexpr uint64_t max_math_bytes = uint64_t{2} << 30;
inline constexpr uint32_t max_clusters = 65'536;
inline constexpr uint32_t max_iterations = 10'000;
inline constexpr uint32_t max_sequence = 10'000;
inline constexpr size_t max_arithmetic_terms = 10'000;

using FloatVector = std::vector<float>;
using FloatView = std::span<const float>;

struct GhostsRequest {
  std::string_view collection;
  float threshold = 0;
  // Empty: those of k-means with auto_k clusters, at most one a vector.
  std::vector<FloatView> centroids = {};
  uint32_t auto_k = 8;
  std::string_view metric = {};  // empty: euclidean
};
struct GhostsAnswer {
  struct Ghost {
    uint64_t id = 0;
    float isolation_score = 0;
  };
  std::vector<Ghost> ghosts;
  uint64_t compute_time_us = 0;
};

struct ConeRequest {
  std::string_view collection;
  FloatView direction;
  float aperture_radians = 0;
};
struct ConeAnswer {
  struct Match {
    uint64_t id = 0;
    float cosine_similarity = 0;
    float angle_radians = 0;
  };
  std::vector<Match> results;
  uint64_t compute_time_us = 0;
};

struct CentroidRequest {
  std::string_view collection;
  std::span<const uint64_t> ids = {};  // empty: all
  FloatView weights = {};              // empty: equal ones
};
struct CentroidAnswer {
  FloatVector centroid;
  uint64_t compute_time_us = 0;
};

struct InterpolateRequest {
  FloatView a;
  FloatView b;
  float t = 0;
  std::string_view method = {};  // "lerp" or "slerp"; empty: lerp
  uint32_t sequence_count = 0;   // 0: one vector, at t
};
struct InterpolateAnswer {
  std::vector<FloatVector> results;
  uint64_t compute_time_us = 0;
};

struct DriftRequest {
  std::string_view collection;
  std::span<const uint64_t> window1_ids;
  std::span<const uint64_t> window2_ids;
  std::string_view metric = {};  // empty: euclidean
  // Absent or 0: nothing has drifted.
  std::optional<float> threshold = std::nullopt;
};
struct DriftAnswer {
  float centroid_shift = 0;
  float mean_distance_window1 = 0;
  float mean_distance_window2 = 0;
  float spread_change = 0;
  bool has_drifted = false;
  uint64_t compute_time_us = 0;
};

struct ClusterRequest {
  std::string_view collection;
  uint32_t k = 0;
  uint32_t max_iterations = 100;
  float tolerance = 0.0001f;
  std::string_view metric = {};  // empty: euclidean
};
struct ClusterAnswer {
  struct Assignment {
    uint64_t id = 0;
    uint32_t cluster = 0;
    float distance_to_centroid = 0;
  };
  std::vector<FloatVector> centroids;
  std::vector<Assignment> assignments;  // by id
  uint32_t iterations = 0;
  bool converged = false;
  uint64_t compute_time_us = 0;
};

struct PcaRequest {
  std::string_view collection;
  uint32_t n_components = 2;
  std::span<const uint64_t> ids = {};  // empty: all
};
struct PcaAnswer {
  std::vector<FloatVector> components;
  std::vector<float> explained_variance;
  FloatVector mean;
  std::vector<FloatVector> projected;  // in the order of the ids that were asked for, else ascending
  uint64_t compute_time_us = 0;
};

struct AnalogyRequest {
  struct Term {
    FloatView vector;
    float weight = 0;
  };
  FloatView a = {};
  FloatView b = {};
  FloatView c = {};
  bool normalize = false;
  std::vector<Term> terms = {};  // instead of a, b and c
};
struct AnalogyAnswer {
  FloatVector result;
  uint64_t compute_time_us = 0;
};

struct DiversityRequest {
  std::string_view collection;
  FloatView query;
  uint32_t k = 0;
  float lambda = 0;
  std::span<const uint64_t> candidate_ids = {};  // empty: all
};
struct DiversityAnswer {
  struct Choice {
    uint64_t id = 0;
    float relevance_score = 0;
    float mmr_score = 0;
  };
  std::vector<Choice> results;
  uint64_t compute_time_us = 0;
};

class VectorMath {
 public:
  // threads: of one computation; 0: one a core.
  VectorMath(const kv::Database& database, Clock& clock, size_t threads = 0);
  ~VectorMath();

  Result<GhostsAnswer> ghosts(const Context& context, const GhostsRequest& request, const StopHandle& stop = {});
  Result<ConeAnswer> cone(const Context& context, const ConeRequest& request, const StopHandle& stop = {});
  Result<CentroidAnswer> centroid(const Context& context, const CentroidRequest& request, const StopHandle& stop = {});
  Result<DriftAnswer> drift(const Context& context, const DriftRequest& request, const StopHandle& stop = {});
  Result<ClusterAnswer> cluster(const Context& context, const ClusterRequest& request, const StopHandle& stop = {});
  Result<PcaAnswer> pca(const Context& context, const PcaRequest& request, const StopHandle& stop = {});
  Result<DiversityAnswer> diversity(const Context& context, const DiversityRequest& request,
                                    const StopHandle& stop = {});
  Result<InterpolateAnswer> interpolate(const Context& context, const InterpolateRequest& request);
  Result<AnalogyAnswer> analogy(const Context& context, const AnalogyRequest& request);

 private:
  // One computation over a collection (vector_math.cpp).
  class Run;

  const kv::Database& database_;
  Clock& clock_;
  const size_t threads_;
  // What waits, waits for a processor more than for a thread.
  Turns turns_{4, 1'024};
  LongJobs jobs_;
};

}  // namespace strata::service
