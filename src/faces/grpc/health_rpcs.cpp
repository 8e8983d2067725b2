// The standard health service: what /readyz says, for balancers that speak gRPC. No key is asked for, as there.
#include <grpc/health/v1/health.pb.h>

#include <algorithm>

#include "base/timer.h"
#include "faces/grpc/rpc.h"

namespace strata::rpc {
namespace {

namespace v1 = ::grpc::health::v1;
using v1::HealthCheckRequest;
using v1::HealthCheckResponse;

// How soon a watcher is told of a change.
constexpr int64_t watch_interval_us = 500'000;

bool is_served(const Services& services, std::string_view name) {
  // "": the server as a whole.
  return name.empty() || std::ranges::find(services.service_names, name) != services.service_names.end();
}

HealthCheckResponse::ServingStatus status(const Services& services) {
  const bool ready = !services.is_ready || services.is_ready();
  return ready ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

Result<void> check(Call& call, const HealthCheckRequest& request, HealthCheckResponse& response) {
  if (!is_served(call.services(), request.service())) return Error(ErrorCode::not_found, "unknown service");
  response.set_status(status(call.services()));
  return {};
}

Result<void> watch(Call& call) {
  HealthCheckRequest request;
  RETURN_IF_ERROR(detail::read_only_message(call, request));
  const bool served = is_served(call.services(), request.service());
  auto told = HealthCheckResponse::UNKNOWN;
  while (!call.cancellation().requested()) {
    const auto now = served ? status(call.services()) : HealthCheckResponse::SERVICE_UNKNOWN;
    if (now != told) {
      HealthCheckResponse response;
      response.set_status(now);
      RETURN_IF_ERROR(call.write(response));
      told = now;
    }
    auto pause = sleep_us(watch_interval_us);
    call.cancellation().on_request(pause.cancel_handle());
    static_cast<void>(pause.get());
  }
  return ErrorCode::operation_cancelled;
}

const Rpc rows[] = {
    {.path = "/grpc.health.v1.Health/Check", .permission = Permission::none, .handler = unary<check>},
    {.path = "/grpc.health.v1.Health/Watch",
     .permission = Permission::none,
     .timeout_ms = -1,
     .long_lived = true,
     .handler = watch},
};

}  // namespace

std::span<const Rpc> health_rpcs() { return rows; }

}  // namespace strata::rpc
