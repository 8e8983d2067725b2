#include "faces/rest/stream_writer.h"

#include "faces/rest/connection.h"
#include "faces/rest/response_head.h"

namespace strata::rest {

Result<void> StreamWriter::write(BytesView bytes) {
  written_ += bytes.size();
  if (length_ && written_ > *length_) return Error(ErrorCode::internal, "a response is longer than it said");
  if (gathered_.size() + bytes.size() > gather_bytes) return emit(bytes);
  gathered_.append(bytes);
  if (connection_.broken_) return ErrorCode::operation_cancelled;
  return {};
}

Result<void> StreamWriter::flush() { return emit({}); }

// What was gathered and `bytes`, as one chunk, behind what waits in the connection's output.
Result<void> StreamWriter::emit(BytesView bytes) {
  Bytes& output = connection_.work_->output;
  const size_t size = gathered_.size() + bytes.size();
  char size_line[18];
  const size_t size_line_bytes = chunked_ && size > 0 ? format_chunk_size(size, size_line) : 0;
  const BytesView end = size_line_bytes > 0 ? BytesView("\r\n") : BytesView();
  const BytesView parts[] = {output, BytesView(size_line, size_line_bytes), gathered_, bytes, end};
  const bool sent = connection_.send(parts, 5);
  output.clear();
  gathered_.clear();
  if (!sent) return Error(ErrorCode::operation_cancelled, "the client closed the connection or reads too slowly");
  return {};
}

Result<void> StreamWriter::finish() {
  if (length_ && written_ != *length_) return Error(ErrorCode::internal, "a response is shorter than it said");
  RETURN_IF_ERROR(flush());
  if (chunked_) connection_.work_->output += "0\r\n\r\n";
  return {};
}

void StreamWriter::heartbeat() {
  if (!gathered_.empty()) return;
  connection_.work_->output += chunked_ ? "3\r\n:\n\n\r\n" : ":\n\n";
}

}  // namespace strata::rest
