#include "faces/rest/vector_collection_routes.h"

#include <fmt/format.h>

#include "faces/rest/vector_body.h"
#include "faces/rest/vector_handler.h"
#include "faces/rest/vector_json.h"

namespace strata::rest {
namespace {

void append_collection(Bytes& body, const service::CollectionInfo& info) {
  body += "{\"name\":";
  append_json_string(body, info.name);
  body += fmt::format(R"(,"dimension":{},"distance_metric":"{}","vector_count":{},"default_threshold":)",
                      info.dimension, info.distance_metric, info.vector_count);
  append_json_float(body, info.default_threshold);
  body += fmt::format(R"(,"status":"{}","indexed_count":{},"quantization_type":"{}"}})", info.status,
                      info.indexed_count, info.quantization_type);
}

Result<Response> create_collection(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const CollectionBody parsed, parse_collection(request.body()));
  ASSIGN_OR_RETURN(const auto made, services.vectors->make_collection(context_of(request), parsed.request()));
  Bytes body = "{\"name\":";
  append_json_string(body, made.name);
  body += ",\"success\":true}";
  return Response::json(std::move(body));
}

Result<Response> list_collections(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto all, services.vectors->collections(context_of(request)));
  Bytes body = "{\"collections\":[";
  for (size_t i = 0; i < all.size(); ++i) {
    if (i > 0) body.push_back(',');
    append_collection(body, all[i]);
  }
  body += "]}";
  return Response::json(std::move(body));
}

Result<Response> get_collection(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto info, services.vectors->collection(context_of(request), request.param("collection")));
  Bytes body;
  append_collection(body, info);
  return Response::json(std::move(body));
}

Result<Response> delete_collection(Services& services, Request& request) {
  RETURN_IF_ERROR(services.vectors->drop_collection(context_of(request), request.param("collection")));
  return vector_success();
}

Result<Response> optimize(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const bool rebuild_graph, parse_optimize(request.body()));
  ASSIGN_OR_RETURN(const auto done,
                   services.vectors->optimize(context_of(request), request.param("collection"), rebuild_graph));
  Bytes body = fmt::format(R"({{"status":"{}","message":)", done.status);
  append_json_string(body, done.message);
  body += fmt::format(R"(,"duration_ms":{},"vectors_processed":{}}})", done.duration_ms, done.vectors_processed);
  return Response::json(std::move(body));
}

Result<Response> snapshot(Services& services, Request& request) {
  RETURN_IF_ERROR(check_object(request.body()));
  ASSIGN_OR_RETURN(const uint64_t lsn, services.vectors->snapshot(context_of(request), request.param("collection")));
  return Response::json(fmt::format(R"({{"last_snapshot_lsn":{}}})", lsn));
}

Result<Response> persistence_status(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto status,
                   services.vectors->persistence_status(context_of(request), request.param("collection")));
  return Response::json(fmt::format(R"({{"last_snapshot_lsn":{},"current_lsn":{},"next_lsn":{}}})",
                                    status.last_snapshot_lsn, status.current_lsn, status.next_lsn));
}

Result<Response> prune_wal(Services& services, Request& request) {
  RETURN_IF_ERROR(check_object(request.body()));
  ASSIGN_OR_RETURN(const auto done, services.vectors->prune_log(context_of(request), request.param("collection")));
  return Response::json(fmt::format(R"({{"status":"{}","files_deleted":{},"bytes_freed":{},"duration_ms":{}}})",
                                    done.status, done.files_deleted, done.bytes_freed, done.duration_ms));
}

Result<Response> compact(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto asked, parse_compact(request.body()));
  ASSIGN_OR_RETURN(const auto done, services.vectors->compact(context_of(request), request.param("collection"), asked));
  return Response::json(fmt::format(
      R"({{"status":"{}","segments_merged":{},"vectors_written":{},"vectors_removed":{},"duration_ms":{}}})",
      done.status, done.segments_merged, done.vectors_written, done.vectors_removed, done.duration_ms));
}

Result<Response> collection_metrics(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto counters, services.vectors->counters(context_of(request), request.param("collection")));
  return Response::json(fmt::format(
      R"({{"map_lock_acquisitions":{},"collection_read_acquisitions":{},"collection_write_acquisitions":{},)"
      R"("total_blocked_microseconds":{}}})",
      counters.map_lock_acquisitions, counters.collection_read_acquisitions, counters.collection_write_acquisitions,
      counters.total_blocked_microseconds));
}

#define STRATA_COLLECTION                                                                                 \
  R"({"type":"object","properties":{"name":{"type":"string"},"dimension":{"type":"integer"},)"            \
  R"("distance_metric":{"type":"string","enum":["cosine","euclidean","dot_product","manhattan"]},)"       \
  R"("vector_count":{"type":"integer"},"default_threshold":{"type":"number"},"status":{"type":"string",)" \
  R"("enum":["ready","pending_optimization","optimizing"]},"indexed_count":{"type":"integer"},)"          \
  R"("quantization_type":{"type":"string","enum":["none","scalar"]}}})"
#define STRATA_COLLECTION_NAME R"("name":{"type":"string","pattern":"^[A-Za-z0-9_-]{1,256}$"})"

constexpr Route rows[] = {
    {.method = Method::get,
     .path = "/api/v1/collections",
     .operation = "listCollections",
     .permission = Permission::read,
     .coded_errors = true,
     .tag = "Vectors",
     .summary = "All collections",
     .response_schema =
         R"({"type":"object","properties":{"collections":{"type":"array","items":)" STRATA_COLLECTION "}}}",
     .handler = list_collections},
    {.method = Method::post,
     .path = "/api/v1/collections",
     .operation = "createCollection",
     .permission = Permission::admin,
     .coded_errors = true,
     .body = BodyKind::json,
     .tag = "Vectors",
     .summary = "Make a collection",
     .request_schema = R"({"type":"object","required":["name","dimension"],"properties":{)" STRATA_COLLECTION_NAME
                       R"(,"dimension":{"type":"integer","minimum":1,"maximum":65536},"distance_metric":)"
                       R"({"type":"string","enum":["cosine","euclidean","dot_product","manhattan"],)"
                       R"("default":"cosine"},"default_threshold":{"type":"number","default":0},)"
                       R"("max_vectors":{"type":"integer","minimum":0,"default":0}}})",
     .response_schema = R"({"type":"object","properties":{"name":{"type":"string"},"success":{"type":"boolean"}}})",
     .error_statuses = "[409]",
     .handler = create_collection},
    {.method = Method::get,
     .path = "/api/v1/collections/{collection}",
     .operation = "getCollection",
     .permission = Permission::read,
     .coded_errors = true,
     .tag = "Vectors",
     .summary = "A collection",
     .response_schema = STRATA_COLLECTION,
     .error_statuses = "[404]",
     .handler = get_collection},
    {.method = Method::delete_,
     .path = "/api/v1/collections/{collection}",
     .operation = "deleteCollection",
     .permission = Permission::admin,
     .coded_errors = true,
     .tag = "Vectors",
     .summary = "Delete a collection and all its vectors",
     .response_schema = STRATA_VECTOR_SUCCESS,
     .error_statuses = "[404]",
     .handler = delete_collection},
    {.method = Method::post,
     .path = "/api/v1/collections/{collection}/optimize",
     .operation = "optimizeCollection",
     .permission = Permission::write,
     .coded_errors = true,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Vectors",
     .summary = "Build what was deferred: index, edges, metadata",
     .request_schema = R"({"type":"object","properties":{"rebuild_graph":{"type":"boolean","default":false}}})",
     .response_schema = R"({"type":"object","properties":{"status":{"type":"string","enum":["completed",)"
                        R"("already_optimized"]},"message":{"type":"string"},"duration_ms":{"type":"integer"},)"
                        R"("vectors_processed":{"type":"integer"}}})",
     .error_statuses = "[404,409]",
     .handler = on_collection<optimize>},
    {.method = Method::post,
     .path = "/api/v1/collections/{collection}/snapshot",
     .operation = "snapshotCollection",
     .permission = Permission::write,
     .coded_errors = true,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Vectors",
     .summary = "Write an image of the index now",
     .response_schema = R"({"type":"object","properties":{"last_snapshot_lsn":{"type":"integer"}}})",
     .error_statuses = "[404]",
     .handler = on_collection<snapshot>},
    {.method = Method::get,
     .path = "/api/v1/collections/{collection}/persistence_status",
     .operation = "getPersistenceStatus",
     .permission = Permission::read,
     .coded_errors = true,
     .tag = "Vectors",
     .summary = "How far writes and images are",
     .response_schema = R"({"type":"object","properties":{"last_snapshot_lsn":{"type":"integer"},)"
                        R"("current_lsn":{"type":"integer"},"next_lsn":{"type":"integer"}}})",
     .error_statuses = "[404]",
     .handler = persistence_status},
    {.method = Method::post,
     .path = "/api/v1/collections/{collection}/prune-wal",
     .operation = "pruneWal",
     .permission = Permission::write,
     .coded_errors = true,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Vectors",
     .summary = "Remove the log up to the last image",
     .response_schema = R"({"type":"object","properties":{"status":{"type":"string"},"files_deleted":)"
                        R"({"type":"integer"},"bytes_freed":{"type":"integer"},"duration_ms":{"type":"integer"}}})",
     .error_statuses = "[404]",
     .handler = on_collection<prune_wal>},
    {.method = Method::post,
     .path = "/api/v1/collections/{collection}/compact",
     .operation = "compactCollection",
     .permission = Permission::write,
     .coded_errors = true,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Vectors",
     .summary = "Merge what is on disk",
     .request_schema = R"({"type":"object","properties":{"min_segments":{"type":"integer","minimum":0,"default":4},)"
                       R"("remove_deleted":{"type":"boolean","default":true}}})",
     .response_schema = R"({"type":"object","properties":{"status":{"type":"string","enum":["completed","skipped"]},)"
                        R"("segments_merged":{"type":"integer"},"vectors_written":{"type":"integer"},)"
                        R"("vectors_removed":{"type":"integer"},"duration_ms":{"type":"integer"}}})",
     .error_statuses = "[404]",
     .handler = on_collection<compact>},
    {.method = Method::get,
     .path = "/metrics/collection/{collection}",
     .operation = "getCollectionMetrics",
     .permission = Permission::read,
     .coded_errors = true,
     .tag = "Vectors",
     .summary = "How often a collection's locks were taken, and waited for",
     .response_schema = R"({"type":"object","properties":{"map_lock_acquisitions":{"type":"integer"},)"
                        R"("collection_read_acquisitions":{"type":"integer"},"collection_write_acquisitions":)"
                        R"({"type":"integer"},"total_blocked_microseconds":{"type":"integer"}}})",
     .error_statuses = "[404]",
     .handler = collection_metrics},
};

}  // namespace

std::span<const Route> vector_collection_routes() { return rows; }

}  // namespace strata::rest
