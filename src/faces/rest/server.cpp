#include "faces/rest/server.h"

#include <errno.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
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

Result<Descriptor> bind_socket(const boost::asio::ip::tcp::endpoint& endpoint, bool shared) {
  const std::string address = fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
  Descriptor descriptor(
      ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (descriptor.get() < 0) return system_error("cannot open a socket for", address);
  const int on = 1;
  ::setsockopt(descriptor.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (shared) ::setsockopt(descriptor.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  if (::bind(descriptor.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0) {
    return system_error("cannot listen on", address);
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
    boost::system::error_code error;
    const std::string host = options_.bind == "localhost" ? "127.0.0.1" : options_.bind;
    const auto address = boost::asio::ip::make_address(host, error);
    if (error) return Error(ErrorCode::invalid_argument, "not an IP address to bind to: " + options_.bind);
    boost::asio::ip::tcp::endpoint endpoint(address, options_.port);
    if (options_.port != 0) {
      // SO_REUSEPORT would let two servers of one user share the port without a word; this one would not.
      Result<Descriptor> probe = bind_socket(endpoint, false);
      if (!probe.ok()) return probe.error();
    }
    std::vector<Descriptor> listeners;
    for (int i = 0; i < options_.io_threads; ++i) {
      ASSIGN_OR_RETURN(Descriptor listener, bind_socket(endpoint, true));
      if (::listen(listener.get(), listen_backlog) != 0) return system_error("cannot listen on", options_.bind);
      socklen_t size = static_cast<socklen_t>(endpoint.capacity());
      ::getsockname(listener.get(), endpoint.data(), &size);
      listeners.push_back(std::move(listener));
    }
    port_ = endpoint.port();
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
