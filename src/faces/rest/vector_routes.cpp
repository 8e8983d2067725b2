#include "faces/rest/vector_routes.h"

#include <fmt/format.h>

#include "faces/rest/vector_body.h"
#include "faces/rest/vector_handler.h"
#include "faces/rest/vector_json.h"
#include "service/vector_bulk.h"

namespace strata::rest {
namespace {

Result<Response> insert_vector(Services& services, Request& request) {
  ASSIGN_OR_RETURN(VectorRowBody row, parse_vector_row(request.body()));
  if (!row.has_values) return Error(ErrorCode::invalid_argument, "values is required");
  ASSIGN_OR_RETURN(const uint64_t id,
                   services.vectors->insert(context_of(request), request.param("collection"),
                                            {.id = row.id, .values = row.values, .metadata = std::move(row.metadata)}));
  return Response::json(fmt::format(R"({{"id":{},"success":true}})", id));
}

Result<Response> get_vector(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const uint64_t id, vector_id_of(request));
  ASSIGN_OR_RETURN(const auto found, services.vectors->get(context_of(request), request.param("collection"), id));
  Bytes body = fmt::format(R"({{"id":{},"values":)", found.id);
  append_json_floats(body, found.values);
  if (!found.metadata.empty()) {
    body += ",\"metadata\":";
    append_json_metadata(body, found.metadata);
  }
  body += "}";
  return Response::json(std::move(body));
}

Result<Response> update_vector(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const uint64_t id, vector_id_of(request));
  ASSIGN_OR_RETURN(VectorRowBody row, parse_vector_row(request.body()));
  service::VectorUpdate update{.id = id};
  if (row.has_values) update.values = row.values;
  if (row.has_metadata) update.metadata = std::move(row.metadata);
  if (!row.has_values && !row.has_metadata) {
    return Error(ErrorCode::invalid_argument, "values or metadata is required");
  }
  RETURN_IF_ERROR(services.vectors->update(context_of(request), request.param("collection"), std::move(update)));
  return vector_success();
}

Result<Response> delete_vector(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const uint64_t id, vector_id_of(request));
  RETURN_IF_ERROR(services.vectors->remove(context_of(request), request.param("collection"), id));
  return vector_success();
}

Response bulk_response(const service::BulkAnswer& answer) {
  Bytes body = fmt::format(R"({{"inserted_count":{},"errors":[)", answer.inserted_count);
  for (size_t i = 0; i < answer.errors.size(); ++i) {
    if (i > 0) body.push_back(',');
    append_json_string(body, answer.errors[i]);
  }
  body += fmt::format(R"(],"last_completed_batch_idx":{},"last_committed_lsn":{},"resume_token":)",
                      answer.last_completed_batch_index, answer.last_committed_lsn);
  append_json_string(body, answer.resume_token);
  body += fmt::format(R"(,"assigned_ids":[{}]}})", fmt::join(answer.assigned_ids, ","));
  return Response::json(std::move(body));
}

Result<Response> bulk_insert(Services& services, Request& request) {
  ASSIGN_OR_RETURN(BulkBody parsed, parse_bulk(request.body()));
  const service::Context context = context_of(request);
  parsed.options.index_mode = parsed.index_mode;
  parsed.options.resume_token = parsed.resume_token;
  ASSIGN_OR_RETURN(const auto bulk, services.vectors->begin_bulk(context, request.param("collection"), parsed.options));
  for (BulkBody::Row& row : parsed.rows) {
    const std::span<const float> values(parsed.values.data() + row.first, row.count);
    const bool goes_on =
        !request.cancellation().requested() &&
        (row.error.empty() ? bulk->add(context, {.id = row.id, .values = values, .metadata = std::move(row.metadata)})
                           : bulk->add_failed(context, row.error));
    if (!goes_on) break;
  }
  ASSIGN_OR_RETURN(const auto answer, bulk->finish(context));
  return bulk_response(answer);
}

Result<Response> bulk_insert_from_path(Services& services, Request& request) {
  ASSIGN_OR_RETURN(BulkFromPathBody parsed, parse_bulk_from_path(request.body()));
  parsed.options.path = parsed.path;
  parsed.options.ids_path = parsed.ids_path;
  parsed.options.index_mode = parsed.index_mode;
  ASSIGN_OR_RETURN(const auto answer,
                   services.vectors->bulk_from_path(context_of(request), request.param("collection"), parsed.options));
  return bulk_response(answer);
}

#define STRATA_VECTOR_ID R"("id":{"type":"integer","format":"int64","minimum":0})"
#define STRATA_VECTOR_ROW                                                                                          \
  R"({"type":"object","required":["values"],"properties":{)" STRATA_VECTOR_ID R"(,"values":)" STRATA_VECTOR_FLOATS \
  R"(,"metadata":)" STRATA_VECTOR_METADATA "}}"
#define STRATA_BULK_ANSWER                                                                                       \
  R"({"type":"object","properties":{"inserted_count":{"type":"integer"},"errors":{"type":"array","items":)"      \
  R"({"type":"string"}},"last_completed_batch_idx":{"type":"integer"},"last_committed_lsn":{"type":"integer"},)" \
  R"("resume_token":{"type":"string"},"assigned_ids":)" STRATA_VECTOR_IDS "}}"
#define STRATA_INDEX_MODE R"("index_mode":{"type":"string","enum":["immediate","deferred"],"default":"immediate"})"

constexpr Route rows[] = {
    {.method = Method::post,
     .path = "/api/v1/collections/{collection}/vectors",
     .operation = "insertVector",
     .permission = Permission::write,
     .coded_errors = true,
     .body = BodyKind::json,
     .body_limit_bytes = vector_body_limit_bytes,
     .tag = "Vectors",
     .summary = "Insert a vector",
     .request_schema = STRATA_VECTOR_ROW,
     .response_schema = R"({"type":"object","properties":{)" STRATA_VECTOR_ID R"(,"success":{"type":"boolean"}}})",
     .error_statuses = "[404,409,429]",
     .handler = on_collection<insert_vector>},
    {.method = Method::get,
     .path = "/api/v1/collections/{collection}/vectors/{id}",
     .operation = "getVector",
     .permission = Permission::read,
     .coded_errors = true,
     .tag = "Vectors",
     .summary = "A vector and its metadata",
     .response_schema = STRATA_VECTOR_ROW,
     .error_statuses = "[404]",
     .handler = on_collection<get_vector>},
    {.method = Method::put,
     .path = "/api/v1/collections/{collection}/vectors/{id}",
     .operation = "updateVector",
     .permission = Permission::write,
     .coded_errors = true,
     .body = BodyKind::json,
     .body_limit_bytes = vector_body_limit_bytes,
     .tag = "Vectors",
     .summary = "Replace a vector's values, its metadata, or both",
     .request_schema = R"({"type":"object","properties":{"values":)" STRATA_VECTOR_FLOATS
                       R"(,"metadata":)" STRATA_VECTOR_METADATA "}}",
     .response_schema = STRATA_VECTOR_SUCCESS,
     .error_statuses = "[404,429]",
     .handler = on_collection<update_vector>},
    {.method = Method::delete_,
     .path = "/api/v1/collections/{collection}/vectors/{id}",
     .operation = "deleteVector",
     .permission = Permission::write,
     .coded_errors = true,
     .tag = "Vectors",
     .summary = "Delete a vector",
     .response_schema = STRATA_VECTOR_SUCCESS,
     .error_statuses = "[404,429]",
     .handler = on_collection<delete_vector>},
    {.method = Method::post,
     .path = "/api/v1/collections/{collection}/vectors/bulk",
     .operation = "bulkInsert",
     .permission = Permission::write,
     .coded_errors = true,
     .body = BodyKind::json,
     .body_limit_bytes = vector_body_limit_bytes,
     .timeout_ms = -1,
     .tag = "Vectors",
     .summary = "Insert many vectors; each row fails alone",
     .request_schema =
         R"({"type":"object","required":["vectors"],"properties":{"vectors":{"type":"array","items":)" STRATA_VECTOR_ROW
         R"(},"batch_lock_size":{"type":"integer","minimum":1,"maximum":10000,"default":1},)"
         R"("defer_graph":{"type":"boolean"},"wal_flush_every":{"type":"integer","minimum":0,"default":1},)"
         R"("ef_construction":{"type":"integer","minimum":0,"default":0},)" STRATA_INDEX_MODE
         R"(,"skip_metadata_index":{"type":"boolean"},"parallel_build":{"type":"boolean"},)"
         R"("checkpoint_every":{"type":"integer","minimum":0,"default":0},"resume_token":{"type":"string"}}})",
     .response_schema = STRATA_BULK_ANSWER,
     .error_statuses = "[404,429]",
     .handler = on_collection<bulk_insert>},
    {.method = Method::post,
     .path = "/api/v1/collections/{collection}/vectors/bulk-from-path",
     .operation = "bulkInsertFromPath",
     .permission = Permission::admin,
     .coded_errors = true,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Vectors",
     .summary = "Insert the vectors of a file of the server's: .npy, or flat 32-bit floats",
     .request_schema =
         R"({"type":"object","required":["path"],"properties":{"path":{"type":"string"},)"
         R"("dim":{"type":"integer","minimum":0,"default":0},"expected_count":{"type":"integer","minimum":0},)"
         R"("total_count_hint":{"type":"integer","minimum":0},"id_start":{"type":"integer","minimum":0,"default":1},)"
         R"("ids_path":{"type":"string"},"skip_metadata_index":{"type":"boolean"},)" STRATA_INDEX_MODE
         R"(,"ef_construction":{"type":"integer","minimum":0},"chunk_size":{"type":"integer","minimum":0}}})",
     .response_schema = STRATA_BULK_ANSWER,
     .error_statuses = "[404]",
     .handler = on_collection<bulk_insert_from_path>},
};

}  // namespace

std::span<const Route> vector_routes() { return rows; }

}  // namespace strata::rest
