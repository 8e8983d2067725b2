#include "faces/grpc/dispatcher.h"

#include <algorithm>
#include <exception>
#include <set>

#include "base/log.h"
#include "service/replica.h"

namespace strata::rpc {
namespace {

// It travels in headers, which clients take up to 8 KiB of, percent-encoded.
constexpr size_t max_status_message_bytes = 1'500;

std::string_view service_of(std::string_view path) { return path.substr(1, path.rfind('/') - 1); }

}  // namespace

namespace detail {

Result<void> read_only_message(Call& call, MessageLite& request) {
  ASSIGN_OR_RETURN(const bool any, call.read(request));
  if (!any) return Error(ErrorCode::invalid_argument, "the call carries no message");
  return {};
}

}  // namespace detail

struct Dispatcher::Method {
  std::string_view path;
  LatencyHistogram* latency = nullptr;
  std::array<std::atomic<Counter*>, status_codes> by_code{};
};

Dispatcher::Dispatcher(std::vector<std::span<const Rpc>> tables, Services& services, MetricsRegistry& metrics,
                       DispatcherOptions options)
    : services_(services), options_(std::move(options)), api_keys_(options_.api_keys), metrics_(metrics) {
  std::set<std::string_view> paths;
  std::set<std::string_view> names;
  for (const std::span<const Rpc> table : tables) {
    for (const Rpc& rpc : table) {
      STRATA_ASSERT(rpc.handler != nullptr && paths.insert(rpc.path).second);
      names.insert(service_of(rpc.path));
      rpcs_.push_back(&rpc);
      methods_.push_back(std::make_unique<Method>());
      methods_.back()->path = rpc.path;
      methods_.back()->latency = &metrics.histogram("strata_grpc_request_duration_seconds",
                                                    "Time from a call's arrival to its status", {{"method", rpc.path}});
    }
  }
  metrics.gauge("strata_grpc_calls_in_flight", "Calls that are being answered",
                [in_flight = in_flight_] { return static_cast<double>(*in_flight); });
  services_.service_names.assign(names.begin(), names.end());
}

Dispatcher::~Dispatcher() = default;

void Dispatcher::count(Method& method, StatusCode code) {
  std::atomic<Counter*>& slot = method.by_code[static_cast<size_t>(code)];
  Counter* counter = slot.load(std::memory_order_acquire);
  if (!counter) {
    // Series appear with their first call.
    counter = &metrics_.counter("strata_grpc_requests_total", "Calls answered",
                                {{"code", status_name(code)}, {"method", method.path}});
    slot.store(counter, std::memory_order_release);
  }
  counter->add();
}

Outcome Dispatcher::run(size_t index, Call& call, const Credentials& credentials, int64_t client_deadline_steady_us) {
  const Rpc& rpc = *rpcs_[index];
  Method& method = *methods_[index];
  const int64_t begin_us = services_.clock->steady_us();
  // A client that names a deadline knows best how long it waits; the default is for those that name none.
  int64_t deadline_us = client_deadline_steady_us;
  if (rpc.timeout_ms > 0) {
    const int64_t ours_us = begin_us + rpc.timeout_ms * 1'000;
    deadline_us = deadline_us == 0 ? ours_us : std::min(deadline_us, ours_us);
  } else if (rpc.timeout_ms == 0 && deadline_us == 0 && options_.request_timeout_ms > 0) {
    deadline_us = begin_us + options_.request_timeout_ms * 1'000;
  }

  Result<void> result;
  const size_t others = in_flight_->fetch_add(1);
  if (draining_) {
    result = Error(ErrorCode::unavailable, "the server is stopping");
  } else if (others >= options_.max_calls_in_flight) {
    result = Error(ErrorCode::unavailable, "too many calls are in flight");
  } else {
    result = admit(rpc, call, credentials, deadline_us);
    if (result.ok()) result = run_handler(rpc, call);
  }
  in_flight_->fetch_sub(1);

  Outcome outcome;
  if (!result.ok()) {
    ErrorCode code = result.error().code();
    const bool late = deadline_us != 0 && services_.clock->steady_us() >= deadline_us;
    if (code == ErrorCode::operation_cancelled && late) code = ErrorCode::timed_out;
    if (code == ErrorCode::already_exists && rpc.duplicate_is_argument) code = ErrorCode::invalid_argument;
    outcome.code = status_code(code);
    outcome.message = result.error().message().substr(0, max_status_message_bytes);
    if (outcome.code == StatusCode::internal || outcome.code == StatusCode::data_loss) {
      log::error("call failed", {{"method", rpc.path}, {"error", error_name(code)}, {"message", outcome.message}});
    }
  }
  method.latency->observe_us(services_.clock->steady_us() - begin_us);
  count(method, outcome.code);
  return outcome;
}

Result<void> Dispatcher::admit(const Rpc& rpc, Call& call, const Credentials& credentials, int64_t deadline_steady_us) {
  service::Caller caller;
  if (rpc.permission != Permission::none) {
    caller.permission = Permission::admin;
    if (!api_keys_.empty()) {
      ASSIGN_OR_RETURN(caller.name, api_keys_.check(credentials.api_key, credentials.authorization));
    }
    if (caller.permission < rpc.permission) return ErrorCode::permission_denied;
  }
  const service::Replica* replica = services_.replica;
  if (replica && replica->is_read_only() && rpc.permission > Permission::read && !rpc.on_replica) {
    return Error(ErrorCode::permission_denied,
                 "this server is a replica, writes go to its leader: " + replica->leader_url());
  }
  call.services_ = &services_;
  call.context_ = {.caller = caller.name, .deadline_steady_us = deadline_steady_us};
  return {};
}

Result<void> Dispatcher::run_handler(const Rpc& rpc, Call& call) {
  try {
    return rpc.handler(call);
  } catch (const std::exception& exception) {
    // Handlers return errors; what throws is a library (out of memory). One call fails, the server goes on.
    return Error(ErrorCode::internal, std::string("internal error: ") + exception.what());
  }
}

}  // namespace strata::rpc
