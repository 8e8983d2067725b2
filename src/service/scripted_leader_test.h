// ScriptedLeader: a server on loopback that says what a test tells it, well-formed or not.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"

namespace strata::service {

class ScriptedLeader {
 public:
  // One request on a connection of its own: its head, and a way to answer. The connection ends with the function.
  class Exchange {
   public:
    Exchange(int descriptor, std::string head) : descriptor_(descriptor), head_(std::move(head)) {}
    const std::string& head() const { return head_; }
    // False: the client is gone.
    bool send(BytesView bytes) {
      while (!bytes.empty()) {
        const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<size_t>(sent));
      }
      return true;
    }
    // Until the client closes the connection.
    void wait_for_end() {
      char byte;
      while (recv(descriptor_, &byte, 1, 0) > 0) {
      }
    }

   private:
    int descriptor_;
    std::string head_;
  };
  using Answer = std::function<void(Exchange&)>;

  explicit ScriptedLeader(Answer answer) : answer_(std::move(answer)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 64), 0);
    socklen_t size = sizeof address;
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  // The clients have closed their connections, or do so now.
  ~ScriptedLeader() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    close(listener_);
    for (std::thread& thread : threads_) thread.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  void accept_all() {
    for (;;) {
      const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) return;
      threads_.emplace_back([this, descriptor] { serve(descriptor); });
    }
  }
  void serve(int descriptor) {
    std::string head;
    char byte;
    while (!head.ends_with("\r\n\r\n") && recv(descriptor, &byte, 1, 0) == 1) head.push_back(byte);
    if (head.ends_with("\r\n\r\n")) {
      Exchange exchange(descriptor, head);
      answer_(exchange);
    }
    close(descriptor);
  }

  const Answer answer_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::vector<std::thread> threads_;  // of the acceptor until it has ended
  std::thread acceptor_;
};

}  // namespace strata::service
