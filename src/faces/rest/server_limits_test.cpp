// Time limits, counts, memory, streams and the end of the server.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "faces/rest/server_fixture.h"

namespace strata::rest {
namespace {

using testing::HasSubstr;

class ServerLimitsTest : public ServerTest {
 protected:
  bool connections_are(int count) {
    const std::string line = "strata_http_connections " + std::to_string(count) + "\n";
    return eventually([&] { return metrics.render().find(line) != std::string::npos; });
  }
};

// Of this process, now.
size_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long total = 0;
  unsigned long resident = 0;
  EXPECT_EQ(std::fscanf(file, "%lu %lu", &total, &resident), 2);
  std::fclose(file);
  return resident * 4'096;
}

// Sanitizers keep what is freed and shadow what is there: figures of memory mean nothing under them.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool memory_is_honest = false;
#else
constexpr bool memory_is_honest = true;
#endif
#endif

TEST_F(ServerLimitsTest, HeadersMustComeInTime) {
  options.header_timeout_ms = 60;
  start();
  Client client(port());
  client.send("GET /health HTTP/1.1\r\nHo");
  const Client::Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 408);
  EXPECT_TRUE(client.closed());
  // Dripping does not help: the limit is of the whole.
  Client slow(port());
  std::thread drip([&] {
    for (int i = 0; i < 1'000 && slow.send("G"); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  });
  ASSERT_TRUE(connections_are(0));
  drip.join();
  // A connection on which nothing comes at all is closed without a word.
  Client silent(port());
  EXPECT_EQ(silent.read_to_end(), "");
}

TEST_F(ServerLimitsTest, BodiesMustComeInTime) {
  options.body_timeout_ms = 60;
  start();
  for (const char* framing : {"Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n5\r\nha"}) {
    Client client(port());
    client.send(std::string("POST /echo HTTP/1.1\r\nHost: h\r\n") + framing);
    EXPECT_EQ(client.read_answer().status, 408);
    EXPECT_TRUE(client.closed());
  }
  // A byte every 10 ms is never idle for 60 ms, but slower than 1,024 bytes a second.
  Client slow(port());
  std::atomic<bool> answered{false};
  slow.send("POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
  std::thread drip([&] {
    for (int i = 0; i < 1'000 && !answered && slow.send("x"); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  EXPECT_EQ(slow.read_answer().status, 408);
  answered = true;
  drip.join();
  EXPECT_TRUE(slow.closed());
}

TEST_F(ServerLimitsTest, IdleConnectionsAreClosed) {
  options.keep_alive_timeout_ms = 60;
  start();
  Client client(port());
  EXPECT_EQ(client.get("/health").status, 200);
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_TRUE(connections_are(0));
}

TEST_F(ServerLimitsTest, ClientsThatDoNotReadAreCut) {
  options.write_timeout_ms = 60;
  start();
  Client client(port(), 4'096);
  client.send("GET /download?mb=64 HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return stage.stream_errors == 1; }));
  EXPECT_TRUE(connections_are(0));
}

TEST_F(ServerLimitsTest, ConnectionsAreCounted) {
  options.max_connections = 3;
  start();
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(port());
    ASSERT_EQ(clients.back().get("/health").status, 200);
  }
  Client refused(port());
  const Client::Answer answer = refused.read_answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, R"({"error":"too many connections"})");
  EXPECT_TRUE(refused.closed());
  clients.pop_back();
  ASSERT_TRUE(connections_are(2));
  Client next(port());
  EXPECT_EQ(next.get("/health").status, 200);
}

TEST_F(ServerLimitsTest, RequestsInFlightAreCounted) {
  options.max_requests_in_flight = 2;
  start();
  Client first(port());
  Client second(port());
  first.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  second.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return stage.waiters() == 2; }));
  Client third(port());
  const Client::Answer refused = third.get("/health");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.body, R"({"error":"too many requests in flight"})");
  stage.release();
  EXPECT_EQ(first.read_answer().status, 200);
  EXPECT_EQ(second.read_answer().status, 200);
  EXPECT_EQ(third.get("/health").status, 200);
}

TEST_F(ServerLimitsTest, BodiesStreamInLittleMemory) {
  start();
  Client client(port());
  EXPECT_EQ(client.get("/health").status, 200);
  const size_t before = resident_bytes();
  constexpr int mebibytes = 256;
  const std::string block(1 << 20, 'x');
  client.send("POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(mebibytes << 20) + "\r\n\r\n");
  size_t most = 0;
  for (int i = 0; i < mebibytes; ++i) {
    ASSERT_TRUE(client.send(block));
    most = std::max(most, resident_bytes());
  }
  EXPECT_EQ(client.read_answer().body, std::to_string(mebibytes << 20));
  client.send("POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < mebibytes; ++i) ASSERT_TRUE(client.send("100000\r\n" + block + "\r\n"));
  client.send("0\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, std::to_string(mebibytes << 20));
  client.send("GET /download?mb=256&sized HTTP/1.1\r\nHost: h\r\n\r\n");
  client.read_until("\r\n\r\n");
  for (int i = 0; i < mebibytes; ++i) {
    ASSERT_EQ(client.read_exactly(1 << 20).size(), 1u << 20);
    most = std::max(most, resident_bytes());
  }
  if (memory_is_honest) EXPECT_LT(most - before, 32u << 20);
}

TEST_F(ServerLimitsTest, StreamsOfSmallAndLargeWrites) {
  start();
  Client client(port());
  for (const char* piece : {"1000", "16384", "16385", "1000000"}) {
    for (const char* length : {"", "&sized"}) {
      const Client::Answer answer = client.get(std::string("/download?mb=2&piece=") + piece + length);
      EXPECT_EQ(answer.body.size(), 2u << 20);
      EXPECT_EQ(answer.body.find_first_not_of('x'), std::string::npos);
    }
  }
}

TEST_F(ServerLimitsTest, AStreamThatFailsDoesNotLookWhole) {
  start();
  for (const char* target : {"/download?mb=2&break", "/download?mb=2&break&sized", "/download?mb=2&throw"}) {
    for (const char* version : {"1.0", "1.1"}) {
      Client client(port());
      client.send(std::string("GET ") + target + " HTTP/" + version + "\r\nHost: h\r\n\r\n");
      const std::string all = client.read_to_end();
      EXPECT_LT(all.size(), 2u << 20);
      EXPECT_TRUE(client.was_reset()) << target << " " << version;
      EXPECT_FALSE(all.ends_with("0\r\n\r\n"));
    }
  }
}

TEST_F(ServerLimitsTest, EventStreamsBeatAndNoticeThatTheClientHasGone) {
  options.heartbeat_interval_ms = 20;
  start();
  Client client(port());
  client.send("GET /events?count=2 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("Content-Type: text/event-stream\r\n"));
  const std::string text = client.read_until(":\n\n") + client.read_until(":\n\n");
  EXPECT_THAT(text, HasSubstr("event: tick\ndata: event 0\n\n"));
  EXPECT_THAT(text, HasSubstr("event: tick\ndata: event 1\n\n"));
  EXPECT_EQ(stage.cancelled, 0);
  client.close();
  EXPECT_TRUE(eventually([&] { return stage.cancelled == 1; }));
  EXPECT_TRUE(connections_are(0));
}

TEST_F(ServerLimitsTest, HandlersLearnThatTheClientHasGone) {
  options.heartbeat_interval_ms = 20;  // sets the pace of the server's tick
  start();
  Client client(port());
  client.send("GET /wait?cancellable HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return stage.waiters() == 1; }));
  client.close();
  EXPECT_TRUE(eventually([&] { return stage.cancelled == 1; }));
  EXPECT_TRUE(connections_are(0));
}

TEST_F(ServerLimitsTest, DeadlinesCancelAndAnswer504) {
  options.heartbeat_interval_ms = 20;
  start();
  Client client(port());
  const Client::Answer answer = client.get("/deadline?cancellable");
  EXPECT_EQ(answer.status, 504);
  EXPECT_EQ(client.get("/health").status, 200);
}

TEST_F(ServerLimitsTest, AThousandIdleConnectionsCostLittle) {
  start();
  const size_t before = resident_bytes();
  std::vector<Client> clients;
  for (int i = 0; i < 1'000; ++i) {
    clients.emplace_back(port());
    ASSERT_TRUE(clients.back().connected());
    ASSERT_EQ(clients.back().get("/health").status, 200);
  }
  const size_t grown = resident_bytes() - before;
  RecordProperty("bytes_for_1000_idle_connections", static_cast<int>(grown));
  if (memory_is_honest) EXPECT_LT(grown, 10u << 20);
  EXPECT_TRUE(connections_are(1'000));
}

TEST_F(ServerLimitsTest, StopLetsRequestsFinishAndClosesTheRest) {
  start();
  Client idle(port());
  EXPECT_EQ(idle.get("/health").status, 200);
  Client busy(port());
  busy.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  Client events(port());
  events.send("GET /events?count=1 HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return stage.waiters() == 2; }));
  bool stopped = false;
  std::thread stopper([&] { stopped = server->stop(); });
  EXPECT_EQ(idle.read_to_end(), "");
  // An event stream is told, says goodbye and ends whole.
  const Client::Answer stream = events.read_answer();
  EXPECT_THAT(stream.body, HasSubstr("data: bye\n\n"));
  EXPECT_EQ(stage.cancelled, 1);
  EXPECT_TRUE(eventually([&] { return !Client(port()).connected(); }));
  EXPECT_EQ(stage.finished, 0);
  stage.release();
  const Client::Answer answer = busy.read_answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.head, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(busy.closed());
  stopper.join();
  EXPECT_TRUE(stopped);
}

TEST_F(ServerLimitsTest, StopCancelsAndCutsWhatDoesNotEnd) {
  options.drain_timeout_ms = 50;
  start();
  Client client(port());
  client.send("GET /wait?cancellable HTTP/1.1\r\nHost: h\r\n\r\n");
  Client reader(port(), 4'096);
  reader.send("GET /download?mb=64 HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return stage.waiters() == 1; }));
  EXPECT_TRUE(server->stop());
  EXPECT_EQ(stage.cancelled, 1);
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerLimitsTest, PortsAndAddressesThatDoNotWork) {
  start();
  ServerOptions taken = options;
  taken.port = port();
  Server second(*dispatcher, metrics, taken);
  const Result<void> refused = second.start();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::unavailable);
  EXPECT_THAT(std::string(refused.error().message()), HasSubstr("127.0.0.1:" + std::to_string(port())));
  taken.port = 0;
  taken.bind = "not an address";
  Server third(*dispatcher, metrics, taken);
  EXPECT_EQ(third.start().error().code(), ErrorCode::invalid_argument);
  taken.bind = "::1";
  Server sixth(*dispatcher, metrics, taken);
  EXPECT_TRUE(sixth.start().ok());
  EXPECT_NE(sixth.port(), 0);
}

}  // namespace
}  // namespace strata::rest
