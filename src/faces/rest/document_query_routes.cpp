#include "faces/rest/document_query_routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "faces/rest/document_query_body.h"
#include "faces/rest/table_handler.h"

namespace strata::rest {
namespace {

// JSON has no infinities; a sum may become one.
std::string number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "null"; }

void append_hits(Bytes& body, const service::QueryAnswer& answer) {
  // Of each hit its names and numbers are about 60 bytes; what an escape adds, growing adds.
  size_t bytes = 300;
  for (const service::QueryHit& hit : answer.result.hits) bytes += hit.key.size() + hit.source.size() + 64;
  body.reserve(body.size() + bytes);
  body += "{\"hits\":[";
  const char* separator = "";
  for (const service::QueryHit& hit : answer.result.hits) {
    body += separator;
    separator = ",";
    body += "{\"_id\":";
    append_json_string(body, hit.key);
    body += fmt::format(",\"_score\":{},\"_source\":", number(hit.score));
    body += hit.source;
    body += "}";
  }
  body += fmt::format("],\"total\":{},\"max_score\":{}}}", answer.result.total, number(answer.result.max_score));
}

void append_stats(Bytes& body, const service::AggregationResult& result) {
  const auto count = static_cast<double>(result.count);
  const double average = result.count == 0 ? 0 : result.sum / count;
  const double variance = result.count == 0 ? 0 : std::max(0.0, result.sum_of_squares / count - average * average);
  body += fmt::format(R"("count":{},"min":{},"max":{},"sum":{},"avg":{},"sum_squares":{},"variance":{},"std_dev":{})",
                      result.count, result.count == 0 ? "null" : number(result.min),
                      result.count == 0 ? "null" : number(result.max), number(result.sum),
                      result.count == 0 ? "null" : number(average), number(result.sum_of_squares), number(variance),
                      number(std::sqrt(variance)));
}

void append_aggregation(Bytes& body, service::AggregationType type, const service::AggregationResult& result) {
  using service::AggregationType;
  const auto value = [&](const std::string& text) { body += fmt::format("\"value\":{}", text); };
  const bool none = result.count == 0;
  body += "{";
  switch (type) {
    case AggregationType::terms:
      body += "\"buckets\":[";
      for (size_t i = 0; i < result.buckets.size(); ++i) {
        body += fmt::format(R"({}{{"key":{},"doc_count":{}}})", i > 0 ? "," : "", result.buckets[i].key,
                            result.buckets[i].documents);
      }
      body += fmt::format("],\"sum_other_doc_count\":{}", result.others);
      break;
    case AggregationType::stats:
      append_stats(body, result);
      break;
    case AggregationType::count:
      value(fmt::format("{}", result.count));
      break;
    case AggregationType::min:
      value(none ? "null" : number(result.min));
      break;
    case AggregationType::max:
      value(none ? "null" : number(result.max));
      break;
    case AggregationType::sum:
      value(number(result.sum));
      break;
    case AggregationType::average:
      value(none ? "null" : number(result.sum / static_cast<double>(result.count)));
      break;
    case AggregationType::cardinality:
      value(fmt::format("{}", result.distinct));
      break;
  }
  body += "}";
}

Result<Response> query_table(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const QueryBody parsed, parse_query(request.param("tableName"), request.body()));
  ASSIGN_OR_RETURN(const auto answer, services.document_queries->query(context_of(request), parsed.request));
  Bytes body = "{\"responses\":[{\"hits\":";
  append_hits(body, answer);
  if (!answer.aggregations.empty()) {
    body += ",\"aggregations\":{";
    for (size_t i = 0; i < answer.aggregations.size(); ++i) {
      if (i > 0) body += ",";
      append_json_string(body, answer.aggregations[i].name);
      body += ":";
      append_aggregation(body, answer.aggregations[i].type, answer.result.aggregations[i]);
    }
    body += "}";
  }
  body += ",\"next_cursor\":";
  body += answer.next_cursor ? "\"" + *answer.next_cursor + "\"" : "null";
  if (parsed.explain) {
    body += ",\"plan\":{\"indexes\":[";
    for (size_t i = 0; i < answer.indexes.size(); ++i) {
      if (i > 0) body += ",";
      append_json_string(body, answer.indexes[i]);
    }
    body += fmt::format("],\"documents_examined\":{}}}", answer.examined);
  }
  // Nanoseconds, as clients of such servers read it.
  body += fmt::format(",\"took\":{},\"status\":200,\"table\":", answer.took_us * 1'000);
  append_json_string(body, request.param("tableName"));
  body += "}]}";
  return Response::json(std::move(body));
}

void append_index(Bytes& body, const service::IndexStatus& status) {
  body += "{\"name\":";
  append_json_string(body, status.name);
  body += ",\"field\":";
  append_json_string(body, status.field);
  body += fmt::format(",\"type\":\"{}\"", status.type);
  if (!status.analyzer.empty()) body += fmt::format(",\"analyzer\":\"{}\"", status.analyzer);
  body += fmt::format(R"(,"state":"{}","documents_indexed":{})", status.ready ? "ready" : "building", status.documents);
  if (!status.error.empty()) {
    body += ",\"error\":";
    append_json_string(body, status.error);
  }
  body += "}";
}

Result<Response> create_index(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const IndexBody parsed, parse_index(request.param("tableName"), request.body()));
  ASSIGN_OR_RETURN(const auto made, services.document_indexes->make(context_of(request), parsed.request));
  Bytes body;
  append_index(body, made);
  return Response::json(std::move(body), 201);
}

Result<Response> list_indexes(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto all, services.document_indexes->list(context_of(request), request.param("tableName")));
  Bytes body = "[";
  for (const auto& status : all) {
    if (body.size() > 1) body += ",";
    append_index(body, status);
  }
  body += "]";
  return Response::json(std::move(body));
}

Result<Response> get_index(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto found, services.document_indexes->get(context_of(request), request.param("tableName"),
                                                                    request.param("indexName")));
  Bytes body;
  append_index(body, found);
  return Response::json(std::move(body));
}

Result<Response> drop_index(Services& services, Request& request) {
  RETURN_IF_ERROR(
      services.document_indexes->drop(context_of(request), request.param("tableName"), request.param("indexName")));
  Response response;
  response.status = 204;
  response.content_type = {};
  return response;
}

#define STRATA_INDEX_SCHEMA                                                                \
  R"({"type":"object","properties":{"name":{"type":"string"},"field":{"type":"string"},)"  \
  R"("type":{"type":"string","enum":["string","number","bool","date","fulltext"]},)"       \
  R"("analyzer":{"type":"string"},"state":{"type":"string","enum":["building","ready"]},)" \
  R"("documents_indexed":{"type":"integer"},"error":{"type":"string"}}})"
#define STRATA_FILTER R"({"type":"object","description":"docs/documents-query.md"})"

constexpr Route rows[] = {
    {.method = Method::post,
     .path = "/api/v1/tables/{tableName}/query",
     .also_at = "/db/v1/tables/{tableName}/query",
     .operation = "queryTable",
     .permission = Permission::read,
     .body = BodyKind::json,
     .tag = "Documents",
     .summary = "Documents that match, ordered, counted and summed up",
     .request_schema = R"({"type":"object","properties":{"full_text_search":)" STRATA_FILTER
                       R"(,"filter_query":)" STRATA_FILTER R"(,"exclusion_query":)" STRATA_FILTER
                       R"(,"filter_prefix":{"type":"string"},"fields":{"type":"array","items":{"type":"string"}},)"
                       R"("order_by":{"type":"object","additionalProperties":{"type":"boolean"}},)"
                       R"("limit":{"type":"integer","minimum":0,"maximum":10000,"default":10},)"
                       R"("offset":{"type":"integer","minimum":0,"maximum":10000},"cursor":{"type":"string"},)"
                       R"("count":{"type":"boolean"},"aggregations":{"type":"object","additionalProperties":)"
                       R"({"type":"object","required":["type","field"],"properties":{"type":{"type":"string","enum":)"
                       R"(["terms","stats","count","min","max","sum","avg","cardinality"]},"field":{"type":"string"},)"
                       R"("size":{"type":"integer","minimum":1,"maximum":10000}}}},"explain":{"type":"boolean"}}})",
     .response_schema = R"({"type":"object","properties":{"responses":{"type":"array","items":{"type":"object",)"
                        R"("properties":{"hits":{"type":"object","properties":{"hits":{"type":"array","items":)"
                        R"({"type":"object","properties":{"_id":{"type":"string"},"_score":{"type":"number"},)"
                        R"("_source":{"type":"object"}}}},"total":{"type":"integer"},"max_score":{"type":"number"}}},)"
                        R"("aggregations":{"type":"object"},"next_cursor":{"type":"string","nullable":true},)"
                        R"("plan":{"type":"object","properties":{"indexes":{"type":"array","items":)"
                        R"({"type":"string"}},"documents_examined":{"type":"integer"}}},"took":{"type":"integer"},)"
                        R"("status":{"type":"integer"},"table":{"type":"string"}}}}}})",
     .error_statuses = "[404]",
     .handler = on_table<query_table>},
    {.method = Method::get,
     .path = "/api/v1/tables/{tableName}/indexes",
     .also_at = "/db/v1/tables/{tableName}/indexes",
     .operation = "listIndexes",
     .permission = Permission::read,
     .tag = "Documents",
     .summary = "The indexes of a table",
     .response_schema = R"({"type":"array","items":)" STRATA_INDEX_SCHEMA "}",
     .error_statuses = "[404]",
     .handler = list_indexes},
    {.method = Method::post,
     .path = "/api/v1/tables/{tableName}/indexes",
     .also_at = "/db/v1/tables/{tableName}/indexes",
     .operation = "createIndex",
     .permission = Permission::admin,
     .body = BodyKind::json,
     .tag = "Documents",
     .summary = "Make an index; it is built in the background",
     .request_schema = R"({"type":"object","required":["name","field","type"],"properties":{"name":{"type":"string",)"
                       R"("maxLength":128},"field":{"type":"string"},"type":{"type":"string","enum":["string",)"
                       R"("number","bool","date","fulltext"]},"analyzer":{"type":"string","default":"english"}}})",
     .response_schema = STRATA_INDEX_SCHEMA,
     .success_status = 201,
     .error_statuses = "[404]",
     .handler = on_table<create_index>},
    {.method = Method::get,
     .path = "/api/v1/tables/{tableName}/indexes/{indexName}",
     .also_at = "/db/v1/tables/{tableName}/indexes/{indexName}",
     .operation = "getIndex",
     .permission = Permission::read,
     .tag = "Documents",
     .summary = "An index and how far its build is",
     .response_schema = STRATA_INDEX_SCHEMA,
     .error_statuses = "[404]",
     .handler = get_index},
    {.method = Method::delete_,
     .path = "/api/v1/tables/{tableName}/indexes/{indexName}",
     .also_at = "/db/v1/tables/{tableName}/indexes/{indexName}",
     .operation = "dropIndex",
     .permission = Permission::admin,
     .tag = "Documents",
     .summary = "Drop an index",
     .success_status = 204,
     .error_statuses = "[404]",
     .handler = drop_index},
};

}  // namespace

std::span<const Route> document_query_routes() { return rows; }

}  // namespace strata::rest
