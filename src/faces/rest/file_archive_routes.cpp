#include "faces/rest/file_archive_routes.h"

#include <fmt/format.h>

#include "faces/rest/file_handler.h"
#include "faces/rest/json_document.h"
#include "faces/rest/stop_on_cancellation.h"
#include "service/file_archives.h"

namespace strata::rest {
namespace {

constexpr size_t max_import_bytes = size_t{10} << 30;
// Of a version's hash in a file's name.
constexpr size_t hash_prefix_digits = 16;

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

// Parameters of the query, or fields of a body, which is optional; the query's count.
template <size_t N>
Result<std::array<std::optional<std::string>, N>> texts_of(const Request& request,
                                                           const std::array<std::string_view, N>& names) {
  std::array<std::optional<std::string>, N> texts;
  if (!request.body().empty()) {
    ASSIGN_OR_RETURN(const auto object, parse_json_object(request.body()));
    ASSIGN_OR_RETURN(const auto fields, json_fields(object, names));
    ASSIGN_OR_RETURN(const auto paths, (json_fields<2>(object, {"output", "file"})));
    if (paths[0] || paths[1]) {
      return invalid(
          fmt::format("{}: the server writes and reads no path that a client names", paths[0] ? "output" : "file"));
    }
    for (size_t i = 0; i < N; ++i) {
      if (!fields[i] || fields[i]->is_null()) continue;
      ASSIGN_OR_RETURN(const std::string_view text, json_string(fields[i], names[i]));
      texts[i] = text;
    }
  }
  for (size_t i = 0; i < N; ++i) {
    if (const auto text = request.query(names[i])) texts[i] = *text;
  }
  return texts;
}

std::optional<std::string_view> view_of(const std::optional<std::string>& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

Result<Response> answer(Services& services, const Request& request, service::PlannedArchive plan,
                        std::string_view name) {
  const std::string file = fmt::format("attachment; filename=\"{}-{}.aeordb\"", name,
                                       hash_hex(plan.header.head).substr(0, hash_prefix_digits));
  const std::string version = hash_hex(plan.header.head);
  std::shared_ptr<service::JobStream> stream;
  if (!request.is_head()) {
    ASSIGN_OR_RETURN(stream, services.file_archives->stream(std::move(plan)));
  }
  Response response = Response::streamed(bytes_type, [stream](ResponseStream& out) -> Result<void> {
    for (;;) {
      ASSIGN_OR_RETURN(const Bytes bytes, stream->read());
      if (bytes.empty()) return {};
      RETURN_IF_ERROR(out.write(bytes));
    }
  });
  response.add_header("Content-Disposition", file);
  response.add_header("X-Version-Hash", version);
  return response;
}

Result<Response> export_version(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto texts, (texts_of<2>(request, {"snapshot", "hash"})));
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(auto plan,
                   services.file_archives->plan_export(
                       context_of(request), {.snapshot = view_of(texts[0]), .hash = view_of(texts[1])}, stop.flag()));
  return answer(services, request, std::move(plan), "export");
}

Result<Response> diff_versions(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto texts, (texts_of<2>(request, {"from", "to"})));
  if (!texts[0]) return invalid("from is required: a snapshot's name or a version hash");
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(auto plan, services.file_archives->plan_diff(
                                  context_of(request), {.from = *texts[0], .to = view_of(texts[1])}, stop.flag()));
  return answer(services, request, std::move(plan), "patch");
}

Result<Response> import_archive(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const bool force, flag_of(request, "force"));
  ASSIGN_OR_RETURN(const bool promote, flag_of(request, "promote"));
  if (request.header("Content-Type").value_or("").starts_with("application/json")) {
    return invalid("the body is the archive itself: the server reads no path that a client names");
  }
  const StopOnCancellation stop(request);
  ASSIGN_OR_RETURN(
      const auto done,
      services.file_archives->import(
          context_of(request), {.body = &request.body_reader(), .force = force, .promote = promote}, stop.flag()));
  return Response::json(fmt::format(
      R"({{"status":"success","backup_type":"{}","entries_imported":{},"chunks_imported":{},"files_imported":{},)"
      R"("directories_imported":{},"deletions_applied":{},"version_hash":"{}","head_promoted":{}}})",
      service::backup_type_name(done.type), done.entries, done.chunks, done.files, done.directories, done.deletions,
      hash_hex(done.version), done.promoted));
}

Result<Response> promote(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto texts, texts_of<1>(request, {"hash"}));
  if (!texts[0]) return invalid("hash is required: the version to promote");
  const std::optional<Hash> hash = parse_hash_hex(*texts[0]);
  if (!hash) return invalid("hash is not one: 64 hexadecimal digits");
  RETURN_IF_ERROR(services.file_versions->promote(context_of(request), *hash));
  return Response::json(fmt::format(R"({{"status":"success","head":"{}"}})", hash_hex(*hash)));
}

constexpr std::string_view hash_parameter =
    R"([{"name":"hash","in":"query","schema":{"type":"string"},"description":"A version hash, 64 digits"}])";

constexpr Route rows[] = {
    {.method = Method::post,
     .path = "/admin/export",
     .operation = "exportVersion",
     .permission = Permission::admin,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Archives",
     .summary = "A version of the files as an .aeordb archive; HEAD unless a snapshot or a hash is given",
     .parameters = R"([{"name":"snapshot","in":"query","schema":{"type":"string"}},{"name":"hash","in":"query",)"
                   R"("schema":{"type":"string"}}])",
     .request_schema = R"({"type":"object","properties":{"snapshot":{"type":"string"},"hash":{"type":"string"}}})",
     .response_type = bytes_type,
     .error_statuses = "[404,429]",
     .handler = export_version},
    {.method = Method::post,
     .path = "/admin/diff",
     .operation = "diffVersions",
     .permission = Permission::admin,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Archives",
     .summary = "What changed between two versions of the files, as an .aeordb patch",
     .parameters = R"([{"name":"from","in":"query","schema":{"type":"string"},"description":"A snapshot's name or a )"
                   R"(version hash"},{"name":"to","in":"query","schema":{"type":"string"},"description":"The same; )"
                   R"(HEAD where it is left out"}])",
     .request_schema = R"({"type":"object","properties":{"from":{"type":"string"},"to":{"type":"string"}}})",
     .response_type = bytes_type,
     .error_statuses = "[404,429]",
     .handler = diff_versions},
    {.method = Method::post,
     .path = "/admin/import",
     .operation = "importArchive",
     .permission = Permission::admin,
     .body = BodyKind::stream,
     .body_limit_bytes = max_import_bytes,
     .timeout_ms = -1,
     .tag = "Archives",
     .summary = "Add the version of an .aeordb archive or patch; HEAD stays what it is unless promote is given",
     .parameters = R"([{"name":"force","in":"query","schema":{"type":"boolean","default":false},"description":)"
                   R"("Apply a patch although HEAD is not what it was made from"},{"name":"promote","in":"query",)"
                   R"("schema":{"type":"boolean","default":false},"description":"HEAD becomes the version"}])",
     .response_schema =
         R"({"type":"object","properties":{"status":{"type":"string"},"backup_type":{"type":"string","enum":)"
         R"(["database","export","patch"]},"entries_imported":{"type":"integer"},"chunks_imported":{"type":)"
         R"("integer"},"files_imported":{"type":"integer"},"directories_imported":{"type":"integer"},)"
         R"("deletions_applied":{"type":"integer"},"version_hash":{"type":"string"},"head_promoted":{"type":)"
         R"("boolean"}}})",
     .error_statuses = "[409,429]",
     .handler = import_archive},
    {.method = Method::post,
     .path = "/admin/promote",
     .operation = "promoteVersion",
     .permission = Permission::admin,
     .body = BodyKind::json,
     .tag = "Archives",
     .summary = "HEAD becomes this version",
     .parameters = hash_parameter,
     .request_schema = R"({"type":"object","properties":{"hash":{"type":"string"}}})",
     .response_schema = R"({"type":"object","properties":{"status":{"type":"string"},"head":{"type":"string"}}})",
     .error_statuses = "[404,409]",
     .handler = promote},
};

}  // namespace

std::span<const Route> file_archive_routes() { return rows; }

}  // namespace strata::rest
