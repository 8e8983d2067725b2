// The operations of the server's tests.
#include "faces/rest/server_fixture.h"

#include <algorithm>
#include <stdexcept>

namespace strata::rest {

Stage*& current_stage() {
  static Stage* stage = nullptr;
  return stage;
}

namespace {

uint64_t number(Request& request, std::string_view name) {
  return std::stoull(std::string(request.query(name).value_or("0")));
}

Result<Response> echo(Services&, Request& request) { return Response::json(Bytes(request.body())); }

// Waits `ms` on a thread of another's: resumed from there.
Result<Response> sleep(Services&, Request& request) {
  RETURN_IF_ERROR(sleep_us(static_cast<int64_t>(number(request, "ms")) * 1'000).get());
  return Response::json(Bytes(request.query("name").value_or("")));
}

Result<Response> wait(Services&, Request& request) {
  Stage& stage = *current_stage();
  ASSIGN_OR_RETURN(const int value, stage.wait(request.query("cancellable") ? &request.cancellation() : nullptr));
  ++stage.finished;
  return Response::json(std::to_string(value));
}

Result<Response> count_body(Services&, Request& request) {
  char buffer[65'536];
  uint64_t total = 0;
  for (;;) {
    ASSIGN_OR_RETURN(const size_t count, request.body_reader().read(buffer));
    if (count == 0) return Response::json(std::to_string(total));
    total += count;
  }
}

// `mb` MiB, with a known length for ?sized, in writes of `piece` bytes; breaks off for ?break and ?throw.
Result<Response> download(Services&, Request& request) {
  const uint64_t bytes = number(request, "mb") << 20;
  const uint64_t piece = request.query("piece") ? number(request, "piece") : 100'000;
  const bool breaks = request.query("break").has_value();
  const bool throws = request.query("throw").has_value();
  Stage* stage = current_stage();
  auto write = [=](ResponseStream& stream) -> Result<void> {
    const Bytes block(piece, 'x');
    for (uint64_t written = 0; written < bytes; written += piece) {
      if (breaks && written > bytes / 2) return ErrorCode::io_error;
      if (throws && written > bytes / 2) throw std::runtime_error("library trouble");
      Result<void> result = stream.write(BytesView(block).substr(0, std::min(piece, bytes - written)));
      if (!result.ok()) {
        ++stage->stream_errors;
        return result;
      }
    }
    return {};
  };
  return Response::streamed(bytes_type, write, request.query("sized") ? std::optional(bytes) : std::nullopt);
}

// `count` events, then waits until it is cancelled, then ends by itself.
Result<Response> events(Services&, Request& request) {
  const uint64_t count = number(request, "count");
  return Response::streamed(event_stream_type, [count, &request](ResponseStream& stream) -> Result<void> {
    EventStream sender(stream);
    for (uint64_t i = 0; i < count; ++i) RETURN_IF_ERROR(sender.send("event " + std::to_string(i), "tick"));
    static_cast<void>(current_stage()->wait(&request.cancellation()));
    return sender.send("bye");
  });
}

const Route rows[] = {
    {.method = Method::post, .path = "/echo", .operation = "echo", .body = BodyKind::bytes, .handler = echo},
    {.path = "/sleep", .operation = "sleep", .handler = sleep},
    {.path = "/wait", .operation = "wait", .handler = wait},
    {.path = "/deadline", .operation = "deadline", .timeout_ms = 50, .handler = wait},
    {.method = Method::post,
     .path = "/count",
     .operation = "count",
     .body = BodyKind::stream,
     .body_limit_bytes = uint64_t{1} << 40,
     .handler = count_body},
    {.method = Method::post, .path = "/ignore", .operation = "ignore", .handler = sleep},
    {.path = "/download", .operation = "download", .handler = download},
    {.path = "/events", .operation = "events", .timeout_ms = -1, .handler = events},
};

}  // namespace

std::span<const Route> ServerTest::routes() { return rows; }

}  // namespace strata::rest
