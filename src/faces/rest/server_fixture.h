// For the tests of the server: a server with operations that wait, stream and fail, and a client that speaks bytes.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/future.h"
#include "base/timer.h"
#include "faces/rest/dispatcher.h"
#include "faces/rest/server.h"
#include "faces/rest/system_routes.h"

namespace strata::rest {

// Polls until it holds; false after 10 s.
inline bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 10'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

class Client {
 public:
  explicit Client(uint16_t port, int receive_buffer_bytes = 0) {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes > 0) {
      ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(receive_buffer_bytes));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  Client(Client&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)),
        connected_(other.connected_),
        input_(std::move(other.input_)) {}
  ~Client() { close(); }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  void end_sending() { ::shutdown(descriptor_, SHUT_WR); }
  bool connected() const { return connected_; }

  // False: the server does not take it.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // Up to and with `end`; what was there instead when the connection closed first.
  std::string read_until(std::string_view end) {
    for (;;) {
      const size_t at = input_.find(end);
      if (at != std::string::npos) return take(at + end.size());
      if (!receive()) return take(input_.size());
    }
  }
  std::string read_exactly(size_t size) {
    while (input_.size() < size && receive()) {
    }
    return take(std::min(size, input_.size()));
  }
  std::string read_to_end() {
    while (receive()) {
    }
    return take(input_.size());
  }
  // Ended by the server, with or without a reset.
  bool closed() {
    while (receive()) {
    }
    return !timed_out_;
  }
  bool was_reset() const { return reset_; }

  struct Answer {
    int status = 0;
    std::string head;
    std::string body;
  };
  // One response; of a chunked one the decoded body.
  Answer read_answer(bool head_only = false) {
    Answer answer;
    answer.head = read_until("\r\n\r\n");
    if (answer.head.size() < 12) return answer;
    answer.status = std::stoi(answer.head.substr(9, 3));
    if (head_only) return answer;
    if (answer.head.find("Transfer-Encoding: chunked\r\n") != std::string::npos) {
      for (;;) {
        const std::string line = read_until("\r\n");
        const size_t size = line.empty() ? 0 : std::stoul(line, nullptr, 16);
        answer.body += read_exactly(size);
        read_until("\r\n");
        if (size == 0) return answer;
      }
    }
    const size_t at = answer.head.find("Content-Length: ");
    if (at != std::string::npos) answer.body = read_exactly(std::stoul(answer.head.substr(at + 16)));
    return answer;
  }
  Answer ask(std::string_view request) {
    send(request);
    return read_answer();
  }
  Answer get(const std::string& target) { return ask("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n"); }

 private:
  bool receive() {
    pollfd descriptor{descriptor_, POLLIN, 0};
    if (::poll(&descriptor, 1, 10'000) <= 0) {
      timed_out_ = true;
      ADD_FAILURE() << "the server did not answer within 10 s";
      return false;
    }
    char buffer[65'536];
    const ssize_t count = ::recv(descriptor_, buffer, sizeof(buffer), 0);
    reset_ = count < 0;
    if (count <= 0) return false;
    input_.append(buffer, static_cast<size_t>(count));
    return true;
  }
  std::string take(size_t size) {
    std::string out = input_.substr(0, size);
    input_.erase(0, size);
    return out;
  }

  int descriptor_ = -1;
  bool connected_ = false;
  bool timed_out_ = false;
  bool reset_ = false;
  std::string input_;
};

// What the handlers below wait for, and what they saw.
struct Stage {
  // One promise for each request that waits.
  std::mutex mutex;
  std::vector<std::shared_ptr<Promise<int>>> waiting;
  std::atomic<int> cancelled{0};
  std::atomic<int> stream_errors{0};
  std::atomic<int> finished{0};

  size_t waiters() {
    std::lock_guard lock(mutex);
    return waiting.size();
  }
  void release() {
    std::vector<std::shared_ptr<Promise<int>>> all;
    {
      std::lock_guard lock(mutex);
      all.swap(waiting);
    }
    for (auto& promise : all) promise->fulfil(1);
  }
  // Suspends the caller until release() or, when asked for, its cancellation.
  Result<int> wait(Cancellation* cancellation) {
    auto promise = std::make_shared<Promise<int>>();
    Future<int> future = promise->future();
    if (cancellation) {
      cancellation->on_request([promise, this] {
        ++cancelled;
        promise->fulfil(ErrorCode::operation_cancelled);
      });
    }
    {
      std::lock_guard lock(mutex);
      waiting.push_back(promise);
    }
    return future.get();
  }
};

// Of the test that runs: handlers are plain functions.
Stage*& current_stage();

class ServerTest : public testing::Test {
 protected:
  static std::span<const Route> routes();

  ServerTest() {
    current_stage() = &stage;
    status.set_started();
    services.metrics = &metrics;
    services.system = &status;
    options.port = 0;
    options.io_threads = 2;
  }
  ~ServerTest() override {
    stage.release();
    server.reset();
    current_stage() = nullptr;
  }
  void start() {
    dispatcher = std::make_unique<Dispatcher>(std::vector<std::span<const Route>>{system_routes(), routes()}, services,
                                              metrics, DispatcherOptions{});
    server = std::make_unique<Server>(*dispatcher, metrics, options);
    const Result<void> started = server->start();
    ASSERT_TRUE(started.ok()) << started.error().message();
  }
  uint16_t port() const { return server->port(); }

  Stage stage;
  MetricsRegistry metrics;
  SystemStatus status{"0.1.0"};
  Services services;
  ServerOptions options;
  std::unique_ptr<Dispatcher> dispatcher;
  std::unique_ptr<Server> server;
};

}  // namespace strata::rest
