// LogJson: records of a log as JSON, into a stream.
//
// Purpose:       NDJSON and server-sent events of what docs/log.md describes.
// Ownership:     borrows the stream.
// Thread safety: none.
// Invariants:    memory does not grow with a record: what is gathered is sent when it exceeds gathered_bytes, a large
//                value in pieces.
#pragma once

#include "faces/rest/response.h"
#include "service/log_reader.h"

namespace strata::rest {

// RFC 3339, UTC. Years from 1970 to 9999; what lies outside shows as the nearest.
void append_time(Bytes& out, int64_t wall_us, bool with_fraction);

class LogJson {
 public:
  LogJson(ResponseStream& stream, bool events) : stream_(stream), events_(events) {}

  Result<void> write(const service::LogEntry& entry);
  // Hands what is gathered to the client.
  Result<void> flush();

 private:
  static constexpr size_t gathered_bytes = 60'000;

  Result<void> write_operation(const records::Operation& operation);
  Result<void> write_columns(const records::Operation& operation);
  Result<void> write_base64(BytesView bytes);
  void append_key(BytesView key);
  void append_timestamp(int64_t wall_us);
  Result<void> spill();

  ResponseStream& stream_;
  const bool events_;
  Bytes out_;
  // The text of the last second: records come many to a second.
  int64_t second_ = -1;
  Bytes second_text_;
};

}  // namespace strata::rest
