#include "service/vector_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "hnsw/types.h"
#include "service/run.h"
#include "service/vector_collection.h"

namespace strata::service {
namespace {

using hnsw::Match;
using hnsw::Metric;

// Finite: what leaves the range of floats is cut, so that products along paths are numbers.
template <class Number>
float finite(Number value) {
  constexpr float largest = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp<Number>(value, -largest, largest));
}

float similarity_of(Metric metric, float score) {
  switch (metric) {
    case Metric::cosine:
      return finite(1 - score);
    case Metric::dot_product:
      return finite(-score);
    case Metric::euclidean:
    case Metric::manhattan:
      break;
  }
  return 1 / (1 + score);
}

bool has(const VectorNeighbours::List& list, uint64_t id) {
  return list && std::ranges::find(*list, id, &Match::label) != list->end();
}

Error stopped() { return Error(ErrorCode::operation_cancelled, "the traversal was stopped"); }
Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

}  // namespace

VectorGraph::VectorGraph(Vectors& vectors, Clock& clock) : vectors_(vectors), clock_(clock) {}
VectorGraph::~VectorGraph() = default;

float VectorGraph::threshold_for(const VectorCollection& collection, uint64_t id, float threshold) {
  if (const auto own = collection.view().threshold_of(id)) return *own;
  const float common = collection.default_threshold();
  // A collection without one has no graph, whatever is asked of it.
  return common != 0 && threshold != 0 ? threshold : common;
}

Result<std::vector<RelatedVector>> VectorGraph::edges_of(VectorCollection& collection, uint64_t id, float threshold,
                                                         uint32_t limit) {
  const float least = threshold_for(collection, id, threshold);
  std::vector<RelatedVector> edges;
  if (least == 0 || limit == 0) return edges;
  ASSIGN_OR_RETURN(const auto near, neighbours_.of(collection, id));
  if (!near) return edges;
  for (const Match& match : *near) {
    const float similarity = similarity_of(collection.row().options.metric, match.score);
    if (similarity < least) break;
    // The other end keeps it too. Where it has room for all, it does.
    ASSIGN_OR_RETURN(const auto back, neighbours_.of(collection, match.label));
    if (!back || (back->size() == max_vector_edges && !has(back, id))) continue;
    edges.push_back({.id = match.label, .similarity = similarity});
    if (edges.size() == limit) break;
  }
  return edges;
}

// The collection, and that the vector is there.
Result<std::shared_ptr<VectorCollection>> VectorGraph::open(const Context& context, std::string_view name,
                                                            uint64_t id) {
  ASSIGN_OR_RETURN(auto collection, vectors_.open_collection(context, name));
  const auto found = vectors_.get(context, name, id);
  if (!found.ok()) return found.error();
  return collection;
}

template <class Answer, class Work>
Result<Answer> VectorGraph::run(const VectorCollection& collection, StopHandle stop, const Work& work) {
  if (collection.view().size() * collection.dimension() <= inline_numbers) return work();
  ASSIGN_OR_RETURN(const Turns::Turn turn, turns_.take());
  if (!stop) stop = std::make_shared<StopFlag>();
  return jobs_.run<Answer>(std::move(stop), [&work] { return work(); });
}

Result<void> VectorGraph::add_edges(const Context& context, VectorCollection& collection,
                                    std::span<ScoredVector> results, float threshold, uint32_t limit,
                                    const StopHandle& stop) {
  return run<void>(collection, stop, [&]() -> Result<void> {
    for (ScoredVector& result : results) {
      if (stop && stop->is_set()) return stopped();
      RETURN_IF_ERROR(timeout_ms(context, clock_));
      ASSIGN_OR_RETURN(result.edges, edges_of(collection, result.id, threshold, limit));
    }
    return {};
  });
}

Result<std::vector<RelatedVector>> VectorGraph::related(const Context& context, const RelatedRequest& request) {
  if (!std::isfinite(request.threshold)) return invalid("threshold must be a finite number");
  ASSIGN_OR_RETURN(const auto collection, open(context, request.collection, request.id));
  const uint32_t limit = request.max_results == 0 ? max_vector_edges : request.max_results;
  return run<std::vector<RelatedVector>>(*collection, nullptr,
                                         [&] { return edges_of(*collection, request.id, request.threshold, limit); });
}

Result<std::vector<TraversalNode>> VectorGraph::traverse(const Context& context, const TraverseRequest& request,
                                                         const StopHandle& stop) {
  if (!std::isfinite(request.threshold)) return invalid("threshold must be a finite number");
  if (request.depth > max_traversal_depth) return invalid(fmt::format("depth is at most {}", max_traversal_depth));
  ASSIGN_OR_RETURN(const auto collection, open(context, request.collection, request.start_id));
  return run<std::vector<TraversalNode>>(*collection, stop,
                                         [&] { return walk(context, *collection, request, stop.get()); });
}

Result<std::vector<TraversalNode>> VectorGraph::walk(const Context& context, VectorCollection& collection,
                                                     const TraverseRequest& request, const StopFlag* stop) {
  struct Place {
    size_t parent = 0;  // in `places`
    uint64_t id = 0;
    uint32_t depth = 0;
    float similarity = 1;
  };
  std::vector<Place> places = {{.id = request.start_id}};
  std::unordered_map<uint64_t, size_t> seen = {{request.start_id, 0}};
  for (size_t at = 0; at < places.size() && places.size() <= max_traversal_results; ++at) {
    if (places[at].depth == request.depth) break;
    if (stop && stop->is_set()) return stopped();
    RETURN_IF_ERROR(timeout_ms(context, clock_));
    ASSIGN_OR_RETURN(const auto edges, edges_of(collection, places[at].id, request.threshold, max_vector_edges));
    for (const RelatedVector& edge : edges) {
      if (!seen.try_emplace(edge.id, places.size()).second) continue;
      places.push_back(
          {.parent = at,
           .id = edge.id,
           .depth = places[at].depth + 1,
           .similarity = finite(static_cast<double>(places[at].similarity) * static_cast<double>(edge.similarity))});
    }
  }
  std::vector<size_t> order;
  for (size_t at = 1; at < places.size(); ++at) order.push_back(at);
  // By similarity; of equals, those that were reached first.
  std::ranges::stable_sort(order, std::ranges::greater(), [&](size_t at) { return places[at].similarity; });
  const size_t wanted = request.max_results == 0 ? max_traversal_results : request.max_results;
  if (order.size() > wanted) order.resize(wanted);
  std::vector<TraversalNode> nodes;
  nodes.reserve(order.size());
  for (const size_t at : order) {
    TraversalNode& node = nodes.emplace_back();
    node.id = places[at].id;
    node.depth = places[at].depth;
    node.path_similarity = places[at].similarity;
    node.path.resize(node.depth + 1);
    for (size_t step = at, place = node.depth;; step = places[step].parent, --place) {
      node.path[place] = places[step].id;
      if (place == 0) break;
    }
  }
  return nodes;
}

}  // namespace strata::service
