// StreamWriter: a streamed response body on its way to the socket. Internal to the server.
//
// Purpose:       frames what the handler writes: chunks, or bytes against a promised length.
// Ownership:     lives on the coroutine's stack for one response; borrows the connection.
// Thread safety: the connection's thread.
// Invariants:    small writes are gathered to one chunk and one system call; large ones are sent from where they lie.
#pragma once

#include <optional>

#include "faces/rest/response.h"

namespace strata::rest {

class Connection;

class StreamWriter final : public ResponseStream {
 public:
  StreamWriter(Connection& connection, bool chunked, std::optional<uint64_t> length)
      : connection_(connection), chunked_(chunked), length_(length) {}

  Result<void> write(BytesView bytes) override;
  Result<void> flush() override;
  // The end of the body. internal: fewer bytes than promised.
  Result<void> finish();
  // A comment line of an event stream, appended to what waits to be sent; nothing in the middle of an event.
  void heartbeat();

 private:
  static constexpr size_t gather_bytes = 16'384;
  Result<void> emit(BytesView bytes);

  Connection& connection_;
  const bool chunked_;
  const std::optional<uint64_t> length_;
  uint64_t written_ = 0;
  Bytes gathered_;
};

}  // namespace strata::rest
