#include "faces/rest/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <stdexcept>

#include "faces/rest/in_process.h"

namespace strata::rest {
namespace {

using testing::HasSubstr;
using testing::Not;

Result<Response> echo(Services&, Request& request) { return Response::json(Bytes(request.body())); }

// "a=1&b=2|key" of query and parameter.
Result<Response> show(Services&, Request& request) {
  Bytes out;
  for (const Parameter& each : request.query_parameters())
    out.append(each.name).append("=").append(each.value).append("&");
  return Response::json(out.append("|").append(request.param("key")));
}

Result<Response> count_body(Services&, Request& request) {
  Bytes buffer(1'000, '\0');
  uint64_t total = 0;
  for (;;) {
    ASSIGN_OR_RETURN(const size_t count, request.body_reader().read(buffer));
    if (count == 0) return Response::json(std::to_string(total));
    total += count;
  }
}

Result<Response> fail(Services&, Request& request) {
  if (request.query("throw")) throw std::runtime_error("library trouble");
  if (request.query("cancelled")) return ErrorCode::operation_cancelled;
  return Error(ErrorCode::not_found, "namespace not found: x");
}

Result<Response> caller(Services&, Request& request) {
  return Response::json(Bytes(request.caller().name) + "/" + std::to_string(request.deadline_steady_us()));
}

const Route rows[] = {
    {.path = "/open", .operation = "open", .permission = Permission::none, .handler = caller},
    {.path = "/read", .operation = "read", .permission = Permission::read, .handler = caller},
    {.path = "/endless", .operation = "endless", .permission = Permission::read, .timeout_ms = -1, .handler = caller},
    {.path = "/quick", .operation = "quick", .permission = Permission::read, .timeout_ms = 5, .handler = caller},
    {.path = "/show/{key}", .operation = "show", .handler = show},
    {.method = Method::post,
     .path = "/json",
     .operation = "json",
     .body = BodyKind::json,
     .body_limit_bytes = 100,
     .handler = echo},
    {.method = Method::post,
     .path = "/bytes",
     .operation = "bytes",
     .body = BodyKind::bytes,
     .body_limit_bytes = 1'048'576,
     .handler = echo},
    {.method = Method::post,
     .path = "/stream",
     .operation = "stream",
     .body = BodyKind::stream,
     .body_limit_bytes = 1'000,
     .handler = count_body},
    {.method = Method::post, .path = "/none", .operation = "none", .body_limit_bytes = 10, .handler = caller},
    {.path = "/fail", .operation = "fail", .handler = fail},
};

Bytes get(std::string_view target, std::string_view fields = {}) {
  return "GET " + Bytes(target) + " HTTP/1.1\r\nHost: h\r\n" + Bytes(fields) + "\r\n";
}
Bytes post(std::string_view target, BytesView body, std::string_view fields = {}) {
  return "POST " + Bytes(target) + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         Bytes(fields) + "\r\n" + Bytes(body);
}
Bytes post_chunked(std::string_view target, BytesView body, std::string_view fields = {}) {
  char size[32];
  snprintf(size, sizeof(size), "%zx\r\n", body.size());
  return "POST " + Bytes(target) + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" + Bytes(fields) + "\r\n" +
         (body.empty() ? Bytes() : size + Bytes(body) + "\r\n") + "0\r\n\r\n";
}

Bytes gzip(BytesView bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

class DispatcherTest : public testing::Test {
 protected:
  explicit DispatcherTest(DispatcherOptions options = {}) : dispatcher({rows}, services, metrics, std::move(options)) {}

  static Services with_clock(Clock& clock) {
    Services made;
    made.clock = &clock;
    return made;
  }

  // "status body"
  std::string ask(Bytes request) {
    const InProcess::Answer answer = client.send_one(std::move(request));
    return std::to_string(answer.response.status) + " " + answer.body;
  }
  int status(Bytes request) { return client.send_one(std::move(request)).response.status; }

  ManualClock clock;
  Services services = with_clock(clock);
  MetricsRegistry metrics;
  Dispatcher dispatcher;
  InProcess client{dispatcher};
};

TEST_F(DispatcherTest, ParametersAreDecodedAfterRouting) {
  EXPECT_EQ(ask(get("/show/a%2Fb%20c+d")), "200 |a/b c+d");
  EXPECT_EQ(ask(get("/show/%00%FF")), (std::string("200 |\0\xFF", 7)));
  EXPECT_EQ(ask(get("/show/k?x=1&x=%32+3&flag&empty=&=v&&%6e=e")), "200 x=1&x=2 3&flag=&empty=&=v&n=e&|k");
  EXPECT_EQ(ask(get("/show/k?q=http://host/a?b=c")), "200 q=http://host/a?b=c&|k");
}

TEST_F(DispatcherTest, BadPercentEncodingIs400) {
  EXPECT_EQ(ask(get("/show/a%2")), R"(400 {"error":"invalid percent-encoding in the path"})");
  EXPECT_EQ(ask(get("/show/k?a=%zz")), R"(400 {"error":"invalid percent-encoding in the query"})");
  EXPECT_EQ(ask(get("/show/k?%=1")), R"(400 {"error":"invalid percent-encoding in the query"})");
}

TEST_F(DispatcherTest, AKeyOf8KiBFitsPercentEncoded) {
  Bytes encoded;
  for (int i = 0; i < 8'192; ++i) encoded += "%AB";
  const InProcess::Answer answer = client.send_one(get("/show/" + encoded));
  EXPECT_EQ(answer.response.status, 200);
  EXPECT_EQ(answer.body, "|" + Bytes(8'192, '\xAB'));
}

TEST_F(DispatcherTest, QueryParametersAreBounded) {
  Bytes query = "a=1";
  for (int i = 1; i < 256; ++i) query += "&a=1";
  EXPECT_EQ(status(get("/show/k?" + query)), 200);
  EXPECT_EQ(status(get("/show/k?" + query + "&a=1")), 400);
}

TEST_F(DispatcherTest, UnknownPathsVerbsAndOptions) {
  EXPECT_EQ(ask(get("/nowhere")), R"(404 {"error":"no such route"})");
  const InProcess::Answer wrong_verb = client.send_one(post("/read", ""));
  EXPECT_EQ(wrong_verb.response.status, 405);
  EXPECT_THAT(wrong_verb.response.header_lines, HasSubstr("Allow: GET, HEAD, OPTIONS\r\n"));
  const InProcess::Answer options = client.send_one("OPTIONS /json HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(options.response.status, 204);
  EXPECT_THAT(options.response.header_lines, HasSubstr("Allow: POST, OPTIONS\r\n"));
  EXPECT_EQ(status("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), 204);
  EXPECT_EQ(status("OPTIONS /nowhere HTTP/1.1\r\nHost: h\r\n\r\n"), 404);
  EXPECT_EQ(status("BREW /read HTTP/1.1\r\nHost: h\r\n\r\n"), 405);
  EXPECT_EQ(status("CONNECT host:443 HTTP/1.1\r\nHost: h\r\n\r\n"), 404);
  EXPECT_EQ(status("HEAD /read HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
}

TEST_F(DispatcherTest, BodyLimitIsExactHoweverTheBodyComes) {
  for (auto make : {post, post_chunked}) {
    EXPECT_EQ(ask(make("/json", Bytes(100, 'x'), "")), "200 " + Bytes(100, 'x'));
    EXPECT_EQ(ask(make("/json", Bytes(101, 'x'), "")), R"(413 {"error":"request body too large"})");
    EXPECT_EQ(status(make("/bytes", Bytes(1'048'576, 'x'), "")), 200);
    EXPECT_EQ(status(make("/bytes", Bytes(1'048'577, 'x'), "")), 413);
    EXPECT_EQ(ask(make("/stream", Bytes(1'000, 'x'), "")), "200 1000");
    EXPECT_EQ(status(make("/stream", Bytes(1'001, 'x'), "")), 413);
    // Of the unpacked bytes.
    EXPECT_EQ(ask(make("/stream", gzip(Bytes(1'000, 'x')), "Content-Encoding: gzip\r\n")), "200 1000");
    EXPECT_EQ(status(make("/stream", gzip(Bytes(1'001, 'x')), "Content-Encoding: gzip\r\n")), 413);
    EXPECT_EQ(ask(make("/json", gzip("{}"), "Content-Encoding: gzip\r\n")), "200 {}");
  }
  EXPECT_EQ(ask(post("/json", "")), "200 ");
  EXPECT_EQ(status(post("/none", Bytes(10, 'x'))), 200);
  EXPECT_EQ(status(post("/none", Bytes(11, 'x'))), 413);
}

TEST_F(DispatcherTest, ABombCostsItsLimit) {
  // 64 MiB in 64 KiB; and a body of empty gzip members, which unpacks to nothing forever.
  EXPECT_EQ(status(post("/bytes", gzip(Bytes(64 << 20, '\0')), "Content-Encoding: gzip\r\n")), 413);
  Bytes nothing;
  const Bytes member = gzip("");
  for (int i = 0; i < 10'000; ++i) nothing += member;
  EXPECT_EQ(status(post("/stream", nothing, "Content-Encoding: gzip\r\n")), 413);
}

TEST_F(DispatcherTest, BrokenAndUnknownEncodings) {
  EXPECT_EQ(status(post("/json", "plain", "Content-Encoding: gzip\r\n")), 400);
  const Bytes packed = gzip("hello hello");
  EXPECT_EQ(status(post("/json", packed.substr(0, packed.size() - 1), "Content-Encoding: gzip\r\n")), 400);
  EXPECT_EQ(status(post("/json", "x", "Content-Encoding: br\r\n")), 415);
  EXPECT_EQ(status(post("/json", packed, "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n")), 415);
}

TEST_F(DispatcherTest, ErrorsAndExceptionsAreMapped) {
  EXPECT_EQ(ask(get("/fail")), R"(404 {"error":"namespace not found: x"})");
  EXPECT_EQ(ask(get("/fail?throw")), R"(500 {"error":"internal error: library trouble"})");
  EXPECT_EQ(status(get("/fail?cancelled")), 499);
  EXPECT_EQ(ask("nonsense\r\n\r\n").substr(0, 3), "400");
}

TEST_F(DispatcherTest, DeadlinesComeFromTheRow) {
  const int64_t now = clock.steady_us();
  EXPECT_EQ(ask(get("/read")), "200 /" + std::to_string(now + 60'000'000));
  EXPECT_EQ(ask(get("/quick")), "200 /" + std::to_string(now + 5'000));
  EXPECT_EQ(ask(get("/endless")), "200 /0");
}

TEST_F(DispatcherTest, RequestIdIsEchoedWhenItIsSane) {
  EXPECT_EQ(client.send_one(get("/read", "X-Request-Id: abc-123\r\n")).request_id, "abc-123");
  const Bytes longest(128, 'x');
  EXPECT_EQ(client.send_one(get("/read", "X-Request-Id: " + longest + "\r\n")).request_id, longest);
  const Bytes generated = client.send_one(get("/read")).request_id;
  EXPECT_EQ(generated.size(), 16u);
  EXPECT_NE(generated, client.send_one(get("/read")).request_id);
  EXPECT_EQ(client.send_one(get("/read", "X-Request-Id: with space\r\n")).request_id.size(), 16u);
  EXPECT_EQ(client.send_one(get("/read", "X-Request-Id: " + longest + "y\r\n")).request_id.size(), 16u);
}

TEST_F(DispatcherTest, MetricsCountByOperationAndStatus) {
  ask(get("/show/k"));
  ask(get("/show/k"));
  ask(get("/show/%"));
  ask(get("/nowhere"));
  ask("nonsense\r\n\r\n");
  const std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr("strata_http_requests_total{operation=\"show\",status=\"200\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("strata_http_requests_total{operation=\"show\",status=\"400\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("strata_http_requests_total{operation=\"unmatched\",status=\"404\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("strata_http_requests_total{operation=\"malformed\",status=\"400\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("strata_http_request_duration_seconds_count{operation=\"show\"} 3\n"));
  EXPECT_THAT(text, Not(HasSubstr("operation=\"read\",status")));
}

TEST_F(DispatcherTest, SeveralRequestsInOrder) {
  const auto answers = client.send(get("/show/1") + post("/json", "two") + post("/none", "skipped") + get("/show/3"));
  ASSERT_EQ(answers.size(), 4u);
  EXPECT_EQ(answers[0].body, "|1");
  EXPECT_EQ(answers[1].body, "two");
  EXPECT_EQ(answers[3].body, "|3");
}

class KeyedDispatcherTest : public DispatcherTest {
 protected:
  KeyedDispatcherTest() : DispatcherTest({.api_keys = {"first", "second key", "id:secret"}}) {}
};

TEST_F(KeyedDispatcherTest, RowsDecideWhoMayCall) {
  EXPECT_EQ(status(get("/open")), 200);
  EXPECT_EQ(status(get("/read")), 401);
  EXPECT_EQ(status(get("/read", "X-API-Key: first\r\n")), 200);
  EXPECT_EQ(status(get("/read", "X-API-Key: second key\r\n")), 200);
  EXPECT_EQ(status(get("/read", "Authorization: Bearer second key\r\n")), 200);
  EXPECT_EQ(status(get("/read", "authorization: BEARER  first\r\n")), 200);
  // "x:first", "id:secret"
  EXPECT_EQ(status(get("/read", "Authorization: Basic eDpmaXJzdA==\r\n")), 200);
  for (const char* scheme : {"Bearer", "ApiKey", "Basic"}) {
    EXPECT_EQ(status(get("/read", std::string("Authorization: ") + scheme + " aWQ6c2VjcmV0\r\n")), 200) << scheme;
  }
  for (const char* wrong :
       {"X-API-Key: firs\r\n", "X-API-Key: firstx\r\n", "X-API-Key: \r\n", "X-API-Key: First\r\n",
        "Authorization: first\r\n", "Authorization: Basic first\r\n", "Authorization: Bearer\r\n",
        "X-API-Key: wrong\r\nAuthorization: Bearer first\r\n", "X-API-Key: wrong\r\nX-API-Key: first\r\n"}) {
    EXPECT_EQ(status(get("/read", wrong)), 401) << wrong;
  }
  const InProcess::Answer refused = client.send_one(get("/read"));
  EXPECT_THAT(refused.response.header_lines, HasSubstr("WWW-Authenticate: Bearer\r\n"));
  EXPECT_EQ(refused.body,
            R"({"error":"authentication required: X-API-Key or Authorization: Bearer, ApiKey or Basic"})");
}

TEST_F(KeyedDispatcherTest, StrangersGetNoWorkDone) {
  // Refused before its parameters, its body's size or its encoding are looked at.
  EXPECT_EQ(status(get("/show/%zz")), 401);
  EXPECT_EQ(status(post("/json", Bytes(1'000, 'x'))), 401);
  EXPECT_EQ(status(post("/json", "x", "Content-Encoding: br\r\n")), 401);
}

}  // namespace
}  // namespace strata::rest
