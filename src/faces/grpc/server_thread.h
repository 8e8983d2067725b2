// ServerThread: one completion queue, its thread and the coroutines of its calls. Internal to the server.
//
// Purpose:       what a call needs from its thread: events of the library, stacks, the time.
// Ownership:     owns its queue, its thread and the calls that run on it.
// Thread safety: all on its own thread, but for on_ready, calls_in_flight, begin_drain, begin_end, join and the
//                constructor.
// Invariants:    a call never changes threads. The queue is shut down when no coroutine runs any more, so that nobody
//                wakes one through a dead queue.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/coroutine.h"
#include "faces/grpc/dispatcher.h"
#include "faces/grpc/table_service.h"

namespace strata::rpc {

// What a tag of the completion queue points to.
class QueueEvent {
 public:
  virtual ~QueueEvent() = default;
  virtual void complete(bool ok) = 0;
};

// Calls a member function of its owner.
template <class Owner, void (Owner::*function)(bool)>
class EventOf final : public QueueEvent {
 public:
  explicit EventOf(Owner& owner) : owner_(owner) {}
  void complete(bool ok) override { (owner_.*function)(ok); }

 private:
  Owner& owner_;
};

class ServerCall;

// A method that the threads wait for.
struct ServedMethod {
  TableService* service;
  int index_in_service;
};

class ServerThread final : public ReadyListener {
 public:
  ServerThread(Dispatcher& dispatcher, std::unique_ptr<::grpc::ServerCompletionQueue> queue);
  ~ServerThread() override;

  // After the library's server was built: waits for calls of all methods (those of the dispatcher's table, in order).
  void start(const std::vector<ServedMethod>& methods, int number);
  // Ends the conversations that would never end.
  void begin_drain();
  // No call comes any more; the thread ends when the last one has.
  void begin_end();
  // False: calls still run after so long.
  bool join(int64_t timeout_ms);

  void on_ready() override;

  // Of calls that have arrived and are not over.
  size_t calls_in_flight() const { return calls_in_flight_.load(std::memory_order_acquire); }

  // For calls.
  Dispatcher& dispatcher() { return dispatcher_; }
  ::grpc::ServerCompletionQueue* queue() { return queue_.get(); }
  CoroutinePool& coroutines() { return coroutines_; }
  void wait_for_call(size_t method);
  void add(ServerCall* call);
  void remove(ServerCall* call);

 private:
  void loop();
  void woken(bool ok);
  void asked_to_drain(bool ok);
  void asked_to_end(bool ok);
  void tick();

  Dispatcher& dispatcher_;
  std::unique_ptr<::grpc::ServerCompletionQueue> queue_;
  std::vector<ServedMethod> methods_;
  CoroutinePool coroutines_;
  std::vector<ServerCall*> calls_;
  std::atomic<size_t> calls_in_flight_{0};
  std::chrono::system_clock::time_point next_tick_{};
  ::grpc::Alarm wake_alarm_;
  ::grpc::Alarm drain_alarm_;
  ::grpc::Alarm end_alarm_;
  EventOf<ServerThread, &ServerThread::woken> wake_event_{*this};
  EventOf<ServerThread, &ServerThread::asked_to_drain> drain_event_{*this};
  EventOf<ServerThread, &ServerThread::asked_to_end> end_event_{*this};
  bool draining_ = false;
  bool ending_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace strata::rpc
