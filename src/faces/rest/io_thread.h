// IoThread: one event loop, its listener, its connections and their coroutines. Internal to the server.
//
// Purpose:       everything that a connection needs from its thread: buffers, stacks, time, counters.
// Ownership:     owns its connections; work spaces are pooled.
// Thread safety: all on its own thread, but for on_ready, drain, cut and join.
// Invariants:    a connection never changes threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/coroutine.h"
#include "base/metrics.h"
#include "faces/rest/dispatcher.h"
#include "faces/rest/event_loop.h"
#include "faces/rest/request_parser.h"
#include "faces/rest/response_head.h"
#include "faces/rest/server.h"

namespace strata::rest {

class Connection;

// Shared by the threads of a server, and by the gauges it registered, which may outlive it.
struct ServerState {
  explicit ServerState(MetricsRegistry& metrics);

  std::atomic<size_t> connections{0};
  std::atomic<size_t> requests_in_flight{0};
  std::atomic<bool> draining{false};
  std::atomic<size_t> threads_drained{0};  // they accept no more
  std::mutex mutex;
  std::condition_variable all_closed;
  Counter& accepted;
  Counter& refused;
  Counter& received_bytes;
  Counter& sent_bytes;
};

// What a connection holds only while it serves: an idle one costs its socket and 200 bytes.
struct WorkSpace {
  explicit WorkSpace(const ServerOptions& options)
      : parser({.max_header_bytes = options.max_header_bytes, .max_target_bytes = options.max_target_bytes}) {}

  Exchange exchange;
  RequestParser parser;
  // Bytes that came and were not consumed yet are input[begin, end); body_padding_bytes more can always be read.
  Bytes input;
  size_t input_begin = 0;
  size_t input_end = 0;
  // Of a chunked body, in its raw form, so that the head in `input` stays where it is.
  Bytes chunked_input;
  // Responses not sent yet.
  Bytes output;

  BytesView unread() const { return BytesView(input).substr(input_begin, input_end - input_begin); }
  void trim();
};

class IoThread final : public ReadyListener, private EventWaiter {
 public:
  IoThread(Dispatcher& dispatcher, const ServerOptions& options, std::shared_ptr<ServerState> state);
  ~IoThread() override;

  // `listener`: a bound, listening, non-blocking descriptor; taken.
  void start(int listener, int number);
  // Stop accepting; close what is idle.
  void drain();
  // Cancel and cut what is left.
  void cut();
  // When every connection is closed.
  void join();

  void on_ready() override;

  // For connections.
  Dispatcher& dispatcher() { return dispatcher_; }
  const ServerOptions& options() const { return options_; }
  ServerState& state() { return *state_; }
  CoroutinePool& coroutines() { return coroutines_; }
  DateCache& date() { return date_; }
  static int64_t now_us();
  std::unique_ptr<WorkSpace> take_work_space();
  void give_back(std::unique_ptr<WorkSpace> work);
  void remove(Connection* connection);

 private:
  static constexpr size_t input_bytes = 16'384;
  static constexpr size_t max_pooled_work_spaces = 128;

  // The listener has connections.
  void on_event(bool cancelled) override;
  void arm_accept();
  bool accept_some();
  void adopt(int descriptor);
  void tick();
  void notice_disconnects();

  Dispatcher& dispatcher_;
  const ServerOptions& options_;
  std::shared_ptr<ServerState> state_;
  EventLoop loop_;
  std::unique_ptr<EventSocket> listener_;
  CoroutinePool coroutines_;
  DateCache date_;
  std::vector<std::unique_ptr<WorkSpace>> work_spaces_;
  std::vector<Connection*> connections_;
  bool accept_paused_ = false;  // out of descriptors: the next tick tries again
  std::thread thread_;
};

}  // namespace strata::rest
