#include "faces/rest/vector_search_routes.h"

#include <fmt/format.h>

#include "faces/rest/stop_on_cancellation.h"
#include "faces/rest/vector_body.h"
#include "faces/rest/vector_handler.h"
#include "faces/rest/vector_json.h"

namespace strata::rest {
namespace {

void append_edges(Bytes& body, std::span<const service::RelatedVector> edges) {
  body.push_back('[');
  for (size_t i = 0; i < edges.size(); ++i) {
    if (i > 0) body.push_back(',');
    body += fmt::format(R"({{"target_id":{},"similarity":)", edges[i].id);
    append_json_float(body, edges[i].similarity);
    body.push_back('}');
  }
  body.push_back(']');
}

void append_search(Bytes& body, const service::VectorSearchAnswer& answer, const service::VectorSearchRequest& asked) {
  body += "{\"results\":[";
  for (size_t i = 0; i < answer.results.size(); ++i) {
    const service::ScoredVector& result = answer.results[i];
    if (i > 0) body.push_back(',');
    body += fmt::format(R"({{"id":{},"score":)", result.id);
    append_json_float(body, result.score);
    if (asked.include_metadata) {
      body += ",\"metadata\":";
      append_json_metadata(body, result.metadata);
    }
    if (asked.include_graph) {
      body += ",\"graph_edges\":";
      append_edges(body, result.edges);
    }
    body.push_back('}');
  }
  body += fmt::format(R"(],"search_time_us":{})", answer.search_time_us);
  if (!answer.warning.empty()) {
    body += ",\"warning\":";
    append_json_string(body, answer.warning);
  }
  body.push_back('}');
}

Result<Response> search(Services& services, Request& request) {
  ASSIGN_OR_RETURN(SearchBody parsed, parse_search(request.body()));
  parsed.collection = request.param("collection");
  const service::VectorSearchRequest asked = parsed.request();
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(const auto answer, services.vectors->search(context_of(request), asked, stop.flag()));
  Bytes body;
  append_search(body, answer, asked);
  return Response::json(std::move(body));
}

Result<Response> search_batch(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto queries, parse_batch_search(request.body()));
  std::vector<service::VectorSearchRequest> asked;
  asked.reserve(queries.size());
  for (const SearchBody& query : queries) asked.push_back(query.request());
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(const auto answer, services.vectors->search_batch(context_of(request), asked, stop.flag()));
  Bytes body = "{\"results\":[";
  for (size_t i = 0; i < answer.results.size(); ++i) {
    if (i > 0) body.push_back(',');
    append_search(body, answer.results[i], asked[i]);
  }
  body += fmt::format(R"(],"total_time_us":{}}})", answer.total_time_us);
  return Response::json(std::move(body));
}

#define STRATA_SEARCH_FIELDS                                                                                          \
  R"("query":)" STRATA_VECTOR_FLOATS R"(,"k":{"type":"integer","minimum":0},"filter":{"type":"object",)"              \
  R"("description":"docs/vectors.md"},"strategy":{"type":"string","enum":["auto","pre_filter","post_filter"],)"       \
  R"("default":"auto"},"include_metadata":{"type":"boolean"},"include_graph":{"type":"boolean"},)"                    \
  R"("graph_threshold":{"type":"number","default":0},"max_graph_edges":{"type":"integer","minimum":0,"default":10},)" \
  R"("ef_search":{"type":"integer","minimum":0,"maximum":10000})"
#define STRATA_SEARCH_ANSWER                                                                                 \
  R"({"type":"object","properties":{"results":{"type":"array","items":{"type":"object","properties":{"id":)" \
  R"({"type":"integer","format":"int64"},"score":{"type":"number"},"metadata":)" STRATA_VECTOR_METADATA      \
  R"(,"graph_edges":{"type":"array","items":{"type":"object","properties":{"target_id":{"type":"integer",)"  \
  R"("format":"int64"},"similarity":{"type":"number"}}}}}}},"search_time_us":{"type":"integer"},"warning":)" \
  R"({"type":"string"}}})"

constexpr Route rows[] = {
    {.method = Method::post,
     .path = "/api/v1/collections/{collection}/search",
     .operation = "searchCollection",
     .permission = Permission::read,
     .coded_errors = true,
     .body = BodyKind::json,
     .body_limit_bytes = vector_body_limit_bytes,
     .tag = "Vectors",
     .summary = "The nearest vectors, of all or of those that match a filter",
     .request_schema = R"({"type":"object","required":["query","k"],"properties":{)" STRATA_SEARCH_FIELDS "}}",
     .response_schema = STRATA_SEARCH_ANSWER,
     .error_statuses = "[404]",
     .handler = on_collection<search>},
    {.method = Method::post,
     .path = "/api/v1/search/batch",
     .operation = "searchBatch",
     .permission = Permission::read,
     .coded_errors = true,
     .body = BodyKind::json,
     .body_limit_bytes = vector_body_limit_bytes,
     .tag = "Vectors",
     .summary = "Several searches at once",
     .request_schema =
         R"({"type":"object","required":["queries"],"properties":{"queries":{"type":"array","maxItems":1000,"items":)"
         R"({"type":"object","required":["collection","query","k"],"properties":{"collection":{"type":"string"},)" STRATA_SEARCH_FIELDS
         "}}}}}",
     .response_schema = R"({"type":"object","properties":{"results":{"type":"array","items":)" STRATA_SEARCH_ANSWER
                        R"(},"total_time_us":{"type":"integer"}}})",
     .error_statuses = "[404]",
     .handler = search_batch},
};

}  // namespace

std::span<const Route> vector_search_routes() { return rows; }

}  // namespace strata::rest
