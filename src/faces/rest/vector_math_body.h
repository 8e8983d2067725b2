// Bodies of the mathematics routes: from JSON to requests.
//
// Purpose:       fields, their types and their defaults; what they hold is the service's to check.
// Ownership:     a body owns what its request() views.
// Thread safety: pure functions.
// Errors:        invalid_argument that names the field.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "service/vector_math.h"

namespace strata::rest {

struct GhostsBody {
  std::vector<std::vector<float>> centroids;
  std::string metric;
  service::GhostsRequest request;
};
// Into `body`, since requests view it. So do the others.
Result<void> parse_ghosts(BytesView text, GhostsBody& body);

struct ConeBody {
  std::vector<float> direction;
  service::ConeRequest request;
};
Result<void> parse_cone(BytesView text, ConeBody& body);

struct CentroidBody {
  std::vector<uint64_t> ids;
  std::vector<float> weights;
  service::CentroidRequest request;
};
Result<void> parse_centroid(BytesView text, CentroidBody& body);

struct InterpolateBody {
  std::vector<float> a;
  std::vector<float> b;
  std::string method;
  service::InterpolateRequest request;
};
Result<void> parse_interpolate(BytesView text, InterpolateBody& body);

struct DriftBody {
  std::vector<uint64_t> window1;
  std::vector<uint64_t> window2;
  std::string metric;
  service::DriftRequest request;
};
Result<void> parse_drift(BytesView text, DriftBody& body);

struct ClusterBody {
  std::string metric;
  service::ClusterRequest request;
};
Result<void> parse_cluster(BytesView text, ClusterBody& body);

struct PcaBody {
  std::vector<uint64_t> ids;
  service::PcaRequest request;
};
Result<void> parse_pca(BytesView text, PcaBody& body);

struct AnalogyBody {
  std::vector<float> a;
  std::vector<float> b;
  std::vector<float> c;
  std::vector<std::vector<float>> vectors;
  service::AnalogyRequest request;
};
Result<void> parse_analogy(BytesView text, AnalogyBody& body);

struct DiversityBody {
  std::vector<float> query;
  std::vector<uint64_t> candidates;
  service::DiversityRequest request;
};
Result<void> parse_diversity(BytesView text, DiversityBody& body);

}  // namespace strata::rest
