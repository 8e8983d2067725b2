#include "faces/rest/replica_routes.h"

#include <fmt/format.h>

#include "base/parse_number.h"
#include "service/replica.h"

namespace strata::rest {
namespace {

constexpr size_t default_limit = 1'000;
constexpr size_t max_limit = 10'000;

Result<size_t> limit_of(const Request& request) {
  const auto text = request.query("limit");
  if (!text) return default_limit;
  const auto limit = parse_number<size_t>(*text);
  if (!limit || *limit < 1 || *limit > max_limit) {
    return Error(ErrorCode::invalid_argument, fmt::format("limit must be a number from 1 to {}", max_limit));
  }
  return *limit;
}

std::string_view name_of(service::ReplicaState state) {
  switch (state) {
    case service::ReplicaState::waiting:
      return "waiting";
    case service::ReplicaState::copying:
      return "copying";
    case service::ReplicaState::following:
      return "following";
  }
  return "";
}

void append_namespace(Bytes& body, const service::ReplicaNamespaceStatus& status) {
  body += "{\"name\":";
  append_json_string(body, status.name);
  body += fmt::format(",\"state\":\"{}\"", name_of(status.state));
  if (status.row) {
    body += ",\"logId\":";
    append_json_string(body, status.row->log_id);
    body += fmt::format(",\"segmentId\":{},\"offset\":{},\"lsn\":{},\"lagMs\":{}", status.row->position.segment,
                        status.row->position.offset, status.row->lsn, status.lag_us / 1'000);
  }
  body += fmt::format(",\"recordsApplied\":{},\"copies\":{},\"error\":", status.records_applied, status.copies);
  append_json_string(body, status.error);
  body.push_back('}');
}

Bytes render(const service::ReplicaStatus& status) {
  if (!status.is_replica) {
    return fmt::format("{{\"role\":\"leader\",\"promoted\":{}}}", status.was_promoted);
  }
  Bytes body = "{\"role\":\"replica\",\"promoted\":false,\"leader\":";
  append_json_string(body, status.leader);
  body += fmt::format(",\"connected\":{},\"error\":", status.connected);
  append_json_string(body, status.error);
  body += ",\"namespaces\":[";
  for (const auto& name_space : status.namespaces) {
    if (&name_space != &status.namespaces.front()) body.push_back(',');
    append_namespace(body, name_space);
  }
  return body + fmt::format("],\"more\":{}}}", status.more);
}

Result<Response> get_replica(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const size_t limit, limit_of(request));
  return Response::json(render(services.replica->status(request.query("after").value_or(""), limit)));
}

Result<Response> promote(Services& services, Request& request) {
  RETURN_IF_ERROR(services.replica->promote({.caller = request.caller().name}));
  return Response::json(render(services.replica->status("", default_limit)));
}

constexpr Route rows[] = {
    {.path = "/replica",
     .operation = "getReplica",
     .permission = Permission::read,
     .tag = "Replica",
     .summary = "Whether this server follows a leader, and how far each namespace is",
     .parameters = R"([{"name":"after","in":"query","schema":{"type":"string"},)"
                   R"("description":"Namespaces behind this one"},)"
                   R"({"name":"limit","in":"query","schema":{"type":"integer","default":1000,"maximum":10000}}])",
     .response_schema =
         R"({"type":"object","properties":{"role":{"type":"string","enum":["leader","replica"]},)"
         R"("promoted":{"type":"boolean"},"leader":{"type":"string"},"connected":{"type":"boolean"},)"
         R"("error":{"type":"string"},"namespaces":{"type":"array","items":{"type":"object","properties":{)"
         R"("name":{"type":"string"},"state":{"type":"string","enum":["waiting","copying","following"]},)"
         R"("logId":{"type":"string"},"segmentId":{"type":"integer"},"offset":{"type":"integer"},)"
         R"("lsn":{"type":"integer"},"lagMs":{"type":"integer"},"recordsApplied":{"type":"integer"},)"
         R"("copies":{"type":"integer"},"error":{"type":"string"}}}},"more":{"type":"boolean"}}})",
     .error_statuses = "[400]",
     .handler = get_replica},
    {.method = Method::post,
     .path = "/replica/promote",
     .operation = "promoteReplica",
     .permission = Permission::admin,
     .on_replica = true,
     .timeout_ms = -1,
     .tag = "Replica",
     .summary = "Stop following and take writes, for good",
     .response_schema = R"({"type":"object","properties":{"role":{"type":"string"},"promoted":{"type":"boolean"}}})",
     .error_statuses = "[400,409]",
     .handler = promote},
};

}  // namespace

std::span<const Route> replica_routes() { return rows; }

}  // namespace strata::rest
