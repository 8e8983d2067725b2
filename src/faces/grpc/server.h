// Server: the gRPC port.
//
// Purpose:       accepts calls, runs each as a coroutine on one of its threads, and ends gracefully. No type of gRPC's
//                library shows here.
// Ownership:     borrows the dispatcher, which outlives it; owns its threads and calls.
// Thread safety: start, stop and the destructor from one thread; the rest from any.
// Invariants:    one completion queue a thread; a call stays on the thread that took it. Nothing of gRPC's own threads
//                runs our code. Messages are as long as max_message_bytes, never compressed (a compressed one has no
//                limit before it is unpacked), and read only after the call was admitted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace strata::rpc {

class Dispatcher;

struct ServerOptions {
  std::string bind = "127.0.0.1";
  // 0: a free port; Server::port() tells.
  uint16_t port = 50'051;
  // 0: one per core.
  int threads = 0;
  // PEM files; both or neither.
  std::string tls_certificate_file = {};
  std::string tls_key_file = {};
  int max_message_bytes = 128 << 20;
  // Of one connection; more wait at the client.
  int max_concurrent_streams = 256;
  int max_metadata_bytes = 16'384;
  // What all connections may buffer; beyond it they are read more slowly, then closed.
  size_t buffer_bytes = size_t{1} << 30;
  // Without a call, then the connection is closed.
  int64_t idle_timeout_ms = 600'000;
  // Without a byte of a connection, then it is asked for a sign of life.
  int64_t keep_alive_ms = 60'000;
  int64_t drain_timeout_ms = 30'000;
};

class Server {
 public:
  explicit Server(Dispatcher& dispatcher, ServerOptions options = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Errors: unavailable (port taken), io_error (a TLS file), invalid_argument (no such certificate).
  Result<void> start();
  // After start().
  uint16_t port() const;
  // Takes no new calls, lets those in flight finish for drain_timeout_ms, then cancels them. False if a handler did not
  // even return after that: the process should end now.
  bool stop();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace strata::rpc
