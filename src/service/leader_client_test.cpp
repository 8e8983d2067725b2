#include "service/leader_client.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/coroutine_thread.h"
#include "base/future.h"
#include "service/scripted_leader_test.h"

namespace strata::service {
namespace {

std::unique_ptr<LeaderClient> client_of(const ScriptedLeader& leader, LeaderClientOptions options = {}) {
  options.url = leader.url();
  auto client = LeaderClient::create(options);
  EXPECT_TRUE(client.ok());
  return *std::move(client);
}

template <class T>
ErrorCode code(const Result<T>& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? ErrorCode::internal : result.error().code();
}

Result<Bytes> read_all(LeaderResponse& response) {
  Bytes all;
  for (;;) {
    ASSIGN_OR_RETURN(const Bytes piece, response.read());
    if (piece.empty()) return all;
    all += piece;
  }
}

TEST(LeaderClient, AskAndAnswer) {
  ScriptedLeader leader([](ScriptedLeader::Exchange& exchange) {
    EXPECT_TRUE(exchange.head().starts_with("GET /api/v1/a%2Fb/../log?x=1 HTTP/1.1\r\n")) << exchange.head();
    EXPECT_NE(exchange.head().find("X-API-Key: secret\r\n"), std::string::npos);
    exchange.send("HTTP/1.1 100 Continue\r\nX-Log-Id: wrong\r\n\r\n");
    exchange.send("HTTP/1.1 200 OK\r\nx-log-ID: \t0a-1 \r\nContent-Length: 5\r\n\r\nhello");
  });
  const auto client = client_of(leader, {.api_key = "secret"});
  auto response = client->get("/api/v1/a%2Fb/../log?x=1");
  ASSERT_TRUE(response.ok()) << response.error().message();
  EXPECT_EQ(response->status(), 200);
  EXPECT_EQ(response->log_id(), "0a-1");
  EXPECT_EQ(read_all(*response).value(), "hello");
  EXPECT_EQ(response->read().value(), "");
}

TEST(LeaderClient, TheHeadComesBeforeTheBodyDoes) {
  Promise<void> seen;
  Future<void> head_was_seen = seen.future();
  ScriptedLeader leader([&](ScriptedLeader::Exchange& exchange) {
    exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    static_cast<void>(head_was_seen.get());
    exchange.send("3\r\nabc\r\n0\r\n\r\n");
  });
  const auto client = client_of(leader);
  auto response = client->get("/", Silence::is_allowed);
  ASSERT_TRUE(response.ok());
  EXPECT_FALSE(response->readable());
  seen.fulfil(Result<void>());
  EXPECT_EQ(read_all(*response).value(), "abc");
}

TEST(LeaderClient, AReaderThatStopsHoldsTheLeaderBack) {
  constexpr size_t total = 64u << 20;
  std::atomic<size_t> sent = 0;
  std::atomic<bool> ended = false;
  ScriptedLeader leader([&](ScriptedLeader::Exchange& exchange) {
    exchange.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(total) + "\r\n\r\n");
    const Bytes piece(65'536, 'x');
    while (sent < total && exchange.send(piece)) sent += piece.size();
    ended = true;
  });
  const auto client = client_of(leader, {.buffer_bytes = 100'000});
  auto response = client->get("/");
  ASSERT_TRUE(response.ok());
  size_t received = 0;
  for (;;) {
    const auto piece = response->read();
    ASSERT_TRUE(piece.ok()) << piece.error().message();
    if (piece->empty()) break;
    EXPECT_LE(piece->size(), 100'000u + 65'536u);
    // Sockets hold some MB, the client its buffer: the rest waits at the leader.
    if (received == 0) EXPECT_FALSE(ended);
    received += piece->size();
  }
  EXPECT_EQ(received, total);
}

TEST(LeaderClient, ABodyThatBreaksOffIsAnError) {
  ScriptedLeader leader(
      [](ScriptedLeader::Exchange& exchange) { exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"); });
  const auto client = client_of(leader);
  auto response = client->get("/");
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(code(read_all(*response)), ErrorCode::unavailable);
  EXPECT_EQ(code(client->whole("/", 100)), ErrorCode::unavailable);
}

TEST(LeaderClient, AnAnswerMayBeTooLong) {
  ScriptedLeader leader([](ScriptedLeader::Exchange& exchange) {
    exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
  });
  const auto client = client_of(leader);
  EXPECT_EQ(client->whole("/", 10).value(), "0123456789");
  EXPECT_EQ(code(client->whole("/", 9)), ErrorCode::payload_too_large);
}

TEST(LeaderClient, StatusesBecomeErrors) {
  const std::pair<int, ErrorCode> expected[] = {{204, ErrorCode::unavailable},     {301, ErrorCode::unavailable},
                                                {302, ErrorCode::unavailable},     {400, ErrorCode::invalid_argument},
                                                {401, ErrorCode::unauthenticated}, {403, ErrorCode::permission_denied},
                                                {404, ErrorCode::not_found},       {410, ErrorCode::gone},
                                                {500, ErrorCode::unavailable},     {503, ErrorCode::unavailable}};
  for (const auto& row : expected) {
    const int status = row.first;
    std::atomic<int> requests = 0;
    ScriptedLeader leader([&](ScriptedLeader::Exchange& exchange) {
      ++requests;
      exchange.send("HTTP/1.1 " + std::to_string(status) + " X\r\nLocation: /elsewhere\r\nContent-Length: " +
                    (status == 204 ? "0\r\n\r\n" : "5\r\n\r\n\x1b[31m"));
    });
    const auto client = client_of(leader);
    const auto whole = client->whole("/", 100);
    EXPECT_EQ(code(whole), row.second) << status;
    EXPECT_NE(whole.error().message().find(std::to_string(status)), std::string::npos);
    EXPECT_EQ(whole.error().message().find('\x1b'), std::string::npos);
    EXPECT_EQ(requests, 1) << "a redirect was followed";
  }
}

TEST(LeaderClient, NobodyThere) {
  std::string url;
  {
    ScriptedLeader leader([](ScriptedLeader::Exchange&) {});
    url = leader.url();
  }
  auto client = LeaderClient::create({.url = url});
  EXPECT_EQ(code((*client)->get("/")), ErrorCode::unavailable);
}

TEST(LeaderClient, NoHttpAndNoTls) {
  ScriptedLeader leader([](ScriptedLeader::Exchange& exchange) { exchange.send("SSH-2.0-x\r\n"); });
  EXPECT_EQ(code(client_of(leader)->get("/")), ErrorCode::unavailable);
  auto client = LeaderClient::create({.url = "https" + leader.url().substr(4), .connect_timeout_ms = 200});
  // What the other side makes of a TLS greeting, and when, differs with the versions of the libraries.
  const ErrorCode without_tls = code((*client)->get("/"));
  EXPECT_TRUE(without_tls == ErrorCode::timed_out || without_tls == ErrorCode::unavailable);
}

TEST(LeaderClient, SilenceEndsInTime) {
  ScriptedLeader leader([](ScriptedLeader::Exchange& exchange) {
    if (exchange.head().starts_with("GET /head")) exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
    exchange.wait_for_end();
  });
  const auto client = client_of(leader, {.idle_timeout_ms = 1'000});
  EXPECT_EQ(code(client->get("/", Silence::is_allowed)), ErrorCode::timed_out);
  EXPECT_EQ(code(client->whole("/head", 100)), ErrorCode::timed_out);
}

TEST(LeaderClient, AWholeAnswerIsNotDrippedForEver) {
  ScriptedLeader leader([](ScriptedLeader::Exchange& exchange) {
    exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    while (exchange.send("x")) usleep(10'000);
  });
  const auto client = client_of(leader, {.idle_timeout_ms = 1'000});
  EXPECT_EQ(code(client->whole("/", 1'000'000)), ErrorCode::timed_out);
}

TEST(LeaderClient, CancelAndStopEndWhatWaits) {
  ScriptedLeader leader([](ScriptedLeader::Exchange& exchange) {
    exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    exchange.wait_for_end();
  });
  auto client = client_of(leader);
  auto first = client->get("/", Silence::is_allowed);
  auto second = client->get("/", Silence::is_allowed);
  ASSERT_TRUE(first.ok() && second.ok());
  std::thread canceller([&] { first->cancel(); });
  EXPECT_EQ(code(first->read()), ErrorCode::operation_cancelled);
  canceller.join();
  std::thread stopper([&] { client->stop(); });
  EXPECT_EQ(code(second->read()), ErrorCode::operation_cancelled);
  stopper.join();
  EXPECT_EQ(code(client->get("/")), ErrorCode::operation_cancelled);
  client.reset();
  EXPECT_EQ(code(second->read()), ErrorCode::operation_cancelled);
}

TEST(LeaderClient, ManyStreamsOnOneThread) {
  constexpr int count = 50;
  ScriptedLeader leader([](ScriptedLeader::Exchange& exchange) {
    exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; ++i) exchange.send("4\r\nline\r\n");
    exchange.send("0\r\n\r\n");
  });
  const auto client = client_of(leader);
  std::atomic<size_t> bytes = 0;
  {
    CoroutineThread thread;
    for (int i = 0; i < count; ++i) {
      thread.start([&] {
        auto response = client->get("/", Silence::is_allowed);
        ASSERT_TRUE(response.ok());
        bytes += read_all(*response).value().size();
      });
    }
  }
  EXPECT_EQ(bytes, size_t{count * 80});
}

TEST(LeaderClient, UrlsThatAreRefused) {
  for (const char* url : {"",
                          "localhost:8080",
                          "ftp://host",
                          "file:///etc/passwd",
                          "http://",
                          "http:///",
                          "http://a b",
                          "http://host:",
                          "http://host:65536",
                          "http://host:1x",
                          "http://host/api",
                          "http://host?x",
                          "http://host#x",
                          "http://user@host",
                          "http://user:word@host:1",
                          "http://[::1",
                          "http://[]",
                          "http://[x]:1",
                          "http://a\r\nb",
                          "http://:80",
                          "HTTP://host",
                          "http://host//"}) {
    EXPECT_EQ(code(validate_leader_url(url)), ErrorCode::invalid_argument) << url;
  }
  for (const char* url : {"http://host", "https://host/", "http://10.0.0.1:8080", "http://[::1]:8080/", "http://a-b.c",
                          "https://[fe80::1]"}) {
    EXPECT_TRUE(validate_leader_url(url).ok()) << url;
  }
}

}  // namespace
}  // namespace strata::service
