// Response: what a handler answers, and the streams for answers that do not fit in memory.
//
// Purpose:       a plain value for the common case; a function that writes for the rest.
// Ownership:     owns its bytes. content_type is a view of a literal.
// Thread safety: none.
// Invariants:    Content-Length, Transfer-Encoding, Connection, Date and X-Request-Id are the server's; a handler never
//                sets them. Once a stream has begun, an error cuts the connection: the client sees a broken message,
//                never a short one that looks whole.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::rest {

inline constexpr std::string_view json_type = "application/json";
inline constexpr std::string_view text_type = "text/plain; charset=utf-8";
inline constexpr std::string_view bytes_type = "application/octet-stream";
inline constexpr std::string_view html_type = "text/html; charset=utf-8";
inline constexpr std::string_view event_stream_type = "text/event-stream";
inline constexpr std::string_view ndjson_type = "application/x-ndjson";

class ResponseStream {
 public:
  virtual ~ResponseStream() = default;
  // Gathers into a buffer and sends full ones; waits by suspending when the client reads slowly. Errors, final:
  // operation_cancelled (client gone, too slow, or the server ends), internal (more than stream_length).
  virtual Result<void> write(BytesView bytes) = 0;
  // Sends what is gathered.
  virtual Result<void> flush() = 0;
};

// Server-sent events over a stream whose content type is event_stream_type. While the function waits for its next event
// the server sends a comment line every heartbeat interval, so that proxies keep the connection and a client that has
// gone is noticed.
class EventStream {
 public:
  explicit EventStream(ResponseStream& stream) : stream_(stream) {}
  // `data` may have several lines; `event` and `id` are left out when empty and must not hold line breaks. Flushes.
  Result<void> send(BytesView data, std::string_view event = {}, std::string_view id = {});

 private:
  ResponseStream& stream_;
};

using StreamFunction = std::function<Result<void>(ResponseStream&)>;

struct Response {
  int status = 200;
  // A literal; empty: no Content-Type, or one of the handler's own by add_header.
  std::string_view content_type = json_type;
  Bytes body;
  // Instead of `body`. Called in the request's coroutine after the head is sent; not called for HEAD.
  StreamFunction stream;
  // Known length of the stream: Content-Length instead of chunks.
  std::optional<uint64_t> stream_length;
  // Header lines, each ended by CRLF.
  Bytes header_lines;

  static Response json(Bytes body, int status = 200) {
    Response response;
    response.status = status;
    response.body = std::move(body);
    return response;
  }
  static Response streamed(std::string_view content_type, StreamFunction stream,
                           std::optional<uint64_t> length = std::nullopt) {
    Response response;
    response.content_type = content_type;
    response.stream = std::move(stream);
    response.stream_length = length;
    return response;
  }

  // Bytes that may not stand in a header value (controls but tab) are replaced by '?': nothing can end the line.
  void add_header(std::string_view name, std::string_view value);
};

// {"error":"..."} with the error's status; with_code: and {"code": status}.
Response error_response(const Error& error, bool with_code = false);

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(Bytes& out, BytesView text);

}  // namespace strata::rest
