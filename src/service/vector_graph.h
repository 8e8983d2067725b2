// VectorGraph: the virtual graph of a collection, and the use cases that walk it.
//
// Purpose:       two vectors are related when they are similar enough. Edges are a function of the vectors and of the
//                thresholds; they are computed when they are asked for, and stored nowhere.
// Ownership:     borrows Vectors, which outlives it; owns the threads of long walks.
// Thread safety: any thread.
// Invariants:    an edge has no direction: it stands only while neither end drops it. A vector keeps at most
//                max_vector_edges, the most similar ones, by similarity and then by id. A threshold of 0 everywhere
//                means that there are no edges. Vectors whose edges are deferred have none before optimize.
// Errors:        not_found ("collection 'X' not found", "vector 7 not found"), invalid_argument, too_many_requests
//                (walks that wait for a thread).
#pragma once

#include "service/long_jobs.h"
#include "service/turns.h"
#include "service/vector_neighbours.h"
#include "service/vectors.h"

namespace strata::service {

inline constexpr uint32_t max_traversal_depth = 100;
inline constexpr uint32_t max_traversal_results = 100'000;

struct RelatedRequest {
  std::string_view collection;
  uint64_t id = 0;
  float threshold = 0;       // for a vector that has none of its own; 0: the collection's
  uint32_t max_results = 0;  // 0: all of them
};

struct TraverseRequest {
  std::string_view collection;
  uint64_t start_id = 0;
  uint32_t depth = 2;
  float threshold = 0;       // for vectors that have none of their own; 0: the collection's
  uint32_t max_results = 0;  // 0: all that are reached, up to max_traversal_results
};
struct TraversalNode {
  uint64_t id = 0;
  uint32_t depth = 0;
  float path_similarity = 0;
  std::vector<uint64_t> path;  // from the start to this one
};

class VectorGraph final : public VectorEdges {
 public:
  VectorGraph(Vectors& vectors, Clock& clock);
  ~VectorGraph() override;

  Result<std::vector<RelatedVector>> related(const Context& context, const RelatedRequest& request);
  Result<std::vector<TraversalNode>> traverse(const Context& context, const TraverseRequest& request,
                                              const StopHandle& stop = {});

  Result<void> add_edges(const Context& context, VectorCollection& collection, std::span<ScoredVector> results,
                         float threshold, uint32_t limit, const StopHandle& stop) override;

 private:
  // Of a collection with fewer numbers, the lists of 50 neighbours take some milliseconds: on the caller's thread.
  static constexpr size_t inline_numbers = 1u << 17;

  static float threshold_for(const VectorCollection& collection, uint64_t id, float threshold);
  Result<std::shared_ptr<VectorCollection>> open(const Context& context, std::string_view name, uint64_t id);
  // None of a vector that the view does not show, or no longer.
  Result<std::vector<RelatedVector>> edges_of(VectorCollection& collection, uint64_t id, float threshold,
                                              uint32_t limit);
  // Here, or on a thread of its own once there is one.
  template <class Answer, class Work>
  Result<Answer> run(const VectorCollection& collection, StopHandle stop, const Work& work);
  Result<std::vector<TraversalNode>> walk(const Context& context, VectorCollection& collection,
                                          const TraverseRequest& request, const StopFlag* stop);

  Vectors& vectors_;
  Clock& clock_;
  VectorNeighbours neighbours_;
  Turns turns_{4, 1'024};
  LongJobs jobs_;
};

}  // namespace strata::service
