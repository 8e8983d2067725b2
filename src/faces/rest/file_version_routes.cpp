#include "faces/rest/file_version_routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/timer.h"
#include "faces/rest/file_body.h"
#include "faces/rest/file_handler.h"
#include "service/file_versions.h"

namespace strata::rest {
namespace {

// {"name", "root_hash", "created_at"[, "metadata"]}
void append_version(Bytes& body, std::string_view name, const Hash& root, int64_t created_at_ms,
                    std::string_view metadata = {}) {
  body += "{\"name\":";
  append_json_string(body, name);
  body += fmt::format(R"(,"root_hash":"{}","created_at":{})", hash_hex(root), created_at_ms);
  if (!metadata.empty()) body.append(",\"metadata\":").append(metadata);
  body.push_back('}');
}

// {"restored": true, "name": "v1.0"}
Response done(std::string_view what, std::string_view name) {
  Bytes body = fmt::format(R"({{"{}":true,"name":)", what);
  append_json_string(body, name);
  body.push_back('}');
  return Response::json(std::move(body));
}

Result<Response> make_snapshot(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const std::string_view fork, written_fork_of(request));
  ASSIGN_OR_RETURN(const SnapshotBody parsed, parse_snapshot(request.body()));
  ASSIGN_OR_RETURN(const auto made,
                   services.file_versions->make_snapshot(
                       context_of(request), {.name = parsed.name, .metadata = parsed.metadata, .fork = fork}));
  Bytes body;
  append_version(body, made.name, made.root, made.created_at_ms, made.metadata);
  return Response::json(std::move(body), 201);
}

// Snapshots with up to 64 KiB of metadata each, a few at a time.
struct SnapshotStream {
  static constexpr size_t page = 16;

  service::FileVersions& versions;
  Cancellation& cancellation;
  // Shared by the copies that a std::function makes.
  std::shared_ptr<const std::vector<service::SnapshotInfo>> snapshots;

  Result<void> append(Bytes& out, const service::Context& context, size_t begin, bool& is_first) const {
    const auto some = std::span(*snapshots).subspan(begin, std::min(page, snapshots->size() - begin));
    ASSIGN_OR_RETURN(const auto found, versions.with_metadata(context, some));
    for (const service::SnapshotInfo& snapshot : found) {
      if (!std::exchange(is_first, false)) out.push_back(',');
      append_version(out, snapshot.name, snapshot.root, snapshot.created_at_ms, snapshot.metadata);
    }
    return {};
  }
  Result<void> operator()(ResponseStream& stream) const {
    Bytes out = "[";
    bool is_first = true;
    for (size_t begin = 0; begin < snapshots->size(); begin += page) {
      if (cancellation.requested()) return ErrorCode::operation_cancelled;
      RETURN_IF_ERROR(append(out, {}, begin, is_first));
      RETURN_IF_ERROR(stream.write(out));
      out.clear();
      RETURN_IF_ERROR(give_way());
    }
    RETURN_IF_ERROR(stream.write(out + "]"));
    return stream.flush();
  }
};

Result<Response> list_snapshots(Services& services, Request& request) {
  ASSIGN_OR_RETURN(auto snapshots, services.file_versions->snapshots(context_of(request)));
  const bool fits = snapshots.size() <= SnapshotStream::page;
  SnapshotStream stream{*services.file_versions, request.cancellation(),
                        std::make_shared<const std::vector<service::SnapshotInfo>>(std::move(snapshots))};
  if (!fits) return Response::streamed(json_type, std::move(stream));
  Bytes body = "[";
  bool is_first = true;
  RETURN_IF_ERROR(stream.append(body, context_of(request), 0, is_first));
  return Response::json(std::move(body) + "]");
}

Result<Response> restore_snapshot(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const std::string_view fork, written_fork_of(request));
  ASSIGN_OR_RETURN(const std::string name, parse_version_name(request.body()));
  RETURN_IF_ERROR(services.file_versions->restore(context_of(request), name, fork));
  return done("restored", name);
}

Result<Response> delete_snapshot(Services& services, Request& request) {
  RETURN_IF_ERROR(services.file_versions->remove_snapshot(context_of(request), request.param("name")));
  return done("deleted", request.param("name"));
}

Result<Response> make_fork(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const ForkBody parsed, parse_fork(request.body()));
  ASSIGN_OR_RETURN(const auto made,
                   services.file_versions->make_fork(context_of(request), {.name = parsed.name, .base = parsed.base}));
  Bytes body;
  append_version(body, made.name, made.root, made.created_at_ms);
  return Response::json(std::move(body), 201);
}

Result<Response> list_forks(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto forks, services.file_versions->forks(context_of(request)));
  Bytes body = "[";
  for (const service::ForkInfo& fork : forks) {
    if (body.size() > 1) body.push_back(',');
    append_version(body, fork.name, fork.root, fork.created_at_ms);
  }
  body.push_back(']');
  return Response::json(std::move(body));
}

Result<Response> promote_fork(Services& services, Request& request) {
  RETURN_IF_ERROR(services.file_versions->promote_fork(context_of(request), request.param("name")));
  return done("promoted", request.param("name"));
}

Result<Response> abandon_fork(Services& services, Request& request) {
  RETURN_IF_ERROR(services.file_versions->abandon_fork(context_of(request), request.param("name")));
  return done("abandoned", request.param("name"));
}

Result<Response> file_history(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto history, services.file_versions->history(context_of(request), request.param("path")));
  Bytes body = "{\"path\":";
  append_json_string(body, without_slash(history.path));
  body += ",\"history\":[";
  for (const service::FileChange& change : history.changes) {
    if (&change != history.changes.data()) body.push_back(',');
    body += "{\"snapshot\":";
    append_json_string(body, change.snapshot);
    body += fmt::format(R"(,"timestamp":{},"change_type":"{}","size":{},"content_type":)", change.timestamp_ms,
                        service::file_change_name(change.type), change.file.total_size);
    append_text_or_null(body, change.file.content_type);
    body += fmt::format(R"(,"content_hash":"{}"}})", hash_hex(change.file.hash));
  }
  body += "]}";
  return Response::json(std::move(body));
}

Result<Response> restore_file(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const std::string_view fork, written_fork_of(request));
  const std::string_view path = request.param("path");
  ASSIGN_OR_RETURN(const RestoreFileBody parsed, parse_restore_file(request.body()));
  const service::FileTree from{.fork = fork, .snapshot = parsed.snapshot, .version = parsed.version};
  ASSIGN_OR_RETURN(const auto restored,
                   services.file_versions->restore_file(context_of(request), {.path = path, .from = from}));
  Bytes body = "{\"restored\":true,\"path\":";
  append_json_string(body, without_slash(restored.file.path));
  body += parsed.snapshot ? ",\"from_snapshot\":" : ",\"from_version\":";
  append_json_string(body, parsed.snapshot ? *parsed.snapshot : *parsed.version);
  body += ",\"auto_snapshot\":";
  append_json_string(body, restored.auto_snapshot);
  body += fmt::format(",\"size\":{}}}", restored.file.total_size);
  return Response::json(std::move(body));
}

Result<Response> no_file(Services&, Request&) { return Error(ErrorCode::invalid_argument, "the path is empty"); }

#define STRATA_NAME_BODY R"({"type":"object","required":["name"],"properties":{"name":{"type":"string"}}})"
#define STRATA_VERSION_FIELDS \
  R"("name":{"type":"string"},"root_hash":{"type":"string"},"created_at":{"type":"integer"})"
#define STRATA_FORK_SCHEMA R"({"type":"object","properties":{)" STRATA_VERSION_FIELDS "}}"
#define STRATA_SNAPSHOT_SCHEMA \
  R"({"type":"object","properties":{)" STRATA_VERSION_FIELDS R"(,"metadata":{"type":"object"}}})"
#define STRATA_DONE_SCHEMA(what) \
  R"({"type":"object","properties":{")" what R"(":{"type":"boolean"},"name":{"type":"string"}}})"

constexpr Route rows[] = {
    {.method = Method::post,
     .path = "/version/snapshot",
     .also_at = "/admin/snapshots",
     .operation = "createSnapshot",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Versions",
     .summary = "Name what HEAD, or a fork, shows now",
     .parameters = "[" STRATA_FORK_PARAMETER "]",
     .request_schema = R"({"type":"object","required":["name"],"properties":{"name":{"type":"string"},)"
                       R"("metadata":{"type":"object"}}})",
     .response_schema = STRATA_SNAPSHOT_SCHEMA,
     .success_status = 201,
     .error_statuses = "[404,409]",
     .handler = make_snapshot},
    {.path = "/version/snapshots",
     .operation = "listSnapshots",
     .permission = Permission::read,
     .timeout_ms = -1,
     .tag = "Versions",
     .summary = "The snapshots, oldest first",
     .response_schema = R"({"type":"array","items":)" STRATA_SNAPSHOT_SCHEMA "}",
     .handler = list_snapshots},
    {.method = Method::post,
     .path = "/version/restore",
     .operation = "restoreSnapshot",
     .permission = Permission::admin,
     .body = BodyKind::json,
     .tag = "Versions",
     .summary = "HEAD, or a fork, shows a snapshot from now on",
     .parameters = "[" STRATA_FORK_PARAMETER "]",
     .request_schema = STRATA_NAME_BODY,
     .response_schema = STRATA_DONE_SCHEMA("restored"),
     .error_statuses = "[404]",
     .handler = restore_snapshot},
    {.method = Method::delete_,
     .path = "/version/snapshot/{name}",
     .operation = "deleteSnapshot",
     .permission = Permission::admin,
     .tag = "Versions",
     .summary = "Delete a snapshot",
     .response_schema = STRATA_DONE_SCHEMA("deleted"),
     .error_statuses = "[404]",
     .handler = delete_snapshot},
    {.method = Method::post,
     .path = "/version/fork",
     .operation = "createFork",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Versions",
     .summary = "A branch of its own, of a snapshot, a fork or HEAD",
     .request_schema = R"({"type":"object","required":["name"],"properties":{"name":{"type":"string"},)"
                       R"("base":{"type":"string"}}})",
     .response_schema = STRATA_FORK_SCHEMA,
     .success_status = 201,
     .error_statuses = "[404,409]",
     .handler = make_fork},
    {.path = "/version/forks",
     .operation = "listForks",
     .permission = Permission::read,
     .tag = "Versions",
     .summary = "The forks, oldest first",
     .response_schema = R"({"type":"array","items":)" STRATA_FORK_SCHEMA "}",
     .handler = list_forks},
    {.method = Method::post,
     .path = "/version/fork/{name}/promote",
     .operation = "promoteFork",
     .permission = Permission::admin,
     .tag = "Versions",
     .summary = "HEAD shows what the fork shows",
     .response_schema = STRATA_DONE_SCHEMA("promoted"),
     .error_statuses = "[404]",
     .handler = promote_fork},
    {.method = Method::delete_,
     .path = "/version/fork/{name}",
     .operation = "abandonFork",
     .permission = Permission::admin,
     .tag = "Versions",
     .summary = "Abandon a fork",
     .response_schema = STRATA_DONE_SCHEMA("abandoned"),
     .error_statuses = "[404]",
     .handler = abandon_fork},
    {.path = "/version/file-history/",
     .also_at = "/version/file-history",
     .operation = "getNoFileHistory",
     .permission = Permission::read,
     .tag = "Versions",
     .summary = "Always 400: a file has a path",
     .handler = no_file},
    {.path = "/version/file-history/{path*}",
     .operation = "getFileHistory",
     .permission = Permission::read,
     .tag = "Versions",
     .summary = "What became of a file from snapshot to snapshot, newest first",
     .response_schema =
         R"({"type":"object","properties":{"path":{"type":"string"},"history":{"type":"array","items":{"type":)"
         R"("object","properties":{"snapshot":{"type":"string"},"timestamp":{"type":"integer"},"change_type":{)"
         R"("type":"string","enum":["added","modified","unchanged","deleted"]},"size":{"type":"integer"},)"
         R"("content_type":{"type":"string","nullable":true},"content_hash":{"type":"string"}}}}}})",
     .handler = file_history},
    {.method = Method::post,
     .path = "/version/file-restore/",
     .also_at = "/version/file-restore",
     .operation = "restoreNoFile",
     .permission = Permission::admin,
     .tag = "Versions",
     .summary = "Always 400: a file has a path",
     .handler = no_file},
    {.method = Method::post,
     .path = "/version/file-restore/{path*}",
     .operation = "restoreFile",
     .permission = Permission::admin,
     .body = BodyKind::json,
     .tag = "Versions",
     .summary = "Bring one file back as it was at a snapshot or version, after a snapshot of how things stand",
     .parameters = "[" STRATA_FORK_PARAMETER "]",
     .request_schema = R"({"type":"object","properties":{"snapshot":{"type":"string"},"version":{"type":"string"}}})",
     .response_schema =
         R"({"type":"object","properties":{"restored":{"type":"boolean"},"path":{"type":"string"},"from_snapshot":{)"
         R"("type":"string"},"from_version":{"type":"string"},"auto_snapshot":{"type":"string"},"size":{"type":)"
         R"("integer"}}})",
     .error_statuses = "[404,409]",
     .handler = restore_file},
};

}  // namespace

std::span<const Route> file_version_routes() { return rows; }

}  // namespace strata::rest
