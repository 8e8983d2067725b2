// ServerCall: one call of a client, from waiting for it to its end. Internal to the server.
//
// Purpose:       turns the library's events into the waits of a coroutine.
// Ownership:     owns itself: made to wait for a call, deleted when the library is done with it.
// Thread safety: its thread's.
// Invariants:    one read or write at a time. It goes when the coroutine has ended and both last events have come: that
//                of the status and that of the call's end.
#pragma once

#include <grpcpp/server_context.h>

#include "faces/grpc/rpc.h"
#include "faces/grpc/server_thread.h"

namespace strata::rpc {

class ServerCall final : public Call {
 public:
  ServerCall(ServerThread& thread, size_t method);

  void wait(TableService& service, int index);
  // The server begins to stop.
  void drain();
  void check_deadline(int64_t now_steady_us);

  Result<bool> read(MessageLite& message) override;
  Result<void> write(const MessageLite& message) override;
  Result<void> answer(const MessageLite& message) override;
  Arena& arena() override { return arena_; }

  // In the thread's list.
  size_t position = 0;

 private:
  void arrived(bool ok);
  void moved(bool ok);     // a read or a write is done
  void finished(bool ok);  // the status was sent, or will never be
  void done(bool ok);      // the call is over for the library
  void run();
  void finish(const Outcome& outcome);
  void end_one();
  // Of the operation that was just begun: waits for its end.
  bool wait_for_move();
  int64_t client_deadline_steady_us() const;
  Credentials credentials() const;

  ServerThread& thread_;
  const size_t method_;
  ::grpc::ServerContext library_context_;
  ByteStream stream_{&library_context_};
  ::grpc::ByteBuffer answer_;
  bool has_answer_ = false;
  Coroutine* waiting_ = nullptr;
  int64_t reading_since_us_ = 0;  // 0: not reading
  bool move_ok_ = false;
  int ends_left_ = 2;
  Arena arena_;
  EventOf<ServerCall, &ServerCall::arrived> arrived_event_{*this};
  EventOf<ServerCall, &ServerCall::moved> moved_event_{*this};
  EventOf<ServerCall, &ServerCall::finished> finished_event_{*this};
  EventOf<ServerCall, &ServerCall::done> done_event_{*this};
};

}  // namespace strata::rpc
