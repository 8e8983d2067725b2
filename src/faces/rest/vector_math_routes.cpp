#include "faces/rest/vector_math_routes.h"

#include <fmt/format.h>

#include "faces/rest/stop_on_cancellation.h"
#include "faces/rest/vector_handler.h"
#include "faces/rest/vector_json.h"
#include "faces/rest/vector_math_body.h"

namespace strata::rest {
namespace {

Response finish(Bytes body, uint64_t compute_time_us) {
  body += fmt::format(R"(,"compute_time_us":{}}})", compute_time_us);
  return Response::json(std::move(body));
}

// [{...},...]
template <class Items, class Append>
void append_items(Bytes& body, const Items& items, const Append& append) {
  body.push_back('[');
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) body.push_back(',');
    append(items[i]);
  }
  body.push_back(']');
}

Result<Response> ghosts(Services& services, Request& request) {
  GhostsBody parsed;
  RETURN_IF_ERROR(parse_ghosts(request.body(), parsed));
  parsed.request.collection = request.param("collection");
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(const auto answer, services.vector_math->ghosts(context_of(request), parsed.request, stop.flag()));
  Bytes body = "{\"ghosts\":";
  append_items(body, answer.ghosts, [&](const auto& ghost) {
    body += fmt::format(R"({{"id":{},"isolation_score":)", ghost.id);
    append_json_float(body, ghost.isolation_score);
    body.push_back('}');
  });
  return finish(std::move(body), answer.compute_time_us);
}

Result<Response> cone(Services& services, Request& request) {
  ConeBody parsed;
  RETURN_IF_ERROR(parse_cone(request.body(), parsed));
  parsed.request.collection = request.param("collection");
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(const auto answer, services.vector_math->cone(context_of(request), parsed.request, stop.flag()));
  Bytes body = "{\"results\":";
  append_items(body, answer.results, [&](const auto& match) {
    body += fmt::format(R"({{"id":{},"cosine_similarity":)", match.id);
    append_json_float(body, match.cosine_similarity);
    body += ",\"angle_radians\":";
    append_json_float(body, match.angle_radians);
    body.push_back('}');
  });
  return finish(std::move(body), answer.compute_time_us);
}

Result<Response> centroid(Services& services, Request& request) {
  CentroidBody parsed;
  RETURN_IF_ERROR(parse_centroid(request.body(), parsed));
  parsed.request.collection = request.param("collection");
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(const auto answer, services.vector_math->centroid(context_of(request), parsed.request, stop.flag()));
  Bytes body = "{\"centroid\":";
  append_json_floats(body, answer.centroid);
  return finish(std::move(body), answer.compute_time_us);
}

Result<Response> interpolate(Services& services, Request& request) {
  InterpolateBody parsed;
  RETURN_IF_ERROR(parse_interpolate(request.body(), parsed));
  ASSIGN_OR_RETURN(const auto answer, services.vector_math->interpolate(context_of(request), parsed.request));
  Bytes body = "{\"results\":";
  append_json_vectors(body, answer.results);
  return finish(std::move(body), answer.compute_time_us);
}

Result<Response> drift(Services& services, Request& request) {
  DriftBody parsed;
  RETURN_IF_ERROR(parse_drift(request.body(), parsed));
  parsed.request.collection = request.param("collection");
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(const auto answer, services.vector_math->drift(context_of(request), parsed.request, stop.flag()));
  Bytes body = "{\"centroid_shift\":";
  append_json_float(body, answer.centroid_shift);
  body += ",\"mean_distance_window1\":";
  append_json_float(body, answer.mean_distance_window1);
  body += ",\"mean_distance_window2\":";
  append_json_float(body, answer.mean_distance_window2);
  body += ",\"spread_change\":";
  append_json_float(body, answer.spread_change);
  body += fmt::format(",\"has_drifted\":{}", answer.has_drifted);
  return finish(std::move(body), answer.compute_time_us);
}

Result<Response> cluster(Services& services, Request& request) {
  ClusterBody parsed;
  RETURN_IF_ERROR(parse_cluster(request.body(), parsed));
  parsed.request.collection = request.param("collection");
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(const auto answer, services.vector_math->cluster(context_of(request), parsed.request, stop.flag()));
  Bytes body = "{\"centroids\":";
  append_json_vectors(body, answer.centroids);
  body += ",\"assignments\":";
  append_items(body, answer.assignments, [&](const auto& assignment) {
    body += fmt::format(R"({{"id":{},"cluster":{},"distance_to_centroid":)", assignment.id, assignment.cluster);
    append_json_float(body, assignment.distance_to_centroid);
    body.push_back('}');
  });
  body += fmt::format(R"(,"iterations":{},"converged":{})", answer.iterations, answer.converged);
  return finish(std::move(body), answer.compute_time_us);
}

Result<Response> pca(Services& services, Request& request) {
  PcaBody parsed;
  RETURN_IF_ERROR(parse_pca(request.body(), parsed));
  parsed.request.collection = request.param("collection");
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(const auto answer, services.vector_math->pca(context_of(request), parsed.request, stop.flag()));
  Bytes body = "{\"components\":";
  append_json_vectors(body, answer.components);
  body += ",\"explained_variance\":";
  append_json_floats(body, answer.explained_variance);
  body += ",\"mean\":";
  append_json_floats(body, answer.mean);
  body += ",\"projected\":";
  append_json_vectors(body, answer.projected);
  return finish(std::move(body), answer.compute_time_us);
}

Result<Response> analogy(Services& services, Request& request) {
  AnalogyBody parsed;
  RETURN_IF_ERROR(parse_analogy(request.body(), parsed));
  ASSIGN_OR_RETURN(const auto answer, services.vector_math->analogy(context_of(request), parsed.request));
  Bytes body = "{\"result\":";
  append_json_floats(body, answer.result);
  return finish(std::move(body), answer.compute_time_us);
}

Result<Response> diversity(Services& services, Request& request) {
  DiversityBody parsed;
  RETURN_IF_ERROR(parse_diversity(request.body(), parsed));
  parsed.request.collection = request.param("collection");
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(const auto answer,
                   services.vector_math->diversity(context_of(request), parsed.request, stop.flag()));
  Bytes body = "{\"results\":";
  append_items(body, answer.results, [&](const auto& choice) {
    body += fmt::format(R"({{"id":{},"relevance_score":)", choice.id);
    append_json_float(body, choice.relevance_score);
    body += ",\"mmr_score\":";
    append_json_float(body, choice.mmr_score);
    body.push_back('}');
  });
  return finish(std::move(body), answer.compute_time_us);
}

#define STRATA_FLOAT R"({"type":"number","format":"float"})"
#define STRATA_FLOAT_ROWS R"({"type":"array","items":)" STRATA_VECTOR_FLOATS "}"
#define STRATA_ID R"("id":{"type":"integer","format":"int64"})"
#define STRATA_TIME R"(,"compute_time_us":{"type":"integer"}}})"
#define STRATA_METRIC \
  R"("metric":{"type":"string","enum":["cosine","euclidean","dot_product","manhattan"],"default":"euclidean"})"

constexpr int64_t math_timeout_ms = 600'000;

// What all of them have in common.
constexpr Route math_route(std::string_view path, std::string_view operation, std::string_view summary,
                           std::string_view request_schema, std::string_view response_schema, Handler handler) {
  return {.method = Method::post,
          .path = path,
          .operation = operation,
          .permission = Permission::read,
          .coded_errors = true,
          .body = BodyKind::json,
          .body_limit_bytes = vector_body_limit_bytes,
          .timeout_ms = math_timeout_ms,
          .tag = "Vector mathematics",
          .summary = summary,
          .request_schema = request_schema,
          .response_schema = response_schema,
          .error_statuses = "[404,429]",
          .handler = handler};
}

constexpr Route rows[] = {
    math_route(
        "/api/v1/collections/{collection}/math/ghosts", "detectGhosts", "Vectors far from every centroid",
        R"({"type":"object","properties":{"threshold":{"type":"number","default":0},"centroids":)" STRATA_FLOAT_ROWS
        R"(,"auto_k":{"type":"integer","default":8},)" STRATA_METRIC "}}",
        R"({"type":"object","properties":{"ghosts":{"type":"array","items":{"type":"object","properties":{)" STRATA_ID
        R"(,"isolation_score":)" STRATA_FLOAT "}}}" STRATA_TIME,
        on_collection<ghosts>),
    math_route(
        "/api/v1/collections/{collection}/math/cone", "coneSearch", "Vectors within an angle of a direction",
        R"({"type":"object","required":["direction","aperture_radians"],"properties":{"direction":)" STRATA_VECTOR_FLOATS
        R"(,"aperture_radians":{"type":"number","minimum":0}}})",
        R"({"type":"object","properties":{"results":{"type":"array","items":{"type":"object","properties":{)" STRATA_ID
        R"(,"cosine_similarity":)" STRATA_FLOAT R"(,"angle_radians":)" STRATA_FLOAT "}}}" STRATA_TIME,
        on_collection<cone>),
    math_route(
        "/api/v1/collections/{collection}/math/centroid", "computeCentroid", "The mean of vectors",
        R"({"type":"object","properties":{"vector_ids":)" STRATA_VECTOR_IDS R"(,"weights":)" STRATA_VECTOR_FLOATS "}}",
        R"({"type":"object","properties":{"centroid":)" STRATA_VECTOR_FLOATS STRATA_TIME, on_collection<centroid>),
    math_route("/api/v1/math/interpolate", "interpolate", "Between two vectors, along a line or an arc",
               R"({"type":"object","required":["a","b"],"properties":{"a":)" STRATA_VECTOR_FLOATS
               R"(,"b":)" STRATA_VECTOR_FLOATS R"(,"t":{"type":"number","minimum":0,"maximum":1,"default":0},"method":)"
               R"({"type":"string","enum":["lerp","slerp"],"default":"lerp"},"sequence_count":{"type":"integer",)"
               R"("minimum":0,"maximum":10000,"default":0}}})",
               R"({"type":"object","properties":{"results":)" STRATA_FLOAT_ROWS STRATA_TIME, interpolate),
    math_route(
        "/api/v1/collections/{collection}/math/drift", "detectDrift", "How two sets of vectors differ",
        R"({"type":"object","required":["window1_ids","window2_ids"],"properties":{"window1_ids":)" STRATA_VECTOR_IDS
        R"(,"window2_ids":)" STRATA_VECTOR_IDS "," STRATA_METRIC R"(,"threshold":{"type":"number"}}})",
        R"({"type":"object","properties":{"centroid_shift":)" STRATA_FLOAT R"(,"mean_distance_window1":)" STRATA_FLOAT
        R"(,"mean_distance_window2":)" STRATA_FLOAT R"(,"spread_change":)" STRATA_FLOAT
        R"(,"has_drifted":{"type":"boolean"})" STRATA_TIME,
        on_collection<drift>),
    math_route(
        "/api/v1/collections/{collection}/math/cluster", "clusterVectors", "Clusters by k-means",
        R"({"type":"object","required":["k"],"properties":{"k":{"type":"integer","minimum":1},)"
        R"("max_iterations":{"type":"integer","default":100},"tolerance":{"type":"number","default":0.0001},)" STRATA_METRIC
        "}}",
        R"({"type":"object","properties":{"centroids":)" STRATA_FLOAT_ROWS
        R"(,"assignments":{"type":"array","items":{"type":"object","properties":{)" STRATA_ID
        R"(,"cluster":{"type":"integer"},"distance_to_centroid":)" STRATA_FLOAT
        R"(}}},"iterations":{"type":"integer"},"converged":{"type":"boolean"})" STRATA_TIME,
        on_collection<cluster>),
    math_route("/api/v1/collections/{collection}/math/pca", "reduceDimensions", "Principal components",
               R"({"type":"object","properties":{"n_components":{"type":"integer","minimum":1,"default":2},)"
               R"("vector_ids":)" STRATA_VECTOR_IDS "}}",
               R"({"type":"object","properties":{"components":)" STRATA_FLOAT_ROWS
               R"(,"explained_variance":)" STRATA_VECTOR_FLOATS R"(,"mean":)" STRATA_VECTOR_FLOATS
               R"(,"projected":)" STRATA_FLOAT_ROWS STRATA_TIME,
               on_collection<pca>),
    math_route(
        "/api/v1/math/analogy", "computeAnalogy", "b - a + c, or a weighted sum",
        R"({"type":"object","properties":{"a":)" STRATA_VECTOR_FLOATS R"(,"b":)" STRATA_VECTOR_FLOATS
        R"(,"c":)" STRATA_VECTOR_FLOATS R"(,"normalize":{"type":"boolean","default":false},"terms":)"
        R"({"type":"array","items":{"type":"object","required":["vector","weight"],"properties":{"vector":)" STRATA_VECTOR_FLOATS
        R"(,"weight":)" STRATA_FLOAT "}}}}}",
        R"({"type":"object","properties":{"result":)" STRATA_VECTOR_FLOATS STRATA_TIME, analogy),
    math_route(
        "/api/v1/collections/{collection}/math/diversity", "sampleDiversity", "A relevant and diverse selection (MMR)",
        R"({"type":"object","required":["query","k","lambda"],"properties":{"query":)" STRATA_VECTOR_FLOATS
        R"(,"k":{"type":"integer","minimum":0},"lambda":{"type":"number","minimum":0,"maximum":1},)"
        R"("candidate_ids":)" STRATA_VECTOR_IDS "}}",
        R"({"type":"object","properties":{"results":{"type":"array","items":{"type":"object","properties":{)" STRATA_ID
        R"(,"relevance_score":)" STRATA_FLOAT R"(,"mmr_score":)" STRATA_FLOAT "}}}" STRATA_TIME,
        on_collection<diversity>),
};

}  // namespace

std::span<const Route> vector_math_routes() { return rows; }

}  // namespace strata::rest
