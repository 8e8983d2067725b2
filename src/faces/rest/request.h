// Request: one HTTP request as a handler sees it.
//
// Purpose:       parameters, query, headers and body, already checked against the route's row: authenticated,
//                permitted, within limits, percent-decoded.
// Ownership:     everything it returns is borrowed and lives until the handler returns (for a streamed response: until
//                its stream function returns).
// Thread safety: one coroutine at a time, on the I/O thread that owns the connection. A cancel callback runs on that
//                thread too, while the handler is suspended.
// Invariants:    path parameters and query are decoded after routing: %2F stays in its segment, any byte may come out,
//                %00 included.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/byte_stream.h"
#include "base/bytes.h"
#include "base/cancellation.h"
#include "base/result.h"
#include "service/permission.h"

namespace strata::rest {

enum class Method : uint8_t { get, head, post, put, delete_, patch, options, other };
std::string_view method_name(Method method);

using service::Caller;
using service::Permission;

struct HeaderField {
  std::string_view name;
  std::string_view value;
};
struct Parameter {
  std::string_view name;
  BytesView value;
};

// The body of a route whose body kind is `stream`, already unchunked and decompressed.
class BodyReader : public ByteSource {
 public:
  // 0 at the end, then and forever. Waits by suspending the coroutine. Errors, final: payload_too_large,
  // request_timeout, invalid_argument (broken framing or compression), operation_cancelled (the client is gone).
  Result<size_t> read(std::span<char> into) override = 0;
};

class Request {
 public:
  // As the client sent it; a HEAD request reaches the handler of GET with is_head() true.
  Method method() const { return method_; }
  bool is_head() const { return method_ == Method::head; }
  // Undecoded, with the query.
  std::string_view target() const { return target_; }

  // Of the path template, decoded. The name is one of the route's.
  BytesView param(std::string_view name) const;
  // The first of that name, decoded ('+' is a space, as in forms); nullopt when absent, empty for `?name` and `?name=`.
  std::optional<BytesView> query(std::string_view name) const;
  // All of them, in order.
  std::span<const Parameter> query_parameters() const { return query_; }
  // The first of that name, compared without case.
  std::optional<std::string_view> header(std::string_view name) const;
  std::span<const HeaderField> headers() const { return headers_; }

  // The whole body (body kinds json and bytes). body_padding_bytes readable bytes follow it, so that simdjson parses it
  // in place: simdjson::padded_string_view(body.data(), body.size(), body.size() + Request::body_padding_bytes).
  static constexpr size_t body_padding_bytes = 64;
  BytesView body() const { return body_; }
  // Body kind stream.
  BodyReader& body_reader() const {
    STRATA_ASSERT(body_reader_ != nullptr);
    return *body_reader_;
  }
  // From Content-Length, of an uncompressed body.
  std::optional<uint64_t> content_length() const { return content_length_; }

  const Caller& caller() const { return caller_; }
  // Echoed or generated X-Request-Id.
  std::string_view id() const { return id_; }
  // By the services' clock; 0: none.
  int64_t deadline_steady_us() const { return deadline_steady_us_; }
  Cancellation& cancellation() const { return *cancellation_; }

 private:
  friend class Dispatcher;

  Method method_ = Method::other;
  std::string_view target_;
  std::vector<Parameter> params_;
  std::vector<Parameter> query_;
  std::span<const HeaderField> headers_;
  BytesView body_;
  BodyReader* body_reader_ = nullptr;
  std::optional<uint64_t> content_length_;
  Caller caller_;
  std::string_view id_;
  int64_t deadline_steady_us_ = 0;
  Cancellation* cancellation_ = nullptr;
};

}  // namespace strata::rest
