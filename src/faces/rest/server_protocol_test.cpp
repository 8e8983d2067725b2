// HTTP over sockets: framing, pipelining, versions, refusals.
#include <gmock/gmock.h>

#include "faces/rest/server_fixture.h"

namespace strata::rest {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ServerProtocolTest : public ServerTest {};

std::string post(std::string_view target, std::string_view body, std::string_view fields = "") {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

TEST_F(ServerProtocolTest, KeepsTheConnection) {
  start();
  Client client(port());
  for (int i = 0; i < 10; ++i) {
    const Client::Answer answer = client.ask(post("/echo", "body " + std::to_string(i)));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "body " + std::to_string(i));
    EXPECT_THAT(answer.head, Not(HasSubstr("Connection: close")));
  }
  EXPECT_THAT(metrics.render(), HasSubstr("strata_http_connections_accepted_total 1\n"));
}

TEST_F(ServerProtocolTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  Client client(port());
  std::string burst;
  for (int i = 0; i < 500; ++i) {
    // Some wait on another thread, so that order is not an accident.
    burst += i % 10 == 0 ? "GET /sleep?ms=1&name=" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n"
                         : post("/echo", std::to_string(i));
  }
  client.send(burst);
  for (int i = 0; i < 500; ++i) ASSERT_EQ(client.read_answer().body, std::to_string(i));
}

TEST_F(ServerProtocolTest, AnAnswerDoesNotWaitForTheNextPipelinedRequest) {
  start();
  Client client(port());
  client.send(post("/echo", "first") + "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "first");
  ASSERT_TRUE(eventually([&] { return stage.waiters() == 1; }));
  stage.release();
  EXPECT_EQ(client.read_answer().body, "1");
}

TEST_F(ServerProtocolTest, RequestsInPieces) {
  start();
  Client client(port());
  const std::string request =
      "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nA: "
      "b\r\n\r\n";
  for (char c : request + request) ASSERT_TRUE(client.send(std::string_view(&c, 1)));
  EXPECT_EQ(client.read_answer().body, "hello world");
  EXPECT_EQ(client.read_answer().body, "hello world");
  // Chunked requests in one piece, an ordinary one between them.
  client.send(request + post("/echo", "plain") + request);
  EXPECT_EQ(client.read_answer().body, "hello world");
  EXPECT_EQ(client.read_answer().body, "plain");
  EXPECT_EQ(client.read_answer().body, "hello world");
}

TEST_F(ServerProtocolTest, VersionsAndClose) {
  start();
  {
    Client client(port());
    const Client::Answer answer = client.ask("GET /health HTTP/1.0\r\n\r\n");
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.head, HasSubstr("Connection: close\r\n"));
    EXPECT_TRUE(client.closed());
  }
  {
    Client client(port());
    const std::string request = "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    EXPECT_THAT(client.ask(request).head, HasSubstr("Connection: keep-alive\r\n"));
    EXPECT_EQ(client.ask(request).status, 200);
  }
  {
    Client client(port());
    EXPECT_EQ(client.ask("GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").status, 200);
    EXPECT_TRUE(client.closed());
  }
  {
    // A stream to a 1.0 client ends with the connection.
    Client client(port());
    client.send("GET /download?mb=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const std::string all = client.read_to_end();
    EXPECT_THAT(all.substr(0, 400), Not(HasSubstr("chunked")));
    EXPECT_EQ(all.size() - all.find("\r\n\r\n") - 4, 1u << 20);
  }
}

TEST_F(ServerProtocolTest, HeadHasTheHeadOfGet) {
  start();
  Client client(port());
  client.send("HEAD /health HTTP/1.1\r\nHost: h\r\n\r\nHEAD /download?mb=1&sized HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.read_answer(true).head, HasSubstr("Content-Length: 33\r\n"));
  EXPECT_THAT(client.read_answer(true).head, HasSubstr("Content-Length: 1048576\r\n"));
  EXPECT_EQ(client.get("/health").body.size(), 33u);
}

TEST_F(ServerProtocolTest, ExpectContinue) {
  start();
  Client client(port());
  const std::string head = "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
  client.send(head);
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(client.ask("hello").body, "hello");
  // A body that comes with the head needs no invitation.
  EXPECT_EQ(client.ask(head + "again").body, "again");
  // One that is too large gets none.
  const Client::Answer refused =
      client.ask("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n");
  EXPECT_EQ(refused.status, 413);
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerProtocolTest, ARefusedBodyDoesNotEatTheRefusal) {
  start();
  // The client sends 8 MiB and reads only then: closing at once would reset the connection under the answer.
  Client client(port());
  client.send(post("/echo", std::string(8 << 20, 'x')));
  const Client::Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, R"({"error":"request body too large"})");
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerProtocolTest, UnwantedSmallBodiesAreSkipped) {
  start();
  Client client(port());
  client.send(post("/ignore", std::string(60'000, 'x')));
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_EQ(client.ask(post("/nowhere", std::string(60'000, 'x'))).status, 404);
  EXPECT_EQ(client.get("/health").status, 200);
  // Larger ones are not worth it.
  EXPECT_THAT(client.ask(post("/nowhere", std::string(100'000, 'x'))).head, HasSubstr("Connection: close"));
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerProtocolTest, MalformedRequestsGetAJsonErrorAndTheEnd) {
  start();
  const std::pair<std::string, int> corpus[] = {
      {"nonsense\r\n\r\n", 400},
      {"\x16\x03\x01\x02\x00\x01\x00\x01", 400},
      {std::string("\0\0\0\0", 4), 400},
      {"GET / HTTP/1.1\n\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505},
      {"GET /health HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloworld", 400},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
      {"GET /health HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", 417},
      {"GET /" + std::string(33'000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
      {"GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(70'000, 'a') + "\r\n\r\n", 431},
  };
  for (const auto& [bytes, status] : corpus) {
    Client client(port());
    client.send(bytes);
    const Client::Answer answer = client.read_answer();
    EXPECT_EQ(answer.status, status) << bytes.substr(0, 100);
    EXPECT_THAT(answer.body, StartsWith("{\"error\":\"")) << bytes.substr(0, 100);
    EXPECT_THAT(answer.head, HasSubstr("Connection: close\r\n"));
    EXPECT_TRUE(client.closed());
  }
  Client client(port());
  EXPECT_EQ(client.get("/health").status, 200);
}

TEST_F(ServerProtocolTest, WhatFollowsAGoodRequestIsJudgedAlone) {
  start();
  Client client(port());
  client.send(post("/echo", "good") + "BAD\r\n\r\n" + post("/echo", "never"));
  EXPECT_EQ(client.read_answer().body, "good");
  EXPECT_EQ(client.read_answer().status, 400);
  EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(ServerProtocolTest, AbandonedRequestsHurtNobody) {
  start();
  for (const char* piece : {"", "GET /hea", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf",
                            "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
                            "GET /download?mb=50 HTTP/1.1\r\nHost: h\r\n\r\n"}) {
    Client client(port());
    client.send(piece);
  }
  ASSERT_TRUE(eventually([&] { return metrics.render().find("strata_http_connections 0\n") != std::string::npos; }));
  Client client(port());
  EXPECT_EQ(client.get("/health").status, 200);
}

TEST_F(ServerProtocolTest, AHalfClosedClientGetsItsAnswer) {
  start();
  Client client(port());
  client.send(post("/echo", "hello"));
  client.end_sending();
  EXPECT_EQ(client.read_answer().body, "hello");
}

TEST_F(ServerProtocolTest, SystemRoutesAnswer) {
  start();
  Client client(port());
  EXPECT_EQ(client.get("/health").body, R"({"status":"ok","version":"0.1.0"})");
  EXPECT_EQ(client.get("/ready").body, R"({"ready":true,"collections":0,"total_vectors":0})");
  EXPECT_EQ(client.get("/healthz").body, R"({"status":"alive"})");
  EXPECT_EQ(client.get("/readyz").body,
            R"({"status":"ready","checks":{"collections_accessible":"ok","collections_loaded":"ok"}})");
  EXPECT_EQ(client.get("/startupz").body, R"({"status":"started"})");
  EXPECT_EQ(client.get("/recovery_status").body, R"({"path":"none","elapsed_secs":0,"collections":{}})");
  EXPECT_THAT(client.get("/openapi.json").body, StartsWith(R"({"openapi":"3.0.3",)"));
  const Client::Answer docs = client.get("/docs");
  EXPECT_THAT(docs.head, HasSubstr("Content-Type: text/html"));
  EXPECT_THAT(docs.body, Not(testing::ContainsRegex("(src|href)=\"?(https?:)?//")));
  EXPECT_THAT(client.get("/metrics").body, HasSubstr("strata_http_requests_in_flight 1\n"));
  status.add_check("disk", [] { return "full"; });
  const Client::Answer unready = client.get("/readyz");
  EXPECT_EQ(unready.status, 503);
  EXPECT_THAT(unready.body, HasSubstr(R"("disk":"full")"));
}

}  // namespace
}  // namespace strata::rest
