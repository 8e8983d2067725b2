#include "faces/rest/document_routes.h"

#include <fmt/format.h>

#include "base/timer.h"
#include "faces/rest/document_body.h"
#include "faces/rest/table_handler.h"

namespace strata::rest {
namespace {

constexpr uint64_t body_limit_bytes = 64u << 20;

void append_counts(Bytes& body, const service::BatchCounts& counts) {
  body += fmt::format(R"({{"inserted":{},"deleted":{},"transformed":{}}})", counts.inserted, counts.deleted,
                      counts.transformed);
}

void append_tables(Bytes& body, std::span<const service::TableBatch> tables,
                   std::span<const service::BatchCounts> counts) {
  body += "\"tables\":{";
  for (size_t i = 0; i < tables.size(); ++i) {
    if (i > 0) body.push_back(',');
    append_json_string(body, tables[i].table);
    body.push_back(':');
    append_counts(body, counts[i]);
  }
  body += "}";
}

Result<Response> batch_table(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const BatchBody parsed, parse_table_batch(request.param("tableName"), request.body()));
  ASSIGN_OR_RETURN(const auto counts, services.documents->batch(context_of(request), parsed.tables));
  Bytes body;
  append_counts(body, counts[0]);
  return Response::json(std::move(body), 201);
}

Result<Response> batch_tables(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const BatchBody parsed, parse_batch(request.body()));
  ASSIGN_OR_RETURN(const auto counts, services.documents->batch(context_of(request), parsed.tables));
  Bytes body = "{";
  append_tables(body, parsed.tables, counts);
  body += "}";
  return Response::json(std::move(body), 201);
}

Response aborted(const service::DocumentConflict& conflict) {
  Bytes body = R"({"status":"aborted","conflict":{"table":)";
  append_json_string(body, conflict.read.table);
  body += ",\"key\":";
  append_json_string(body, conflict.read.key);
  body += ",\"message\":";
  const bool expected = conflict.read.version != "0";
  append_json_string(body, conflict.current_version == "0" ? "the document does not exist any more"
                           : expected                      ? "the document was changed since it was read"
                                                           : "the document exists");
  body += fmt::format(R"(,"expected_version":"{}","current_version":"{}"}},"tables":{{}}}})", conflict.read.version,
                      conflict.current_version);
  return Response::json(std::move(body), 409);
}

Result<Response> commit_transaction(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const CommitBody parsed, parse_commit(request.body()));
  ASSIGN_OR_RETURN(
      const auto conflict,
      services.documents->commit(context_of(request), {.reads = parsed.reads, .tables = parsed.batch.tables}));
  if (conflict) return aborted(*conflict);
  Bytes body = R"({"status":"committed",)";
  append_tables(body, parsed.batch.tables, service::Documents::counts_of(parsed.batch.tables));
  body += "}";
  return Response::json(std::move(body));
}

Result<Response> merge_table(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const MergeBody parsed, parse_merge(request.param("tableName"), request.body()));
  ASSIGN_OR_RETURN(const auto answer, services.documents->merge(context_of(request), parsed.request));
  Bytes body = fmt::format(R"({{"status":"{}","upserted":{},"skipped":{},"deleted":{})",
                           answer.partial ? "partial" : "success", answer.upserted, answer.skipped, answer.deleted);
  if (parsed.request.dry_run) {
    body += ",\"deleted_ids\":[";
    for (size_t i = 0; i < answer.deleted_keys.size(); ++i) {
      if (i > 0) body.push_back(',');
      append_json_string(body, answer.deleted_keys[i]);
    }
    body += "]";
  }
  body += ",\"failed\":[],\"next_cursor\":";
  append_json_string(body, answer.next_cursor);
  body += ",\"key_range\":{\"from\":";
  append_json_string(body, parsed.request.after);
  body += ",\"to\":";
  append_json_string(body, answer.next_cursor);
  body += fmt::format("}},\"keys_scanned\":{}", answer.keys_scanned);
  if (answer.partial) {
    body += R"(,"message":"the page was applied up to next_cursor: send what follows it with that as last_merged_id")";
  } else if (parsed.request.dry_run) {
    body += R"(,"message":"dry run: nothing was changed")";
  }
  body += fmt::format(",\"took\":{}}}", answer.took_us * 1'000);
  return Response::json(std::move(body));
}

Result<Response> lookup(Services& services, Request& request) {
  // Before the document: an answer does not depend on what is stored.
  ASSIGN_OR_RETURN(const auto fields, service::Projection::parse_list(request.query("fields").value_or("")));
  ASSIGN_OR_RETURN(auto found,
                   services.documents->read(context_of(request), request.param("tableName"), request.param("key")));
  if (!found) {
    return Error(ErrorCode::not_found, fmt::format("document not found: {}", printable(request.param("key"))));
  }
  Bytes body;
  if (fields.is_whole()) {
    body = std::move(found->text);
  } else {
    RETURN_IF_ERROR(fields.append(found->text, body));
  }
  Response response = Response::json(std::move(body));
  response.add_header("X-Antfly-Version", service::version_of(*found));
  return response;
}

// Copied with the response, as every std::function: hence what it shares.
struct ScanStream {
  // Pages between two turns of other requests on the same thread.
  static constexpr size_t pages_a_turn = 4;

  std::shared_ptr<service::DocumentScan> scan;
  std::shared_ptr<const std::optional<service::Projection>> fields;
  Cancellation& cancellation;

  Result<void> operator()(ResponseStream& stream) const {
    Bytes line;
    for (size_t pages = 1;; ++pages) {
      ASSIGN_OR_RETURN(const auto page, scan->next({}));
      for (const auto& entry : page.entries()) {
        line = "{\"key\":";
        append_json_string(line, entry.key);
        if (*fields) RETURN_IF_ERROR((*fields)->append_members(entry.text, "key", line));
        line += "}\n";
        RETURN_IF_ERROR(stream.write(line));
      }
      if (scan->done()) return stream.flush();
      if (cancellation.requested()) return ErrorCode::operation_cancelled;
      if (pages % pages_a_turn == 0) RETURN_IF_ERROR(give_way());
    }
  }
};

Result<Response> scan_table(Services& services, Request& request) {
  ASSIGN_OR_RETURN(ScanBody parsed, parse_scan(request.body()));
  parsed.request.table = request.param("tableName");
  parsed.request.pause = [&cancellation = request.cancellation()]() -> Result<void> {
    if (cancellation.requested()) return ErrorCode::operation_cancelled;
    return give_way();
  };
  ASSIGN_OR_RETURN(auto scan, services.documents->scan(context_of(request), parsed.request));
  return Response::streamed(
      ndjson_type, ScanStream{std::make_shared<service::DocumentScan>(std::move(scan)),
                              std::make_shared<const std::optional<service::Projection>>(std::move(parsed.fields)),
                              request.cancellation()});
}

#define STRATA_COUNTS_SCHEMA                                         \
  R"({"type":"object","properties":{"inserted":{"type":"integer"},)" \
  R"("deleted":{"type":"integer"},"transformed":{"type":"integer"}}})"
#define STRATA_TABLES_SCHEMA R"({"type":"object","additionalProperties":)" STRATA_COUNTS_SCHEMA "}"
#define STRATA_SYNC_LEVEL                                                                        \
  R"("sync_level":{"type":"string","enum":["propose","write","full_text","enrichments","aknn",)" \
  R"("full_index"]})"
#define STRATA_BATCH_FIELDS                                                                                       \
  R"("inserts":{"type":"object","additionalProperties":{"type":"object"}},)"                                      \
  R"("deletes":{"type":"array","items":{"type":"string"}},)"                                                      \
  R"("transforms":{"type":"array","items":{"type":"object","required":["key","operations"],"properties":{)"       \
  R"("key":{"type":"string"},"upsert":{"type":"boolean"},"operations":{"type":"array","items":{"type":"object",)" \
  R"("required":["op","path"],"properties":{"op":{"type":"string","enum":["$set","$unset","$inc","$mul","$min",)" \
  R"("$max","$push","$addToSet","$pull","$pop","$currentDate","$rename"]},"path":{"type":"string"},"value":{}}}}}}},)" STRATA_SYNC_LEVEL
#define STRATA_TABLE_BATCHES \
  R"("tables":{"type":"object","additionalProperties":{"type":"object","properties":{)" STRATA_BATCH_FIELDS R"(}}})"
constexpr Route rows[] = {
    {.method = Method::post,
     .path = "/api/v1/tables/{tableName}/batch",
     .also_at = "/db/v1/tables/{tableName}/batch",
     .operation = "batchTable",
     .permission = Permission::write,
     .body = BodyKind::json,
     .body_limit_bytes = body_limit_bytes,
     .tag = "Documents",
     .summary = "Delete, insert and transform documents of a table, all or none",
     .request_schema = R"({"type":"object","properties":{)" STRATA_BATCH_FIELDS "}}",
     .response_schema = STRATA_COUNTS_SCHEMA,
     .success_status = 201,
     .error_statuses = "[404]",
     .handler = on_table<batch_table>},
    {.method = Method::post,
     .path = "/api/v1/batch",
     .also_at = "/db/v1/batch",
     .operation = "batchTables",
     .permission = Permission::write,
     .body = BodyKind::json,
     .body_limit_bytes = body_limit_bytes,
     .tag = "Documents",
     .summary = "Batches of any number of tables, all or none",
     .request_schema =
         R"({"type":"object","required":["tables"],"properties":{)" STRATA_TABLE_BATCHES "," STRATA_SYNC_LEVEL "}}",
     .response_schema = R"({"type":"object","properties":{"tables":)" STRATA_TABLES_SCHEMA "}}",
     .success_status = 201,
     .error_statuses = "[404]",
     .handler = batch_tables},
    {.method = Method::post,
     .path = "/api/v1/transactions/commit",
     .also_at = "/db/v1/transactions/commit",
     .operation = "commitDocuments",
     .permission = Permission::write,
     .body = BodyKind::json,
     .body_limit_bytes = body_limit_bytes,
     .tag = "Documents",
     .summary = "Write if what was read is unchanged, in one transaction; else 409 with the conflict",
     .request_schema =
         R"({"type":"object","properties":{"read_set":{"type":"array","items":{"type":"object",)"
         R"("required":["table","key","version"],"properties":{"table":{"type":"string"},)"
         R"("key":{"type":"string"},"version":{"type":"string"}}}},)" STRATA_TABLE_BATCHES "," STRATA_SYNC_LEVEL "}}",
     .response_schema = R"({"type":"object","properties":{"status":{"type":"string","enum":["committed","aborted"]},)"
                        R"("conflict":{"type":"object","properties":{"table":{"type":"string"},)"
                        R"("key":{"type":"string"},"message":{"type":"string"},)"
                        R"("expected_version":{"type":"string"},"current_version":{"type":"string"}}},)"
                        R"("tables":)" STRATA_TABLES_SCHEMA "}}",
     .error_statuses = "[404,409]",
     .handler = commit_transaction},
    {.method = Method::post,
     .path = "/api/v1/tables/{tableName}/merge",
     .also_at = "/db/v1/tables/{tableName}/merge",
     .operation = "mergeTable",
     .permission = Permission::write,
     .body = BodyKind::json,
     .body_limit_bytes = body_limit_bytes,
     .tag = "Documents",
     .summary = "Lay a sorted page of records over a part of the table: insert, replace, delete what the page lacks",
     .request_schema = R"({"type":"object","required":["records"],"properties":{"records":{"type":"object",)"
                       R"("additionalProperties":{"type":"object"}},"last_merged_id":{"type":"string"},)"
                       R"("dry_run":{"type":"boolean"},"final":{"type":"boolean"},)" STRATA_SYNC_LEVEL "}}",
     .response_schema = R"({"type":"object","properties":{"status":{"type":"string","enum":["success","partial"]},)"
                        R"("upserted":{"type":"integer"},"skipped":{"type":"integer"},"deleted":{"type":"integer"},)"
                        R"("deleted_ids":{"type":"array","items":{"type":"string"}},)"
                        R"("failed":{"type":"array","items":{"type":"object"}},"next_cursor":{"type":"string"},)"
                        R"("key_range":{"type":"object","properties":{"from":{"type":"string"},)"
                        R"("to":{"type":"string"}}},"keys_scanned":{"type":"integer"},)"
                        R"("message":{"type":"string"},"took":{"type":"integer"}}})",
     .error_statuses = "[404]",
     .handler = on_table<merge_table>},
    {.method = Method::post,
     .path = "/api/v1/tables/{tableName}/lookup",
     .also_at = "/db/v1/tables/{tableName}/lookup",
     .operation = "scanTable",
     .permission = Permission::read,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Documents",
     .summary = "Keys of a range in their order, with the fields that are asked for, as NDJSON",
     .request_schema = R"({"type":"object","properties":{"from":{"type":"string"},"to":{"type":"string"},)"
                       R"("inclusive_from":{"type":"boolean","default":false},)"
                       R"("exclusive_to":{"type":"boolean","default":false},)"
                       R"("fields":{"type":"array","items":{"type":"string"}},"filter_query":{"type":"object"},)"
                       R"("limit":{"type":"integer"}}})",
     .response_schema = R"({"type":"object","properties":{"key":{"type":"string"}},"additionalProperties":true})",
     .response_type = ndjson_type,
     .error_statuses = "[404]",
     .handler = on_table<scan_table>},
    {.method = Method::get,
     .path = "/api/v1/tables/{tableName}/lookup/{key*}",
     .also_at = "/db/v1/tables/{tableName}/lookup/{key*}",
     .operation = "lookupDocument",
     .permission = Permission::read,
     .tag = "Documents",
     .summary = "A document, whole or the named fields; X-Antfly-Version tells its version",
     .parameters = R"([{"name":"fields","in":"query","schema":{"type":"string"},)"
                   R"("description":"Names separated by commas: title, user.name, tags.*, -secret"}])",
     .response_schema = R"({"type":"object","additionalProperties":true})",
     .error_statuses = "[404]",
     .handler = on_table<lookup>},
};

}  // namespace

std::span<const Route> document_routes() { return rows; }

}  // namespace strata::rest
