// Dispatcher: from a call that arrived to its status; everything that every method has in common happens here, once.
//
// Purpose:       authentication, permission, replicas, deadline, metrics and the mapping of errors. It knows no
//                connection: the server and the unit tests drive it alike.
// Ownership:     borrows the tables (static), the services and the metrics registry, which outlive it.
// Thread safety: run from any number of threads.
// Invariants:    every call gets exactly one status; a handler runs, and a message of the client is read, only for a
//                call that passed every column of its row.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "faces/grpc/rpc.h"
#include "faces/grpc/status.h"
#include "service/api_keys.h"

namespace strata::rpc {

struct DispatcherOptions {
  // Static keys (service/api_keys.h), in x-api-key or authorization. None: every caller may do everything.
  std::vector<std::string> api_keys = {};
  // Of a call whose row and client name none; 0: none.
  int64_t request_timeout_ms = 60'000;
  // Beyond it: UNAVAILABLE.
  size_t max_calls_in_flight = 4'096;
};

// Of the call's metadata; empty: not there.
struct Credentials {
  std::string_view api_key = {};
  std::string_view authorization = {};
};

struct Outcome {
  StatusCode code = StatusCode::ok;
  std::string message = {};
};

class Dispatcher {
 public:
  Dispatcher(std::vector<std::span<const Rpc>> tables, Services& services, MetricsRegistry& metrics,
             DispatcherOptions options = {});
  ~Dispatcher();

  std::span<const Rpc* const> rpcs() const { return rpcs_; }
  // Of rpcs()[index]. client_deadline_steady_us: 0: none.
  Outcome run(size_t index, Call& call, const Credentials& credentials, int64_t client_deadline_steady_us);
  // From now on calls are refused: the server ends.
  void begin_drain() { draining_ = true; }
  Services& services() const { return services_; }

 private:
  struct Method;
  Result<void> admit(const Rpc& rpc, Call& call, const Credentials& credentials, int64_t deadline_steady_us);
  Result<void> run_handler(const Rpc& rpc, Call& call);
  void count(Method& method, StatusCode code);

  Services& services_;
  const DispatcherOptions options_;
  const service::ApiKeys api_keys_;
  std::vector<const Rpc*> rpcs_;
  std::vector<std::unique_ptr<Method>> methods_;  // of each rpc
  // Shared with the gauge, which the registry keeps.
  const std::shared_ptr<std::atomic<size_t>> in_flight_ = std::make_shared<std::atomic<size_t>>(0);
  std::atomic<bool> draining_{false};
  MetricsRegistry& metrics_;
};

}  // namespace strata::rpc
