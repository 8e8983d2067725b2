// Connection: one client, its requests one after the other. Internal to the server.
//
// Purpose:       reads heads without a stack, runs each burst of complete requests as one coroutine, writes responses.
// Ownership:     owned by its IoThread's list; deletes itself through IoThread::remove when nothing refers to it.
// Thread safety: its thread only.
// Invariants:    at most one wait on the socket and one coroutine at a time. A response is begun only after the one
//                before it is complete. After an error on the socket nothing is read or written any more.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <optional>

#include "faces/rest/io_thread.h"

namespace strata::rest {

class StreamWriter;

class Connection final : private BodySource, private EventWaiter {
 public:
  Connection(IoThread& thread, EventSocket socket);
  ~Connection() override;

  void start();
  // From the tick: time limits, heartbeats.
  void check_time(int64_t now);
  // A coroutine runs and does not wait for the socket: nobody would notice that the client has gone.
  bool unwatched() const { return phase_ == Phase::running && !waiting_; }
  int descriptor() const { return socket_.descriptor(); }
  void on_peer_gone();
  void drain();
  void cut();

  size_t index = 0;  // in the thread's list

 private:
  friend class StreamWriter;
  // A stop does not wait longer for the rest of a head.
  static constexpr int64_t drained_head_ms = 1'000;
  enum class Phase : uint8_t { idle, head, running, lingering, closed };

  void on_event(bool cancelled) override;

  // Without a coroutine. Those that may close may delete the connection: nothing of it is touched after them.
  void arm_read();
  void on_readable();
  void on_lingering();
  bool receive();
  void begin_head();
  bool try_head();
  void become_idle();
  void close(bool abort = false);
  void linger();
  void delete_if_unused();

  // In the coroutine.
  void run();
  bool serve();
  void refuse(const Error& error);
  void respond(Response&& response, bool reuse);
  void respond_streamed(Response& response, HeadOptions options);
  bool body_can_be_drained() const;
  bool drain_body();
  void finish_request();
  bool wait(Event event, int64_t timeout_ms);
  bool flush();
  bool send(const BytesView* parts, size_t count);
  bool try_flush();

  Result<size_t> read(std::span<char> into) override;
  std::optional<BytesView> take_whole() override;
  Result<size_t> read_sized(std::span<char> into);
  Result<size_t> read_chunked(std::span<char> into);
  Result<void> await_body();
  Result<size_t> body_error(Error error);
  Result<size_t> receive_into(char* at, size_t size);

  IoThread& thread_;
  EventSocket socket_;
  Phase phase_ = Phase::idle;
  bool waiting_ = false;            // a wait is outstanding
  bool timed_out_ = false;          // it was ended by its time limit
  bool broken_ = false;             // the socket failed or was cut
  bool reset_ = false;              // a streamed body broke off: end with a reset
  StreamWriter* events_ = nullptr;  // an event stream that is being written
  Coroutine* coroutine_ = nullptr;
  std::unique_ptr<WorkSpace> work_;
  int64_t deadline_us_ = 0;  // of the wait, 0: none
  // Of the current request.
  std::optional<Error> parse_error_;
  uint64_t body_left_ = 0;  // of a body with a length
  bool chunks_left_ = false;
  bool body_failed_ = false;
  bool continue_wanted_ = false;
  int64_t body_waited_us_ = 0;
  uint64_t body_received_ = 0;
  int64_t last_sent_us_ = 0;  // of an event stream
};

}  // namespace strata::rest
