#include "faces/rest/system_routes.h"

#include "base/metrics.h"
#include "faces/rest/docs_page.h"

namespace strata::rest {

SystemStatus::SystemStatus(std::string version) : version_(std::move(version)) {}

void SystemStatus::add_check(std::string name, std::function<std::string()> check) {
  checks_.emplace_back(std::move(name), std::move(check));
}

void SystemStatus::set_recovery(std::function<Recovery()> recovery) { recovery_ = std::move(recovery); }

void SystemStatus::set_loading(std::function<std::string()> loading) { loading_ = std::move(loading); }

void SystemStatus::set_collection_counts(std::function<uint64_t()> collections, std::function<uint64_t()> vectors) {
  collections_ = std::move(collections);
  vectors_ = std::move(vectors);
}

std::string SystemStatus::ready_json() const {
  return "{\"ready\":true,\"collections\":" + std::to_string(collections_ ? collections_() : 0) +
         ",\"total_vectors\":" + std::to_string(vectors_ ? vectors_() : 0) + "}";
}

SystemStatus::Readiness SystemStatus::readiness() const {
  Readiness readiness;
  readiness.ready = started_;
  std::string checks;
  auto append = [&](std::string_view name, std::string_view state) {
    if (!checks.empty()) checks.push_back(',');
    append_json_string(checks, name);
    checks.push_back(':');
    append_json_string(checks, state);
  };
  append("collections_accessible", "ok");
  const std::string loading = started_ && loading_ ? loading_() : "";
  readiness.ready &= loading.empty();
  append("collections_loaded", !started_ ? "starting" : loading.empty() ? "ok" : loading);
  for (const auto& [name, check] : checks_) {
    const std::string wrong = check();
    append(name, wrong.empty() ? "ok" : wrong);
    readiness.ready &= wrong.empty();
  }
  readiness.json =
      std::string("{\"status\":\"") + (readiness.ready ? "ready" : "not_ready") + "\",\"checks\":{" + checks + "}}";
  return readiness;
}

std::string SystemStatus::recovery_json() const {
  const Recovery recovery = recovery_ ? recovery_() : Recovery();
  std::string json = "{\"path\":";
  append_json_string(json, recovery.path);
  json += ",\"elapsed_secs\":" + std::to_string(recovery.elapsed_seconds) + ",\"collections\":{";
  for (const auto& [name, path] : recovery.collections) {
    if (json.back() != '{') json.push_back(',');
    append_json_string(json, name);
    json.push_back(':');
    append_json_string(json, path);
  }
  return json + "}}";
}

namespace {

Result<Response> health(Services& services, Request&) {
  std::string body = "{\"status\":\"ok\",\"version\":";
  append_json_string(body, services.system->version());
  body.push_back('}');
  return Response::json(std::move(body));
}

Result<Response> ready(Services& services, Request&) { return Response::json(services.system->ready_json()); }

Result<Response> healthz(Services&, Request&) { return Response::json("{\"status\":\"alive\"}"); }

Result<Response> readyz(Services& services, Request&) {
  SystemStatus::Readiness readiness = services.system->readiness();
  return Response::json(std::move(readiness.json), readiness.ready ? 200 : 503);
}

Result<Response> startupz(Services& services, Request&) {
  return services.system->started() ? Response::json("{\"status\":\"started\"}")
                                    : Response::json("{\"status\":\"starting\"}", 503);
}

Result<Response> metrics(Services& services, Request&) {
  Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = services.metrics->render();
  return response;
}

Result<Response> admin_health(Services&, Request&) { return Response::json("{\"status\":\"ok\"}"); }

Result<Response> recovery_status(Services& services, Request&) {
  return Response::json(services.system->recovery_json());
}

Result<Response> openapi(Services& services, Request&) { return Response::json(*services.openapi); }

Result<Response> docs(Services&, Request&) {
  Response response;
  response.content_type = html_type;
  response.body = docs_page;
  // The page runs its own script and talks to this server alone.
  response.add_header("Content-Security-Policy",
                      "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'");
  return response;
}

constexpr std::string_view status_schema = R"({"type":"object","properties":{"status":{"type":"string"}}})";

const Route rows[] = {
    {.path = "/health",
     .operation = "getHealth",
     .permission = Permission::none,
     .tag = "System",
     .summary = "Always 200 while the server runs, with its version",
     .response_schema = R"({"type":"object","properties":{"status":{"type":"string"},"version":{"type":"string"}}})",
     .handler = health},
    {.path = "/ready",
     .operation = "getReady",
     .permission = Permission::none,
     .tag = "System",
     .summary = "Collections and vectors that are loaded",
     .response_schema = R"({"type":"object","properties":{"ready":{"type":"boolean"},"collections":{"type":"integer"},)"
                        R"("total_vectors":{"type":"integer"}}})",
     .handler = ready},
    {.path = "/healthz",
     .operation = "getHealthz",
     .permission = Permission::none,
     .tag = "System",
     .summary = "Liveness probe",
     .response_schema = status_schema,
     .handler = healthz},
    {.path = "/readyz",
     .operation = "getReadyz",
     .permission = Permission::none,
     .tag = "System",
     .summary = "Readiness probe: 503 until every check passes",
     .response_schema = R"({"type":"object","properties":{"status":{"type":"string"},)"
                        R"("checks":{"type":"object","additionalProperties":{"type":"string"}}}})",
     .handler = readyz},
    {.path = "/startupz",
     .operation = "getStartupz",
     .permission = Permission::none,
     .tag = "System",
     .summary = "Startup probe: 503 until the start is over",
     .response_schema = status_schema,
     .handler = startupz},
    {.path = "/metrics",
     .operation = "getMetrics",
     .permission = Permission::none,
     .tag = "System",
     .summary = "Metrics as Prometheus text",
     .response_schema = R"({"type":"string"})",
     .response_type = "text/plain",
     .handler = metrics},
    {.path = "/admin/health",
     .operation = "getAdminHealth",
     .permission = Permission::none,
     .tag = "System",
     .summary = "Always 200 while the server runs",
     .response_schema = status_schema,
     .handler = admin_health},
    {.path = "/admin/metrics",
     .operation = "getAdminMetrics",
     .permission = Permission::read,
     .tag = "System",
     .summary = "Metrics as Prometheus text, for those who have a key",
     .response_schema = R"({"type":"string"})",
     .response_type = "text/plain",
     .handler = metrics},
    {.path = "/recovery_status",
     .operation = "getRecoveryStatus",
     .permission = Permission::none,
     .tag = "System",
     .summary = "How the data came back when the server started",
     .response_schema = R"({"type":"object","properties":{"path":{"type":"string",)"
                        R"("enum":["none","snapshot_only","snapshot_plus_wal","full_wal_replay"]},)"
                        R"("elapsed_secs":{"type":"integer"},)"
                        R"("collections":{"type":"object","additionalProperties":{"type":"string"}}}})",
     .handler = recovery_status},
    {.path = "/openapi.json",
     .operation = "getOpenApi",
     .permission = Permission::none,
     .tag = "System",
     .summary = "This document",
     .handler = openapi},
    {.path = "/docs",
     .operation = "getDocs",
     .permission = Permission::none,
     .tag = "System",
     .summary = "This document, for people",
     .response_schema = R"({"type":"string"})",
     .response_type = "text/html",
     .handler = docs},
};

}  // namespace

std::span<const Route> system_routes() { return rows; }

}  // namespace strata::rest
