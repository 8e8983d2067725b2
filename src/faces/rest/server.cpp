#include "faces/rest/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <thread>

#include "faces/rest/io_thread.h"

namespace strata::rest {
namespace {

// What stop() waits for handlers whose connections were cut.
constexpr auto cut_timeout = std::chrono::seconds(5);
constexpr int listen_backlog = 4'096;

Error system_error(std::string_view what, const std::string& address) {
  const ErrorCode code = errno == EADDRINUSE ? ErrorCode::unavailable : ErrorCode::io_error;
  return {code, fmt::format("{} {}: {}", what, address, std::strerror(errno))};
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

// An IP address and a port.
struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;
  std::string text;

  sockaddr* address() { return reinterpret_cast<sockaddr*>(&storage); }
  // Big-endian, where it lies: at the same place in both families.
  in_port_t& port() { return reinterpret_cast<sockaddr_in*>(&storage)->sin_port; }
};
static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));

Result<Endpoint> to_endpoint(const std::string& bind, uint16_t port) {
  const std::string host = bind == "localhost" ? "127.0.0.1" : bind;
  Endpoint endpoint;
  auto& v4 = reinterpret_cast<sockaddr_in&>(endpoint.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(endpoint.storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    endpoint.size = sizeof(v4);
    endpoint.text = fmt::format("{}:{}", host, port);
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    endpoint.size = sizeof(v6);
    endpoint.text = fmt::format("[{}]:{}", host, port);
  } else {
    return Error(ErrorCode::invalid_argument, "not an IP address to bind to: " + bind);
  }
  endpoint.port() = htons(port);
  return endpoint;
}

Result<Descriptor> bind_socket(Endpoint& endpoint, bool shared) {
  Descriptor descriptor(::socket(endpoint.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (descriptor.get() < 0) return system_error("cannot open a socket for", endpoint.text);
  const int on = 1;
  ::setsockopt(descriptor.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (shared) ::setsockopt(descriptor.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  if (::bind(descriptor.get(), endpoint.address(), endpoint.size) != 0) {
    return system_error("cannot listen on", endpoint.text);
  }
  return descriptor;
}

}  // namespace

class Server::Implementation {
 public:
  Implementation(Dispatcher& dispatcher, MetricsRegistry& metrics, ServerOptions options)
      : dispatcher_(dispatcher), options_(std::move(options)), state_(std::make_shared<ServerState>(metrics)) {
    if (options_.io_threads <= 0) options_.io_threads = static_cast<int>(std::thread::hardware_concurrency());
    if (options_.io_threads <= 0) options_.io_threads = 1;
    metrics.gauge("strata_http_connections", "Open connections",
                  [state = state_] { return static_cast<double>(state->connections.load()); });
    metrics.gauge("strata_http_requests_in_flight", "Requests being answered",
                  [state = state_] { return static_cast<double>(state->requests_in_flight.load()); });
  }

  Result<void> start() {
    ASSIGN_OR_RETURN(Endpoint endpoint, to_endpoint(options_.bind, options_.port));
    if (options_.port != 0) {
      // SO_REUSEPORT would let two servers of one user share the port without a word; this one would not.
      Result<Descriptor> probe = bind_socket(endpoint, false);
      if (!probe.ok()) return probe.error();
    }
    std::vector<Descriptor> listeners;
    for (int i = 0; i < options_.io_threads; ++i) {
      ASSIGN_OR_RETURN(Descriptor listener, bind_socket(endpoint, true));
      if (::listen(listener.get(), listen_backlog) != 0) return system_error("cannot listen on", endpoint.text);
      // Port 0 is known after the first.
      socklen_t size = sizeof(endpoint.storage);
      ::getsockname(listener.get(), endpoint.address(), &size);
      listeners.push_back(std::move(listener));
    }
    port_ = ntohs(endpoint.port());
    for (int i = 0; i < options_.io_threads; ++i) {
      threads_.push_back(std::make_unique<IoThread>(dispatcher_, options_, state_));
      threads_.back()->start(listeners[static_cast<size_t>(i)].release(), i);
    }
    return {};
  }

  uint16_t port() const { return port_; }

  bool stop() {
    if (threads_.empty()) return true;
    state_->draining = true;
    for (auto& thread : threads_) thread->drain();
    if (!wait_until_closed(std::chrono::milliseconds(options_.drain_timeout_ms))) {
      for (auto& thread : threads_) thread->cut();
      if (!wait_until_closed(cut_timeout)) return false;
    }
    for (auto& thread : threads_) thread->join();
    threads_.clear();
    return true;
  }

 private:
  bool wait_until_closed(std::chrono::milliseconds timeout) {
    std::unique_lock lock(state_->mutex);
    return state_->all_closed.wait_for(lock, timeout, [this] {
      return state_->threads_drained.load() == threads_.size() && state_->connections.load() == 0;
    });
  }

  Dispatcher& dispatcher_;
  ServerOptions options_;
  std::shared_ptr<ServerState> state_;
  std::vector<std::unique_ptr<IoThread>> threads_;
  uint16_t port_ = 0;
};

Server::Server(Dispatcher& dispatcher, MetricsRegistry& metrics, ServerOptions options)
    : implementation_(std::make_unique<Implementation>(dispatcher, metrics, std::move(options))) {}

Server::~Server() {
  // A handler that does not come back still refers to it.
  if (!implementation_->stop()) static_cast<void>(implementation_.release());
}

Result<void> Server::start() { return implementation_->start(); }
uint16_t Server::port() const { return implementation_->port(); }
bool Server::stop() { return implementation_->stop(); }

}  // namespace strata::rest
