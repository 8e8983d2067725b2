// Dispatcher: from a parsed request to a response; everything that every operation has in common happens here, once.
//
// Purpose:       routing, percent-decoding, authentication, permission, body limits and decoding, deadline, metrics and
//                the mapping of errors. It knows no socket: the server, the unit tests and the fuzzer drive it alike.
// Ownership:     borrows the tables (static), the services and the metrics registry, which outlive it.
// Thread safety: dispatch from any number of threads; an Exchange belongs to one request at a time.
// Invariants:    every request gets exactly one response; a handler runs only for a request that passed every column of
//                its row.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "faces/rest/body_decoder.h"
#include "faces/rest/request_parser.h"
#include "faces/rest/route.h"
#include "faces/rest/router.h"
#include "service/api_keys.h"

namespace strata::rest {

struct DispatcherOptions {
  // Static keys (service/api_keys.h). None: every caller may do everything.
  std::vector<std::string> api_keys;
  // Of an operation whose row names none; 0: none.
  int64_t request_timeout_ms = 60'000;
  // Shown in the OpenAPI document.
  std::string version = "0.1.0";
  // Header lines of every answer, each ended by CRLF.
  Bytes header_lines = {};
};

// The body as it comes from the connection: unchunked, still compressed.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // As BodyReader::read.
  virtual Result<size_t> read(std::span<char> into) = 0;
  // The whole body where it lies in memory already with Request::body_padding_bytes behind it, and takes it; else
  // nullopt. Only for a body of known length.
  virtual std::optional<BytesView> take_whole() = 0;
};

// The working space of one request, reused for the next one.
class Exchange {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  RequestHead head;
  Cancellation cancellation;
  // Of the request being dispatched, 0: none. The server requests the cancellation when it is over.
  int64_t deadline_steady_us = 0;
  // Echoed or generated; set by dispatch.
  Bytes request_id;

  // Gives back what a large request made it grow to.
  void trim();

 private:
  friend class Dispatcher;
  Router::Match match_;
  Request request_;
  Bytes decoded_;  // parameters
  Bytes body_;
  std::unique_ptr<BodyReader> reader_;
};

class Dispatcher {
 public:
  Dispatcher(std::vector<std::span<const Route>> tables, Services& services, MetricsRegistry& metrics,
             DispatcherOptions options = {});
  ~Dispatcher();

  // exchange.head is parsed. What the response's stream function uses of the request lives until the next dispatch on
  // this exchange.
  Response dispatch(Exchange& exchange, BodySource& body);

  // The answer to what could not be parsed, counted as such.
  Response refuse(const Error& error);

  const std::string& openapi() const { return openapi_; }
  Services& services() const { return services_; }

 private:
  struct Operation;
  Response answer(Exchange& exchange, BodySource& body, Operation*& operation);
  Result<Response> run(const Route& route, Exchange& exchange, BodySource& body, std::string_view query);
  Result<Response> run_on_replica(const service::Replica& replica, const Route& route, Request& request);
  Response without_route(const Exchange& exchange) const;
  Result<Caller> authenticate(const RequestHead& head) const;
  Result<void> decode_parameters(Exchange& exchange, std::string_view query) const;
  Result<void> prepare_body(const Route& route, Exchange& exchange, BodySource& body) const;
  Result<void> read_whole(Exchange& exchange, BodyReader& reader) const;
  void count(Operation& operation, int status);

  Services& services_;
  const DispatcherOptions options_;
  const service::ApiKeys api_keys_;
  std::vector<const Route*> routes_;
  std::unique_ptr<Router> router_;
  std::vector<std::unique_ptr<Operation>> operations_;  // of each route
  std::unique_ptr<Operation> unmatched_;
  std::unique_ptr<Operation> malformed_;
  MetricsRegistry& metrics_;
  std::string openapi_;
};

}  // namespace strata::rest
