#include "faces/rest/document_backup_routes.h"

#include <fmt/format.h>

#include <algorithm>

#include "faces/rest/json_pieces.h"
#include "faces/rest/namespace_handler.h"
#include "faces/rest/stop_on_cancellation.h"
#include "service/document_backups.h"
#include "service/documents.h"

namespace strata::rest {
namespace {

struct Body {
  Arena arena;
  service::DocumentBackupRequest request;
};

constexpr std::string_view what = "the body";

Result<void> take_place(const JsonPiece& id, const JsonPiece& location, Body& body) {
  ASSIGN_OR_RETURN(body.request.id, json_piece_string(id.value_or(""), body.arena, "backup_id"));
  ASSIGN_OR_RETURN(body.request.location, json_piece_string(location.value_or(""), body.arena, "location"));
  return {};
}

Result<Body> parse_one(Request& request) {
  Body body;
  RETURN_IF_ERROR(check_json_body(request.body()));
  ASSIGN_OR_RETURN(const auto pieces, json_pieces<2>(request.body(), {"backup_id", "location"}, what));
  RETURN_IF_ERROR(take_place(pieces[0], pieces[1], body));
  body.request.table = request.param("tableName");
  return body;
}

Result<Body> parse_many(Request& request) {
  Body body;
  RETURN_IF_ERROR(check_json_body(request.body()));
  ASSIGN_OR_RETURN(const auto pieces, json_pieces<3>(request.body(), {"backup_id", "location", "table_names"}, what));
  RETURN_IF_ERROR(take_place(pieces[0], pieces[1], body));
  if (!pieces[2]) return body;
  ASSIGN_OR_RETURN(const auto names, split_json_array(*pieces[2], "table_names"));
  if (names.empty()) return Error(ErrorCode::invalid_argument, "table_names is empty: leave it out for all tables");
  for (const BytesView piece : names) {
    ASSIGN_OR_RETURN(const BytesView name, json_piece_string(piece, body.arena, "each of table_names"));
    if (std::ranges::find(body.request.tables, name) != body.request.tables.end()) {
      return Error(ErrorCode::invalid_argument, fmt::format("table_names has {} twice", printable(name)));
    }
    body.request.tables.emplace_back(name);
  }
  return body;
}

Result<Response> back_up(Services& services, Request& request, const Body& body) {
  const StopOnCancellation stop(request);
  RETURN_IF_ERROR(services.document_backups->back_up(context_of(request), body.request, stop.flag()));
  return Response::json(R"({"backup":"successful"})", 201);
}

Result<Response> restore(Services& services, Request& request, const Body& body) {
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(const std::string task,
                   services.document_backups->restore(context_of(request), body.request, stop.flag()));
  return Response::json(fmt::format(R"({{"restore":"triggered","task_id":"{}"}})", task), 202);
}

Result<Response> back_up_table(Services& services, Request& request) {
  RETURN_IF_ERROR(services.documents->require_table(context_of(request), request.param("tableName")));
  ASSIGN_OR_RETURN(const Body body, parse_one(request));
  return back_up(services, request, body);
}

Result<Response> back_up_tables(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const Body body, parse_many(request));
  return back_up(services, request, body);
}

Result<Response> restore_table(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const Body body, parse_one(request));
  return restore(services, request, body);
}

Result<Response> restore_tables(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const Body body, parse_many(request));
  return restore(services, request, body);
}

Result<Response> list_backups(Services& services, Request& request) {
  const auto location = request.query("location");
  if (!location) return Error(ErrorCode::invalid_argument, "location is missing");
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(const auto backups, services.document_backups->list(*location, stop.flag()));
  Bytes body = "{\"backups\":[";
  for (const auto& backup : backups) {
    if (body.back() == '}') body.push_back(',');
    body += "{\"backup_id\":";
    append_json_string(body, backup.id);
    body += ",\"location\":";
    append_json_string(body, *location);
    if (!backup.error.empty()) {
      body += ",\"error\":";
      append_json_string(body, backup.error);
      body.push_back('}');
      continue;
    }
    body +=
        fmt::format(R"(,"timestamp":"{}","size":{},"tables":[)", service::format_time(backup.created_us), backup.bytes);
    for (const std::string& table : backup.tables) {
      if (body.back() != '[') body.push_back(',');
      append_json_string(body, table);
    }
    body += "]}";
  }
  body += "]}";
  return Response::json(std::move(body));
}

#define STRATA_PLACE R"("backup_id":{"type":"string"},"location":{"type":"string"})"
#define STRATA_PLACE_OF_ONE R"({"type":"object","required":["backup_id","location"],"properties":{)" STRATA_PLACE "}}"
#define STRATA_PLACE_OF_MANY                                                            \
  R"({"type":"object","required":["backup_id","location"],"properties":{)" STRATA_PLACE \
  R"(,"table_names":{"type":"array","items":{"type":"string"}}}})"
#define STRATA_BACKUP_ANSWER R"({"type":"object","properties":{"backup":{"type":"string"}}})"
#define STRATA_RESTORE_ANSWER \
  R"({"type":"object","properties":{"restore":{"type":"string"},"task_id":{"type":"string"}}})"

constexpr Route rows[] = {
    {.method = Method::post,
     .path = "/api/v1/tables/{tableName}/backup",
     .also_at = "/db/v1/tables/{tableName}/backup",
     .operation = "backupTable",
     .permission = Permission::admin,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Documents",
     .summary = "Copy a table, as of one moment, to a directory below the backup root or to a bucket",
     .request_schema = STRATA_PLACE_OF_ONE,
     .response_schema = STRATA_BACKUP_ANSWER,
     .success_status = 201,
     .error_statuses = "[403,404,409,429]",
     .handler = back_up_table},
    {.method = Method::post,
     .path = "/api/v1/tables/{tableName}/restore",
     .also_at = "/db/v1/tables/{tableName}/restore",
     .operation = "restoreTable",
     .permission = Permission::admin,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Documents",
     .summary = "Make a table from a backup, as a task; the table must not exist",
     .request_schema = STRATA_PLACE_OF_ONE,
     .response_schema = STRATA_RESTORE_ANSWER,
     .success_status = 202,
     .error_statuses = "[403,404,429]",
     .handler = restore_table},
    {.method = Method::post,
     .path = "/api/v1/backup",
     .also_at = "/db/v1/backup",
     .operation = "backupTables",
     .permission = Permission::admin,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Documents",
     .summary = "Copy all tables, or those that are named, as of one moment",
     .request_schema = STRATA_PLACE_OF_MANY,
     .response_schema = STRATA_BACKUP_ANSWER,
     .success_status = 201,
     .error_statuses = "[403,404,409,429]",
     .handler = back_up_tables},
    {.method = Method::post,
     .path = "/api/v1/restore",
     .also_at = "/db/v1/restore",
     .operation = "restoreTables",
     .permission = Permission::admin,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Documents",
     .summary = "Make the tables of a backup, or those that are named, as a task: all of them or none",
     .request_schema = STRATA_PLACE_OF_MANY,
     .response_schema = STRATA_RESTORE_ANSWER,
     .success_status = 202,
     .error_statuses = "[403,404,429]",
     .handler = restore_tables},
    {.method = Method::get,
     .path = "/api/v1/backups",
     .also_at = "/db/v1/backups",
     .operation = "listBackups",
     .permission = Permission::admin,
     .on_replica = true,
     .timeout_ms = -1,
     .tag = "Documents",
     .summary = "The backups of documents in a place",
     .parameters = R"([{"name":"location","in":"query","required":true,"schema":{"type":"string"},)"
                   R"("description":"file:///directory or s3://bucket/prefix"}])",
     .response_schema = R"({"type":"object","properties":{"backups":{"type":"array","items":{"type":"object",)"
                        R"("properties":{"backup_id":{"type":"string"},"location":{"type":"string"},)"
                        R"("timestamp":{"type":"string","format":"date-time"},"size":{"type":"integer"},)"
                        R"("tables":{"type":"array","items":{"type":"string"}},"error":{"type":"string"}}}}}})",
     .error_statuses = "[403,429]",
     .handler = list_backups},
};

}  // namespace

std::span<const Route> document_backup_routes() { return rows; }

}  // namespace strata::rest
