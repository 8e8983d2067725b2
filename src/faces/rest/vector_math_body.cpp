#include "faces/rest/vector_math_body.h"

#include <fmt/format.h>

#include "faces/rest/vector_json.h"

namespace strata::rest {
namespace {

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

}  // namespace

Result<void> parse_ghosts(BytesView text, GhostsBody& body) {
  service::GhostsRequest& request = body.request;
  RETURN_IF_ERROR(read_vector_json(text, {}, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
    if (name == "threshold") return store(request.threshold, read_json_float(value, name));
    if (name == "centroids") return store(body.centroids, read_json_vectors(value, name));
    if (name == "auto_k") return store(request.auto_k, read_json_u32(value, name));
    if (name == "metric") return store(body.metric, read_json_string(value, name));
    return {};
  }));
  request.centroids.assign(body.centroids.begin(), body.centroids.end());
  request.metric = body.metric;
  return {};
}

Result<void> parse_cone(BytesView text, ConeBody& body) {
  RETURN_IF_ERROR(
      read_vector_json(text, {"direction", "aperture_radians"}, [&](std::string_view name, VectorJsonValue value) {
        if (name == "direction") return store(body.direction, read_json_vector(value, name));
        if (name == "aperture_radians") return store(body.request.aperture_radians, read_json_float(value, name));
        return Result<void>();
      }));
  body.request.direction = body.direction;
  return {};
}

Result<void> parse_centroid(BytesView text, CentroidBody& body) {
  RETURN_IF_ERROR(read_vector_json(text, {}, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
    if (name == "vector_ids") return store(body.ids, read_json_ids(value, name));
    if (name == "weights") return store(body.weights, read_json_vector(value, name));
    return {};
  }));
  body.request.ids = body.ids;
  body.request.weights = body.weights;
  return {};
}

Result<void> parse_interpolate(BytesView text, InterpolateBody& body) {
  service::InterpolateRequest& request = body.request;
  RETURN_IF_ERROR(read_vector_json(text, {"a", "b"}, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
    if (name == "a") return store(body.a, read_json_vector(value, name));
    if (name == "b") return store(body.b, read_json_vector(value, name));
    if (name == "t") return store(request.t, read_json_float(value, name));
    if (name == "method") return store(body.method, read_json_string(value, name));
    if (name == "sequence_count") return store(request.sequence_count, read_json_u32(value, name));
    return {};
  }));
  request.a = body.a;
  request.b = body.b;
  request.method = body.method;
  return {};
}

Result<void> parse_drift(BytesView text, DriftBody& body) {
  service::DriftRequest& request = body.request;
  RETURN_IF_ERROR(read_vector_json(text, {"window1_ids", "window2_ids"},
                                   [&](std::string_view name, VectorJsonValue value) -> Result<void> {
                                     if (name == "window1_ids") return store(body.window1, read_json_ids(value, name));
                                     if (name == "window2_ids") return store(body.window2, read_json_ids(value, name));
                                     if (name == "metric") return store(body.metric, read_json_string(value, name));
                                     if (name == "threshold")
                                       return store(request.threshold, read_json_float(value, name));
                                     return {};
                                   }));
  request.window1_ids = body.window1;
  request.window2_ids = body.window2;
  request.metric = body.metric;
  return {};
}

Result<void> parse_cluster(BytesView text, ClusterBody& body) {
  service::ClusterRequest& request = body.request;
  RETURN_IF_ERROR(read_vector_json(text, {"k"}, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
    if (name == "k") return store(request.k, read_json_u32(value, name));
    if (name == "max_iterations") return store(request.max_iterations, read_json_u32(value, name));
    if (name == "tolerance") return store(request.tolerance, read_json_float(value, name));
    if (name == "metric") return store(body.metric, read_json_string(value, name));
    return {};
  }));
  request.metric = body.metric;
  return {};
}

Result<void> parse_pca(BytesView text, PcaBody& body) {
  RETURN_IF_ERROR(read_vector_json(text, {}, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
    if (name == "n_components") return store(body.request.n_components, read_json_u32(value, name));
    if (name == "vector_ids") return store(body.ids, read_json_ids(value, name));
    return {};
  }));
  body.request.ids = body.ids;
  return {};
}

Result<void> parse_analogy(BytesView text, AnalogyBody& body) {
  service::AnalogyRequest& request = body.request;
  const auto term = [&](size_t index, VectorJsonValue item) -> Result<void> {
    if (index == service::max_arithmetic_terms) {
      return invalid(fmt::format("terms has more than {} of them", service::max_arithmetic_terms));
    }
    std::vector<float>& values = body.vectors.emplace_back();
    auto& made = request.terms.emplace_back();
    bool has_weight = false;
    RETURN_IF_ERROR(read_json_fields(item, "each of terms", {}, [&](std::string_view name, VectorJsonValue value) {
      if (name == "vector") return store(values, read_json_vector(value, fmt::format("terms[{}].vector", index)));
      if (name != "weight") return Result<void>();
      has_weight = true;
      return store(made.weight, read_json_float(value, fmt::format("terms[{}].weight", index)));
    }));
    if (!has_weight) return invalid(fmt::format("terms[{}].weight is required", index));
    return {};
  };
  RETURN_IF_ERROR(read_vector_json(text, {}, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
    if (name == "a") return store(body.a, read_json_vector(value, name));
    if (name == "b") return store(body.b, read_json_vector(value, name));
    if (name == "c") return store(body.c, read_json_vector(value, name));
    if (name == "normalize") return store(request.normalize, read_json_bool(value, name));
    if (name != "terms") return {};
    request.terms.clear();
    body.vectors.clear();
    return read_json_items(value, name, term);
  }));
  request.a = body.a;
  request.b = body.b;
  request.c = body.c;
  for (size_t i = 0; i < request.terms.size(); ++i) request.terms[i].vector = body.vectors[i];
  return {};
}

Result<void> parse_diversity(BytesView text, DiversityBody& body) {
  service::DiversityRequest& request = body.request;
  RETURN_IF_ERROR(read_vector_json(text, {"query", "k", "lambda"},
                                   [&](std::string_view name, VectorJsonValue value) -> Result<void> {
                                     if (name == "query") return store(body.query, read_json_vector(value, name));
                                     if (name == "k") return store(request.k, read_json_u32(value, name));
                                     if (name == "lambda") return store(request.lambda, read_json_float(value, name));
                                     if (name == "candidate_ids")
                                       return store(body.candidates, read_json_ids(value, name));
                                     return {};
                                   }));
  request.query = body.query;
  request.candidate_ids = body.candidates;
  return {};
}

}  // namespace strata::rest
