// EventLoop: waiting for descriptors and time on one thread. Internal to the server.
//
// Purpose:       Boost.Asio behind a plain interface: one translation unit sees it.
// Ownership:     a loop outlives its sockets; a socket owns its descriptor.
// Thread safety: post and stop from any thread; everything else on the loop's thread, or before run().
// Invariants:    a socket has at most one wait outstanding, and each ends with exactly one call of its waiter, after
//                cancel() and close() too. Never from inside wait, cancel or close.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace strata::rest {

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Until stop().
  void run();
  void stop();
  void post(std::function<void()> function);
  // From now on, once.
  void tick_every(int64_t interval_ms, std::function<void()> function);

 private:
  friend class EventSocket;
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

class EventWaiter {
 public:
  virtual ~EventWaiter() = default;
  // cancelled: by cancel() or close(), nothing happened.
  virtual void on_event(bool cancelled) = 0;
};

enum class Event : uint8_t { readable, writable };

class EventSocket {
 public:
  // Takes the descriptor, which must not block.
  EventSocket(EventLoop& loop, int descriptor);
  ~EventSocket();
  EventSocket(EventSocket&&) noexcept;

  int descriptor() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }
  void wait(Event event, EventWaiter& waiter);
  void cancel();
  void close();

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
  int descriptor_;
};

}  // namespace strata::rest
