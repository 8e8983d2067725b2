#include "faces/rest/io_thread.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/clock.h"
#include "faces/rest/connection.h"

namespace strata::rest {
namespace {

constexpr int accepts_at_once = 64;

// Often enough for the shortest of the limits, seldom enough to cost nothing when idle.
int64_t tick_interval_ms(const ServerOptions& options) {
  const int64_t shortest = std::min({options.header_timeout_ms, options.body_timeout_ms, options.write_timeout_ms,
                                     options.keep_alive_timeout_ms, options.heartbeat_interval_ms});
  return std::clamp<int64_t>(shortest / 4, 10, 1'000);
}

}  // namespace

ServerState::ServerState(MetricsRegistry& metrics)
    : accepted(metrics.counter("strata_http_connections_accepted_total", "Connections accepted")),
      refused(metrics.counter("strata_http_connections_refused_total", "Connections answered 503: too many")),
      received_bytes(metrics.counter("strata_http_received_bytes_total", "Bytes read from clients")),
      sent_bytes(metrics.counter("strata_http_sent_bytes_total", "Bytes sent to clients")) {}

void WorkSpace::trim() {
  exchange.trim();
  if (output.capacity() > 131'072) output = Bytes();
  if (chunked_input.capacity() > 65'536) chunked_input = Bytes();
}

IoThread::IoThread(Dispatcher& dispatcher, const ServerOptions& options, std::shared_ptr<ServerState> state)
    : dispatcher_(dispatcher),
      options_(options),
      state_(std::move(state)),
      coroutines_(*this, {.stack_bytes = options.stack_bytes}) {}

IoThread::~IoThread() { STRATA_ASSERT(!thread_.joinable() && connections_.empty()); }

void IoThread::start(int listener, int number) {
  listener_ = std::make_unique<EventSocket>(loop_, listener);
  arm_accept();
  loop_.tick_every(tick_interval_ms(options_), [this] { tick(); });
  // Signals are the main thread's.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  thread_ = std::thread([this, number] {
    pthread_setname_np(pthread_self(), ("strata-io-" + std::to_string(number)).c_str());
    loop_.run();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

int64_t IoThread::now_us() { return system_clock().steady_us(); }

void IoThread::on_ready() {
  loop_.post([this] { coroutines_.run_ready(); });
}

std::unique_ptr<WorkSpace> IoThread::take_work_space() {
  if (!work_spaces_.empty()) {
    std::unique_ptr<WorkSpace> work = std::move(work_spaces_.back());
    work_spaces_.pop_back();
    return work;
  }
  auto work = std::make_unique<WorkSpace>(options_);
  work->input.resize(input_bytes + Request::body_padding_bytes);
  return work;
}

void IoThread::give_back(std::unique_ptr<WorkSpace> work) {
  if (work_spaces_.size() >= max_pooled_work_spaces) return;
  work->input_begin = work->input_end = 0;
  work->output.clear();
  work->chunked_input.clear();
  work->exchange.cancellation.clear();
  work->exchange.deadline_steady_us = 0;
  work->trim();
  if (work->input.size() > input_bytes + Request::body_padding_bytes) {
    work->input = Bytes(input_bytes + Request::body_padding_bytes, '\0');
  }
  work_spaces_.push_back(std::move(work));
}

void IoThread::remove(Connection* connection) {
  const size_t index = connection->index;
  connections_[index] = connections_.back();
  connections_[index]->index = index;
  connections_.pop_back();
  delete connection;
}

void IoThread::arm_accept() { listener_->wait(Event::readable, *this); }

void IoThread::on_event(bool cancelled) {
  if (cancelled) return;
  accept_some();
  if (!accept_paused_) arm_accept();
}

// False: no more are waiting.
bool IoThread::accept_some() {
  for (int i = 0; i < accepts_at_once; ++i) {
    const int descriptor = ::accept4(listener_->descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      adopt(descriptor);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    // Out of descriptors or memory: trying again at once would spin.
    accept_paused_ = errno != EAGAIN && errno != EWOULDBLOCK;
    return false;
  }
  return true;
}

void IoThread::adopt(int descriptor) {
  state_->accepted.add();
  if (state_->connections.load(std::memory_order_relaxed) >= options_.max_connections) {
    static constexpr std::string_view refusal =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 32\r\n"
        "Retry-After: 1\r\nConnection: close\r\n\r\n{\"error\":\"too many connections\"}";
    state_->refused.add();
    ::send(descriptor, refusal.data(), refusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::shutdown(descriptor, SHUT_WR);
    ::close(descriptor);
    return;
  }
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  auto* connection = new Connection(*this, EventSocket(loop_, descriptor));
  connection->index = connections_.size();
  connections_.push_back(connection);
  connection->start();
}

void IoThread::tick() {
  const int64_t now = now_us();
  // Backwards: a connection that is removed is replaced by one that has been seen.
  for (size_t i = connections_.size(); i-- > 0;) connections_[i]->check_time(now);
  notice_disconnects();
  if (std::exchange(accept_paused_, false) && listener_->is_open()) arm_accept();
}

// A request that waits for something else than its socket does not see its client go. Asking once a tick costs one
// system call for all of them; an epoll registration for each would cost two for every request.
void IoThread::notice_disconnects() {
  std::vector<pollfd> descriptors;
  std::vector<Connection*> asked;
  for (Connection* connection : connections_) {
    if (!connection->unwatched()) continue;
    descriptors.push_back({connection->descriptor(), POLLRDHUP, 0});
    asked.push_back(connection);
  }
  if (descriptors.empty() || ::poll(descriptors.data(), descriptors.size(), 0) <= 0) return;
  for (size_t i = 0; i < descriptors.size(); ++i) {
    if (descriptors[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) asked[i]->on_peer_gone();
  }
}

void IoThread::drain() {
  loop_.post([this] {
    // Connections that the kernel has completed but nobody accepted yet would be reset.
    while (accept_some()) {
    }
    listener_->close();
    for (size_t i = connections_.size(); i-- > 0;) connections_[i]->drain();
    std::lock_guard lock(state_->mutex);
    ++state_->threads_drained;
    state_->all_closed.notify_all();
  });
}

void IoThread::cut() {
  loop_.post([this] {
    for (size_t i = connections_.size(); i-- > 0;) connections_[i]->cut();
  });
}

void IoThread::join() {
  loop_.stop();
  thread_.join();
}

}  // namespace strata::rest
