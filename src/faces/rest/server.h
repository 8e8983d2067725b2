// Server: the HTTP port.
//
// Purpose:       accepts connections, parses requests, runs each as a coroutine on the thread that owns its connection,
//                and ends gracefully. No Asio or Beast type shows here.
// Ownership:     borrows the dispatcher, which outlives it; owns its threads and connections.
// Thread safety: start, stop and the destructor from one thread; the rest from any.
// Invariants:    every wait of a connection has a limit. What was acknowledged to a client is never undone by stop().
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace strata {
class MetricsRegistry;
}

namespace strata::rest {

class Dispatcher;

struct ServerOptions {
  std::string bind = "127.0.0.1";
  // 0: a free port; Server::port() tells.
  uint16_t port = 8080;
  // 0: one per core.
  int io_threads = 0;
  int64_t header_timeout_ms = 10'000;      // from the first byte of a request to the end of its headers
  int64_t body_timeout_ms = 30'000;        // without a byte of the body
  int64_t write_timeout_ms = 30'000;       // without the client taking a byte
  int64_t keep_alive_timeout_ms = 75'000;  // between requests
  int64_t heartbeat_interval_ms = 15'000;  // of event streams
  int64_t drain_timeout_ms = 30'000;       // what stop() gives requests in flight
  // A body may not come slower than this, once body_timeout_ms of waiting is used up: a client that drips a byte a
  // second does not hold a request open.
  int64_t minimum_body_bytes_per_s = 1'024;
  size_t max_connections = 10'000;
  size_t max_requests_in_flight = 4'096;
  size_t max_header_bytes = 65'536;
  size_t max_target_bytes = 32'768;
  size_t stack_bytes = 262'144;
};

class Server {
 public:
  Server(Dispatcher& dispatcher, MetricsRegistry& metrics, ServerOptions options = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds and starts the threads. Errors: invalid_argument (address), unavailable (port taken), io_error.
  Result<void> start();
  // After start().
  uint16_t port() const;
  // Stops accepting, closes idle connections, lets requests in flight finish for drain_timeout_ms, then cancels them
  // and cuts their connections. False if a handler did not even return after that: the process should end now.
  bool stop();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace strata::rest
