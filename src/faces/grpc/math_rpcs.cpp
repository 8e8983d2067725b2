#include <swarndb/v1/vector_math.pb.h>

#include "faces/grpc/rpc.h"
#include "faces/grpc/vector_messages.h"
#include "service/stop_on_cancellation.h"
#include "service/vector_math.h"

namespace strata::rpc {
namespace {

namespace v1 = swarndb::v1;

// What the fields mean that a message does not carry.
constexpr uint32_t default_auto_k = 8;
constexpr uint32_t default_iterations = 100;
constexpr float default_tolerance = 0.0001f;
constexpr uint32_t default_components = 2;

service::VectorMath& math(Call& call) { return *call.services().vector_math; }

template <class Messages>
void fill_vectors(Messages& messages, const std::vector<service::FloatVector>& vectors) {
  for (const service::FloatVector& vector : vectors) fill(*messages.Add()->mutable_values(), vector);
}

Result<void> ghosts(Call& call, const v1::DetectGhostsRequest& message, v1::DetectGhostsResponse& response) {
  service::GhostsRequest request{.collection = message.collection(),
                                 .threshold = message.threshold(),
                                 .auto_k = message.auto_k() == 0 ? default_auto_k : message.auto_k(),
                                 .metric = message.metric()};
  for (const v1::Vector& centroid : message.centroids()) request.centroids.push_back(values_of(centroid));
  const service::StopOnCancellation stop(call.cancellation());
  ASSIGN_OR_RETURN(const service::GhostsAnswer answer, math(call).ghosts(call.context(), request, stop.flag()));
  for (const auto& one : answer.ghosts) {
    v1::GhostVector& ghost = *response.add_ghosts();
    ghost.set_id(one.id);
    ghost.set_isolation_score(one.isolation_score);
  }
  response.set_compute_time_us(answer.compute_time_us);
  return {};
}

Result<void> cone(Call& call, const v1::ConeSearchRequest& message, v1::ConeSearchResponse& response) {
  const service::ConeRequest request{.collection = message.collection(),
                                     .direction = values_of(message.direction()),
                                     .aperture_radians = message.aperture_radians()};
  const service::StopOnCancellation stop(call.cancellation());
  ASSIGN_OR_RETURN(const service::ConeAnswer answer, math(call).cone(call.context(), request, stop.flag()));
  for (const auto& match : answer.results) {
    v1::ConeSearchResult& result = *response.add_results();
    result.set_id(match.id);
    result.set_cosine_similarity(match.cosine_similarity);
    result.set_angle_radians(match.angle_radians);
  }
  response.set_compute_time_us(answer.compute_time_us);
  return {};
}

Result<void> centroid(Call& call, const v1::ComputeCentroidRequest& message, v1::ComputeCentroidResponse& response) {
  const service::CentroidRequest request{
      .collection = message.collection(), .ids = span_of(message.vector_ids()), .weights = span_of(message.weights())};
  const service::StopOnCancellation stop(call.cancellation());
  ASSIGN_OR_RETURN(const service::CentroidAnswer answer, math(call).centroid(call.context(), request, stop.flag()));
  fill(*response.mutable_centroid()->mutable_values(), answer.centroid);
  response.set_compute_time_us(answer.compute_time_us);
  return {};
}

Result<void> interpolate(Call& call, const v1::InterpolateRequest& message, v1::InterpolateResponse& response) {
  const service::InterpolateRequest request{.a = values_of(message.a()),
                                            .b = values_of(message.b()),
                                            .t = message.t(),
                                            .method = message.method(),
                                            .sequence_count = message.sequence_count()};
  ASSIGN_OR_RETURN(const service::InterpolateAnswer answer, math(call).interpolate(call.context(), request));
  fill_vectors(*response.mutable_results(), answer.results);
  response.set_compute_time_us(answer.compute_time_us);
  return {};
}

Result<void> drift(Call& call, const v1::DetectDriftRequest& message, v1::DetectDriftResponse& response) {
  service::DriftRequest request{.collection = message.collection(),
                                .window1_ids = span_of(message.window1_ids()),
                                .window2_ids = span_of(message.window2_ids()),
                                .metric = message.metric()};
  if (message.threshold() != 0) request.threshold = message.threshold();
  const service::StopOnCancellation stop(call.cancellation());
  ASSIGN_OR_RETURN(const service::DriftAnswer answer, math(call).drift(call.context(), request, stop.flag()));
  response.set_centroid_shift(answer.centroid_shift);
  response.set_mean_distance_window1(answer.mean_distance_window1);
  response.set_mean_distance_window2(answer.mean_distance_window2);
  response.set_spread_change(answer.spread_change);
  response.set_has_drifted(answer.has_drifted);
  response.set_compute_time_us(answer.compute_time_us);
  return {};
}

Result<void> cluster(Call& call, const v1::ClusterRequest& message, v1::ClusterResponse& response) {
  const service::ClusterRequest request{
      .collection = message.collection(),
      .k = message.k(),
      .max_iterations = message.max_iterations() == 0 ? default_iterations : message.max_iterations(),
      .tolerance = message.tolerance() == 0 ? default_tolerance : message.tolerance(),
      .metric = message.metric()};
  const service::StopOnCancellation stop(call.cancellation());
  ASSIGN_OR_RETURN(const service::ClusterAnswer answer, math(call).cluster(call.context(), request, stop.flag()));
  fill_vectors(*response.mutable_centroids(), answer.centroids);
  response.mutable_assignments()->Reserve(static_cast<int>(answer.assignments.size()));
  for (const auto& one : answer.assignments) {
    v1::ClusterAssignmentProto& assignment = *response.add_assignments();
    assignment.set_id(one.id);
    assignment.set_cluster(one.cluster);
    assignment.set_distance_to_centroid(one.distance_to_centroid);
  }
  response.set_iterations(answer.iterations);
  response.set_converged(answer.converged);
  response.set_compute_time_us(answer.compute_time_us);
  return {};
}

Result<void> reduce(Call& call, const v1::ReduceDimensionsRequest& message, v1::ReduceDimensionsResponse& response) {
  const service::PcaRequest request{
      .collection = message.collection(),
      .n_components = message.n_components() == 0 ? default_components : message.n_components(),
      .ids = span_of(message.vector_ids())};
  const service::StopOnCancellation stop(call.cancellation());
  ASSIGN_OR_RETURN(const service::PcaAnswer answer, math(call).pca(call.context(), request, stop.flag()));
  fill_vectors(*response.mutable_components(), answer.components);
  fill(*response.mutable_explained_variance(), answer.explained_variance);
  fill(*response.mutable_mean()->mutable_values(), answer.mean);
  fill_vectors(*response.mutable_projected(), answer.projected);
  response.set_compute_time_us(answer.compute_time_us);
  return {};
}

Result<void> analogy(Call& call, const v1::ComputeAnalogyRequest& message, v1::ComputeAnalogyResponse& response) {
  service::AnalogyRequest request{.a = values_of(message.a()),
                                  .b = values_of(message.b()),
                                  .c = values_of(message.c()),
                                  .normalize = message.normalize()};
  for (const v1::ArithmeticTerm& term : message.terms()) {
    request.terms.push_back({.vector = values_of(term.vector()), .weight = term.weight()});
  }
  ASSIGN_OR_RETURN(const service::AnalogyAnswer answer, math(call).analogy(call.context(), request));
  fill(*response.mutable_result()->mutable_values(), answer.result);
  response.set_compute_time_us(answer.compute_time_us);
  return {};
}

Result<void> diversity(Call& call, const v1::DiversitySampleRequest& message, v1::DiversitySampleResponse& response) {
  const service::DiversityRequest request{.collection = message.collection(),
                                          .query = values_of(message.query()),
                                          .k = message.k(),
                                          .lambda = message.lambda(),
                                          .candidate_ids = span_of(message.candidate_ids())};
  const service::StopOnCancellation stop(call.cancellation());
  ASSIGN_OR_RETURN(const service::DiversityAnswer answer, math(call).diversity(call.context(), request, stop.flag()));
  for (const auto& choice : answer.results) {
    v1::DiversitySampleResult& result = *response.add_results();
    result.set_id(choice.id);
    result.set_relevance_score(choice.relevance_score);
    result.set_mmr_score(choice.mmr_score);
  }
  response.set_compute_time_us(answer.compute_time_us);
  return {};
}

const Rpc rows[] = {
    {.path = "/swarndb.v1.VectorMathService/DetectGhosts", .handler = unary<ghosts>},
    {.path = "/swarndb.v1.VectorMathService/ConeSearch", .handler = unary<cone>},
    {.path = "/swarndb.v1.VectorMathService/ComputeCentroid", .handler = unary<centroid>},
    {.path = "/swarndb.v1.VectorMathService/Interpolate", .handler = unary<interpolate>},
    {.path = "/swarndb.v1.VectorMathService/DetectDrift", .handler = unary<drift>},
    {.path = "/swarndb.v1.VectorMathService/Cluster", .handler = unary<cluster>},
    {.path = "/swarndb.v1.VectorMathService/ReduceDimensions", .handler = unary<reduce>},
    {.path = "/swarndb.v1.VectorMathService/ComputeAnalogy", .handler = unary<analogy>},
    {.path = "/swarndb.v1.VectorMathService/DiversitySample", .handler = unary<diversity>},
};

}  // namespace

std::span<const Rpc> math_rpcs() { return rows; }

}  // namespace strata::rpc
