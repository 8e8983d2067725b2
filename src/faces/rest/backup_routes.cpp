#include "faces/rest/backup_routes.h"

#include <fmt/format.h>

#include "faces/rest/json_document.h"
#include "faces/rest/namespace_handler.h"
#include "faces/rest/stop_on_cancellation.h"
#include "service/backups.h"

namespace strata::rest {
namespace {

Result<uint64_t> parse_segment(const JsonField& field) {
  uint64_t number = 0;
  if (field && field->get(number)) {
    return Error(ErrorCode::invalid_argument, "afterSegmentId must be a whole number from 0 on");
  }
  return number;
}

Result<Response> back_up_log(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(request.body()));
  ASSIGN_OR_RETURN(const auto fields, json_fields<2>(object, {"afterSegmentId", "backupDir"}));
  ASSIGN_OR_RETURN(const uint64_t after, parse_segment(fields[0]));
  ASSIGN_OR_RETURN(const std::string_view text, json_string(fields[1], "backupDir"));
  ASSIGN_OR_RETURN(service::BackupPath directory, service::BackupPath::of_directory(text, "backupDir"));
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(const auto backups, services.backups->back_up_log(context_of(request),
                                                                     {.name_space = request.param("namespace"),
                                                                      .after_segment = after,
                                                                      .directory = std::move(directory)},
                                                                     stop.flag()));
  Bytes body = "{\"backups\":[";
  for (const service::LogBackup& backup : backups) {
    if (body.back() == '}') body.push_back(',');
    body += fmt::format("{{\"segmentId\":{},\"path\":", backup.segment);
    append_json_string(body, backup.path);
    body.push_back('}');
  }
  return Response::json(body + "]}");
}

Result<Response> back_up_snapshot(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(request.body()));
  ASSIGN_OR_RETURN(const auto fields, json_fields<1>(object, {"path"}));
  ASSIGN_OR_RETURN(const std::string_view text, json_string(fields[0], "path"));
  ASSIGN_OR_RETURN(service::BackupPath path, service::BackupPath::of_file(text, "path"));
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(
      const service::Snapshot snapshot,
      services.backups->back_up_snapshot(
          context_of(request), {.name_space = request.param("namespace"), .path = std::move(path)}, stop.flag()));
  Bytes body = "{\"path\":";
  append_json_string(body, snapshot.path);
  return Response::json(body + fmt::format(",\"bytes\":{}}}", snapshot.bytes));
}

Result<Response> stream_snapshot(Services& services, Request& request) {
  if (request.is_head()) {
    RETURN_IF_ERROR(services.records->require_namespace(context_of(request), request.param("namespace")));
    return Response::streamed(bytes_type, [](ResponseStream&) -> Result<void> { return {}; });
  }
  ASSIGN_OR_RETURN(const auto snapshot,
                   services.backups->stream_snapshot(context_of(request), request.param("namespace")));
  return Response::streamed(bytes_type, [snapshot](ResponseStream& out) -> Result<void> {
    for (;;) {
      ASSIGN_OR_RETURN(const Bytes bytes, snapshot->read());
      if (bytes.empty()) return {};
      RETURN_IF_ERROR(out.write(bytes));
    }
  });
}

constexpr Route rows[] = {
    {.method = Method::post,
     .path = "/api/v1/{namespace}/wal/backup",
     .operation = "backupWal",
     .permission = Permission::admin,
     .on_replica = true,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Backups",
     .summary = "Copy sealed segments of the log to files below the backup root; seals the last one first",
     .request_schema = R"({"type":"object","required":["backupDir"],"properties":{)"
                       R"("afterSegmentId":{"type":"integer","minimum":0,"default":0},"backupDir":{"type":"string"}}})",
     .response_schema = R"({"type":"object","properties":{"backups":{"type":"array","items":{"type":"object",)"
                        R"("properties":{"segmentId":{"type":"integer"},"path":{"type":"string"}}}}}})",
     .error_statuses = "[404,409,429]",
     .handler = on_data<back_up_log>},
    {.method = Method::post,
     .path = "/api/v1/{namespace}/btree/backup",
     .operation = "backupBtree",
     .permission = Permission::admin,
     .on_replica = true,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Backups",
     .summary = "Write a snapshot of the namespace to a file below the backup root",
     .request_schema = R"({"type":"object","required":["path"],"properties":{"path":{"type":"string"}}})",
     .response_schema = R"({"type":"object","properties":{"path":{"type":"string"},"bytes":{"type":"integer"}}})",
     .error_statuses = "[404,409,429]",
     .handler = on_data<back_up_snapshot>},
    {.method = Method::get,
     .path = "/api/v1/{namespace}/snapshot",
     .operation = "getSnapshot",
     .permission = Permission::read,
     .timeout_ms = -1,
     .tag = "Backups",
     .summary = "A snapshot of the namespace as a stream, in the format of its files",
     .response_type = bytes_type,
     .error_statuses = "[404,429]",
     .handler = on_data<stream_snapshot>},
};

}  // namespace

std::span<const Route> backup_routes() { return rows; }

}  // namespace strata::rest
