#include "faces/rest/file_collection_routes.h"

#include <fmt/format.h>

#include "faces/rest/file_body.h"
#include "faces/rest/file_handler.h"
#include "service/file_collector.h"
#include "service/tasks.h"

namespace strata::rest {
namespace {

// In the query or the body: whoever asks for one in either place must not have something removed.
Result<bool> dry_run_of(const Request& request) {
  ASSIGN_OR_RETURN(const bool in_query, flag_of(request, "dry_run"));
  ASSIGN_OR_RETURN(const bool in_body, parse_collection_task(request.body()));
  return in_query || in_body;
}

Result<Response> collect(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const bool dry_run, dry_run_of(request));
  ASSIGN_OR_RETURN(const auto found, services.file_collector->collect(context_of(request), dry_run));
  return Response::json(fmt::format(
      R"({{"versions_scanned":{},"live_entries":{},"garbage_entries":{},"reclaimed_bytes":{},"duration_ms":{},)"
      R"("dry_run":{}}})",
      found.versions_scanned, found.live_entries, found.garbage_entries, found.reclaimed_bytes, found.duration_ms,
      found.dry_run));
}

Result<Response> start_task(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const bool dry_run, dry_run_of(request));
  const std::string arguments = fmt::format(R"({{"dry_run":{}}})", dry_run);
  const auto run = [collector = services.file_collector, dry_run](service::TaskProgress& progress) -> Result<void> {
    ASSIGN_OR_RETURN(const auto found, collector->run(progress, dry_run));
    progress.set_message(fmt::format("{} garbage entries of {} bytes {}, {} live in {} versions", found.garbage_entries,
                                     found.reclaimed_bytes, dry_run ? "would be collected" : "collected",
                                     found.live_entries, found.versions_scanned));
    return {};
  };
  ASSIGN_OR_RETURN(const std::string id, services.tasks->start("gc", arguments, run));
  return Response::json(fmt::format(R"({{"id":"{}","task_type":"gc","status":"pending","args":{}}})", id, arguments));
}

#define STRATA_DRY_RUN_PARAMETER \
  R"([{"name":"dry_run","in":"query","schema":{"type":"boolean","default":false},"description":"Count only"}])"
#define STRATA_DRY_RUN_BODY R"({"type":"object","properties":{"dry_run":{"type":"boolean"}}})"

constexpr Route rows[] = {
    {.method = Method::post,
     .path = "/admin/gc",
     .operation = "collectGarbage",
     .permission = Permission::admin,
     .body = BodyKind::json,
     .timeout_ms = -1,
     .tag = "Garbage collection",
     .summary = "Remove what no version, upload or reader needs; answered when it is done",
     .parameters = STRATA_DRY_RUN_PARAMETER,
     .request_schema = STRATA_DRY_RUN_BODY,
     .response_schema =
         R"({"type":"object","properties":{"versions_scanned":{"type":"integer"},"live_entries":{"type":"integer"},)"
         R"("garbage_entries":{"type":"integer"},"reclaimed_bytes":{"type":"integer"},"duration_ms":{"type":)"
         R"("integer"},"dry_run":{"type":"boolean"}}})",
     .error_statuses = "[409]",
     .handler = collect},
    {.method = Method::post,
     .path = "/admin/tasks/gc",
     .operation = "startCollection",
     .permission = Permission::admin,
     .body = BodyKind::json,
     .tag = "Garbage collection",
     .summary = "The same in the background, as a task",
     .parameters = STRATA_DRY_RUN_PARAMETER,
     .request_schema = STRATA_DRY_RUN_BODY,
     .response_schema =
         R"({"type":"object","properties":{"id":{"type":"string"},"task_type":{"type":"string"},"status":{"type":)"
         R"("string"},"args":{"type":"object"}}})",
     .error_statuses = "[429]",
     .handler = start_task},
};

}  // namespace

std::span<const Route> file_collection_routes() { return rows; }

}  // namespace strata::rest
