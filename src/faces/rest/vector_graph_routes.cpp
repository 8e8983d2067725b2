#include "faces/rest/vector_graph_routes.h"

#include <fmt/format.h>

#include <cmath>

#include "faces/rest/stop_on_cancellation.h"
#include "faces/rest/vector_handler.h"
#include "faces/rest/vector_json.h"
#include "service/vector_graph.h"

namespace strata::rest {
namespace {

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

Result<float> threshold_of(const Request& request) {
  const auto text = request.query("threshold");
  if (!text || text->empty()) return 0.0f;
  const auto threshold = parse_number<float>(*text);
  if (!threshold || !std::isfinite(*threshold)) return invalid("threshold must be a finite number");
  return *threshold;
}

Result<Response> get_related(Services& services, Request& request) {
  service::RelatedRequest asked{.collection = request.param("collection")};
  ASSIGN_OR_RETURN(asked.id, vector_id_of(request));
  ASSIGN_OR_RETURN(asked.threshold, threshold_of(request));
  if (const auto text = request.query("max_results"); text && !text->empty()) {
    const auto count = parse_number<uint32_t>(*text);
    if (!count) return invalid("max_results must be an integer from 0 to 4294967295");
    asked.max_results = *count;
  }
  ASSIGN_OR_RETURN(const auto edges, services.vector_graph->related(context_of(request), asked));
  Bytes body = "{\"edges\":[";
  for (size_t i = 0; i < edges.size(); ++i) {
    if (i > 0) body.push_back(',');
    body += fmt::format(R"({{"target_id":{},"similarity":)", edges[i].id);
    append_json_float(body, edges[i].similarity);
    body.push_back('}');
  }
  body += "]}";
  return Response::json(std::move(body));
}

Result<Response> traverse(Services& services, Request& request) {
  service::TraverseRequest asked{.collection = request.param("collection")};
  RETURN_IF_ERROR(read_vector_json(request.body(), {"start_id"}, [&](std::string_view name, VectorJsonValue value) {
    if (name == "start_id") return store(asked.start_id, read_json_u64(value, name));
    if (name == "depth") return store(asked.depth, read_json_u32(value, name));
    if (name == "threshold") return store(asked.threshold, read_json_float(value, name));
    if (name == "max_results") return store(asked.max_results, read_json_u32(value, name));
    return Result<void>();
  }));
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(const auto nodes, services.vector_graph->traverse(context_of(request), asked, stop.flag()));
  Bytes body = "{\"nodes\":[";
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (i > 0) body.push_back(',');
    body += fmt::format(R"({{"id":{},"depth":{},"path_similarity":)", nodes[i].id, nodes[i].depth);
    append_json_float(body, nodes[i].path_similarity);
    body += fmt::format(R"(,"path":[{}]}})", fmt::join(nodes[i].path, ","));
  }
  body += "]}";
  return Response::json(std::move(body));
}

Result<Response> set_threshold(Services& services, Request& request) {
  uint64_t id = 0;
  float threshold = 0;
  RETURN_IF_ERROR(read_vector_json(request.body(), {"threshold"}, [&](std::string_view name, VectorJsonValue value) {
    if (name == "vector_id") return store(id, read_json_u64(value, name));
    if (name == "threshold") return store(threshold, read_json_float(value, name));
    return Result<void>();
  }));
  RETURN_IF_ERROR(services.vectors->set_threshold(context_of(request), request.param("collection"), id, threshold));
  return vector_success();
}

constexpr Route rows[] = {
    {.method = Method::get,
     .path = "/api/v1/collections/{collection}/graph/related/{id}",
     .operation = "getRelated",
     .permission = Permission::read,
     .coded_errors = true,
     .tag = "Vectors",
     .summary = "The vectors that are similar enough to one",
     .parameters = R"([{"name":"threshold","in":"query","schema":{"type":"number"}},)"
                   R"({"name":"max_results","in":"query","schema":{"type":"integer","minimum":0}}])",
     .response_schema = R"({"type":"object","properties":{"edges":{"type":"array","items":{"type":"object",)"
                        R"("properties":{"target_id":{"type":"integer","format":"int64"},)"
                        R"("similarity":{"type":"number"}}}}}})",
     .error_statuses = "[404]",
     .handler = on_collection<get_related>},
    {.method = Method::post,
     .path = "/api/v1/collections/{collection}/graph/traverse",
     .operation = "traverseGraph",
     .permission = Permission::read,
     .coded_errors = true,
     .body = BodyKind::json,
     .tag = "Vectors",
     .summary = "What is reached from a vector in some steps",
     .request_schema =
         R"({"type":"object","required":["start_id"],"properties":{"start_id":{"type":"integer","format":"int64"},)"
         R"("depth":{"type":"integer","minimum":0,"default":2},"threshold":{"type":"number"},)"
         R"("max_results":{"type":"integer","minimum":0}}})",
     .response_schema = R"({"type":"object","properties":{"nodes":{"type":"array","items":{"type":"object",)"
                        R"("properties":{"id":{"type":"integer","format":"int64"},"depth":{"type":"integer"},)"
                        R"("path_similarity":{"type":"number"},"path":)" STRATA_VECTOR_IDS "}}}}}",
     .error_statuses = "[404]",
     .handler = on_collection<traverse>},
    {.method = Method::post,
     .path = "/api/v1/collections/{collection}/graph/threshold",
     .operation = "setThreshold",
     .permission = Permission::write,
     .coded_errors = true,
     .body = BodyKind::json,
     .tag = "Vectors",
     .summary = "The similarity that makes an edge, of a collection or of one vector",
     .request_schema = R"({"type":"object","required":["threshold"],"properties":{"vector_id":{"type":"integer",)"
                       R"("format":"int64","minimum":0,"default":0},"threshold":{"type":"number"}}})",
     .response_schema = STRATA_VECTOR_SUCCESS,
     .error_statuses = "[404]",
     .handler = on_collection<set_threshold>},
};

}  // namespace

std::span<const Route> vector_graph_routes() { return rows; }

}  // namespace strata::rest
