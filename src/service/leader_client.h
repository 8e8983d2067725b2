// LeaderClient: HTTP requests to another Strata server, whose answers are read as they come.
//
// Purpose:       what a replica needs of HTTP: GET, streamed bodies with back-pressure, time-outs, TLS that is
//                verified, an end from any thread. The one place that includes libcurl's headers.
// Ownership:     a LeaderResponse shares the transfer with the client's thread; both may die in any order.
// Thread safety: get, whole and stop from any thread; a LeaderResponse belongs to one reader, cancel() is for anybody.
//                Waiting is Future's: a coroutine suspends, a plain thread blocks.
// Invariants:    the other side is not trusted: redirects are refused, a transfer holds buffer_bytes (and one piece
//                that libcurl hands over) and no more, headers that nobody asks for are dropped. No proxy of the
//                environment is used and nothing but http and https.
// Errors:        unavailable (no connection, broken off, TLS refused), timed_out, operation_cancelled.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::service {

struct LeaderClientOptions {
  // http://host[:port] or https://..., as validate_leader_url accepts it.
  std::string url;
  // Sent as X-API-Key where not empty.
  std::string api_key;
  // Certificates to trust instead of the system's; empty: the system's.
  std::string ca_file;
  int64_t connect_timeout_ms = 5'000;
  // Until the head of the answer, or the end of one that is asked for whole; and between bytes of a body, but where
  // Silence is allowed.
  int64_t idle_timeout_ms = 30'000;
  size_t buffer_bytes = 256u << 10;
};

// invalid_argument: not http or https, no host, or with a user, a path, a query or a fragment.
Result<void> validate_leader_url(std::string_view url);

enum class Silence : uint8_t {
  is_an_error,
  // A stream that follows the log says nothing while nothing happens. TCP's keep-alive finds a machine that is gone.
  is_allowed,
};

class LeaderTransfer;

class LeaderResponse {
 public:
  explicit LeaderResponse(std::shared_ptr<LeaderTransfer> transfer);
  ~LeaderResponse();
  LeaderResponse(LeaderResponse&&) = default;
  LeaderResponse& operator=(LeaderResponse&&) = delete;

  int status() const;
  // X-Log-Id, as it was sent; empty: not sent.
  std::string log_id() const;
  // Up to buffer_bytes, at least one; empty at the end.
  Result<Bytes> read();
  // True: read() returns at once.
  bool readable() const;
  // read() answers operation_cancelled, now and from then on.
  void cancel();

 private:
  friend class LeaderClient;
  Result<void> wait_for_head();

  std::shared_ptr<LeaderTransfer> transfer_;
};

class LeaderClient {
 public:
  static Result<std::unique_ptr<LeaderClient>> create(const LeaderClientOptions& options);
  ~LeaderClient();

  // Waits for the head; any status is an answer. target: path and query, encoded already.
  Result<LeaderResponse> get(std::string_view target, Silence silence = Silence::is_an_error);
  // The whole body of an answer with status 200. payload_too_large beyond the limit; another status is error_of_answer.
  Result<Bytes> whole(std::string_view target, size_t limit_bytes);
  // Everything outstanding and later answers operation_cancelled.
  void stop();

  const std::string& url() const;

 private:
  class Impl;
  explicit LeaderClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What an answer that is not 200 means: unauthenticated, permission_denied, not_found, gone, invalid_argument or
// unavailable, with the status and the first words of its body.
Error error_of_answer(LeaderResponse& response);

}  // namespace strata::service
