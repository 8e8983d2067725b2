#include "faces/rest/task_routes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/timer.h"
#include "service/tasks.h"

namespace strata::rest {
namespace {

// How long an answer waits for a task that was told to end: a second.
constexpr int cancel_turns = 200;
constexpr int64_t cancel_turn_us = 5'000;

// Milliseconds since 1970, null for never.
std::string time_of(int64_t wall_us) { return wall_us == 0 ? "null" : std::to_string(wall_us / 1'000); }

void append_task(Bytes& body, const service::TaskInfo& task) {
  const double progress = task.status == service::TaskStatus::completed ? 1.0
                          : task.total == 0
                              ? 0.0
                              : static_cast<double>(std::min(task.done, task.total)) / static_cast<double>(task.total);
  body += fmt::format(
      R"({{"id":"{}","task_type":"{}","status":"{}","args":{},"created_at":{},"started_at":{},"completed_at":{})",
      task.id, task.type, service::task_status_name(task.status), task.arguments, time_of(task.created_us),
      time_of(task.started_us), time_of(task.ended_us));
  body += fmt::format(R"(,"progress":{:.4g},"eta_ms":{},"indexed_count":{},"total_count":{},"message":)", progress,
                      task.left_us ? std::to_string(*task.left_us / 1'000) : "null", task.done, task.total);
  append_json_string(body, task.message);
  // Tasks end with the process, so none leaves a point to go on from.
  body += ",\"checkpoint\":null,\"error\":";
  if (task.error.empty()) {
    body += "null}";
    return;
  }
  append_json_string(body, task.error);
  body.push_back('}');
}

Response answer_of(const service::TaskInfo& task) {
  Bytes body;
  append_task(body, task);
  return Response::json(std::move(body));
}

Result<Response> list_tasks(Services& services, Request&) {
  Bytes body = "[";
  for (const service::TaskInfo& task : services.tasks->list()) {
    if (body.size() > 1) body.push_back(',');
    append_task(body, task);
  }
  body.push_back(']');
  return Response::json(std::move(body));
}

Result<Response> get_task(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const service::TaskInfo task, services.tasks->find(request.param("id")));
  return answer_of(task);
}

Result<Response> cancel_task(Services& services, Request& request) {
  ASSIGN_OR_RETURN(service::TaskInfo task, services.tasks->cancel(request.param("id")));
  // One that runs ends soon; the answer says that it has.
  for (int turn = 0; turn < cancel_turns && !service::has_ended(task.status); ++turn) {
    RETURN_IF_ERROR(sleep_us(cancel_turn_us).get());
    ASSIGN_OR_RETURN(task, services.tasks->find(request.param("id")));
  }
  return answer_of(task);
}

#define STRATA_TASK_SCHEMA                                                                                                            \
  R"({"type":"object","properties":{"id":{"type":"string"},"task_type":{"type":"string"},"status":{"type":)"                          \
  R"("string","enum":["pending","running","completed","failed","cancelled"]},"args":{"type":"object"},)"                              \
  R"("created_at":{"type":"integer"},"started_at":{"type":"integer","nullable":true},"completed_at":{"type":)"                        \
  R"("integer","nullable":true},"progress":{"type":"number"},"eta_ms":{"type":"integer","nullable":true},)"                           \
  R"("indexed_count":{"type":"integer"},"total_count":{"type":"integer"},"message":{"type":"string"},"checkpoint":{"type":"string",)" \
  R"("nullable":true},"error":{)"                                                                                                     \
  R"("type":"string","nullable":true}}})"

constexpr Route rows[] = {
    {.path = "/admin/tasks",
     .operation = "listTasks",
     .permission = Permission::admin,
     .on_replica = true,
     .tag = "Tasks",
     .summary = "What runs in the background, waits for it or has ended, newest first",
     .response_schema = R"({"type":"array","items":)" STRATA_TASK_SCHEMA "}",
     .handler = list_tasks},
    // Who has the id may see it: ids are unguessable, and answers of restores name them.
    {.path = "/admin/tasks/{id}",
     .operation = "getTask",
     .permission = Permission::read,
     .tag = "Tasks",
     .summary = "How far a task is, and how it ended",
     .response_schema = STRATA_TASK_SCHEMA,
     .error_statuses = "[404]",
     .handler = get_task},
    {.method = Method::delete_,
     .path = "/admin/tasks/{id}",
     .operation = "deleteTask",
     .permission = Permission::admin,
     .on_replica = true,
     .tag = "Tasks",
     .summary = "Cancel a task",
     .response_schema = STRATA_TASK_SCHEMA,
     .error_statuses = "[404]",
     .handler = cancel_task},
    {.method = Method::post,
     .path = "/admin/tasks/{id}/cancel",
     .operation = "cancelTask",
     .permission = Permission::admin,
     .on_replica = true,
     .tag = "Tasks",
     .summary = "Cancel a task",
     .response_schema = STRATA_TASK_SCHEMA,
     .error_statuses = "[404]",
     .handler = cancel_task},
};

}  // namespace

std::span<const Route> task_routes() { return rows; }

}  // namespace strata::rest
