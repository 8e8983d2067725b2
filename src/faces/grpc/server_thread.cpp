#include "faces/grpc/server_thread.h"

#include <pthread.h>

#include <chrono>

#include "faces/grpc/server_call.h"

namespace strata::rpc {
namespace {

// Of looking at deadlines that are ours and not the client's.
constexpr std::chrono::milliseconds tick_interval{250};

// A time that is over: with "now" the library may wait for the next millisecond.
gpr_timespec at_once() { return gpr_inf_past(GPR_CLOCK_MONOTONIC); }

}  // namespace

ServerThread::ServerThread(Dispatcher& dispatcher, std::unique_ptr<::grpc::ServerCompletionQueue> queue)
    : dispatcher_(dispatcher), queue_(std::move(queue)), coroutines_(*this) {}

ServerThread::~ServerThread() {
  if (thread_.joinable()) thread_.join();
}

void ServerThread::start(const std::vector<ServedMethod>& methods, int number) {
  methods_ = methods;
  thread_ = std::thread([this, number] {
    pthread_setname_np(pthread_self(), ("grpc-" + std::to_string(number)).c_str());
    loop();
  });
}

void ServerThread::begin_drain() { drain_alarm_.Set(queue_.get(), at_once(), &drain_event_); }

void ServerThread::begin_end() { end_alarm_.Set(queue_.get(), at_once(), &end_event_); }

bool ServerThread::join(int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return ended_; })) return false;
  lock.unlock();
  thread_.join();
  return true;
}

void ServerThread::on_ready() {
  // Called only when no wake-up is on its way: run_ready, which comes after this one's event, opens the list again.
  wake_alarm_.Set(queue_.get(), at_once(), &wake_event_);
}

void ServerThread::woken(bool) { coroutines_.run_ready(); }

void ServerThread::asked_to_drain(bool) {
  draining_ = true;
  for (ServerCall* call : calls_) call->drain();
}

void ServerThread::asked_to_end(bool) { ending_ = true; }

void ServerThread::wait_for_call(size_t method) {
  const ServedMethod& served = methods_[method];
  (new ServerCall(*this, method))->wait(*served.service, served.index_in_service);
}

void ServerThread::add(ServerCall* call) {
  call->position = calls_.size();
  calls_.push_back(call);
  calls_in_flight_.store(calls_.size(), std::memory_order_release);
  if (draining_) call->drain();
}

void ServerThread::remove(ServerCall* call) {
  calls_[call->position] = calls_.back();
  calls_[call->position]->position = call->position;
  calls_.pop_back();
  calls_in_flight_.store(calls_.size(), std::memory_order_release);
}

void ServerThread::tick() {
  const int64_t now_us = dispatcher_.services().clock->steady_us();
  // What a cancellation wakes runs later, so that no call ends in between.
  for (ServerCall* call : calls_) call->check_deadline(now_us);
  next_tick_ = std::chrono::system_clock::now() + tick_interval;
}

void ServerThread::loop() {
  for (size_t method = 0; method < methods_.size(); ++method) wait_for_call(method);
  bool shut = false;
  for (uint64_t events = 1;; ++events) {
    void* tag = nullptr;
    bool ok = false;
    const auto status = queue_->AsyncNext(&tag, &ok, next_tick_);
    if (status == ::grpc::CompletionQueue::SHUTDOWN) break;
    if (status == ::grpc::CompletionQueue::GOT_EVENT) static_cast<QueueEvent*>(tag)->complete(ok);
    // A thread that always has something to do never sees a time-out.
    const bool look = status == ::grpc::CompletionQueue::TIMEOUT || events % 256 == 0;
    if (look && std::chrono::system_clock::now() >= next_tick_) tick();
    if (ending_ && !shut && calls_.empty() && coroutines_.running() == 0) {
      shut = true;
      queue_->Shutdown();
    }
  }
  std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

}  // namespace strata::rpc
