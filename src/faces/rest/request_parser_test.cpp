#include "faces/rest/request_parser.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace strata::rest {
namespace {

using namespace std::string_literals;

struct Parsed {
  RequestHead head;
  std::optional<ErrorCode> error;
  size_t consumed = 0;
};

// Owns the bytes that the head borrows.
class ParserTest : public testing::Test {
 protected:
  void parse(Bytes bytes, ParserLimits limits = {}) {
    input = std::move(bytes);
    parser = std::make_unique<RequestParser>(limits);
    error.reset();
    Result<size_t> result = parser->parse_head(input, head);
    if (result.ok()) {
      consumed = *result;
    } else {
      error = result.error().code();
    }
  }

  Bytes input;
  std::unique_ptr<RequestParser> parser;
  RequestHead head;
  size_t consumed = 0;
  std::optional<ErrorCode> error;
};

TEST_F(ParserTest, AnOrdinaryRequest) {
  parse(
      "PUT /api/v1/default/kv/a%20b?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX-API-Key: secret\r\n"
      "Authorization: Bearer token\r\nx-request-id: id-1\r\nContent-Encoding: gzip\r\nExpect: "
      "100-continue\r\n\r\nabcGET");
  ASSERT_FALSE(error);
  EXPECT_EQ(input.substr(consumed), "abcGET");
  EXPECT_EQ(head.method, Method::put);
  EXPECT_EQ(head.target, "/api/v1/default/kv/a%20b?x=1");
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.content_length, 3u);
  EXPECT_EQ(head.api_key, "secret");
  EXPECT_EQ(head.authorization, "Bearer token");
  EXPECT_EQ(head.request_id, "id-1");
  EXPECT_EQ(head.content_encoding, "gzip");
  EXPECT_TRUE(head.expects_continue);
  EXPECT_EQ(head.fields.size(), 7u);
}

TEST_F(ParserTest, ByteByByteGivesTheSame) {
  const Bytes whole = "GET /x HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
  RequestParser slow;
  RequestHead slow_head;
  for (size_t size = 0; size < whole.size(); ++size) {
    Bytes moved = whole.substr(0, size);
    ASSERT_EQ(slow.parse_head(moved, slow_head).value(), 0u) << size;
  }
  ASSERT_EQ(slow.parse_head(whole, slow_head).value(), whole.size());
  EXPECT_EQ(slow_head.target, "/x");
  EXPECT_EQ(slow_head.fields.size(), 2u);
}

TEST_F(ParserTest, KeepAliveByVersionAndConnection) {
  const auto keeps = [this](const Bytes& version, const Bytes& fields) {
    parse("GET / " + version + "\r\nHost: h\r\n" + fields + "\r\n");
    EXPECT_FALSE(error);
    return head.keep_alive;
  };
  EXPECT_TRUE(keeps("HTTP/1.1", ""));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0", ""));
  EXPECT_TRUE(keeps("HTTP/1.0", "Connection: Keep-Alive\r\n"));
}

TEST_F(ParserTest, TargetsOfEveryForm) {
  const auto target = [this](const Bytes& line) -> std::string {
    parse(line + " HTTP/1.1\r\nHost: h\r\n\r\n");
    return error ? "error " + std::string(error_name(*error)) : std::string(head.target);
  };
  EXPECT_EQ(target("GET http://host:80/a?b"), "/a?b");
  EXPECT_EQ(target("GET HTTPS://host/a"), "/a");
  EXPECT_EQ(target("GET http://host"), "/");
  EXPECT_EQ(target("GET http://host?q"), "?q");
  EXPECT_EQ(target("OPTIONS *"), "*");
  EXPECT_EQ(target("GET *"), "error invalid_argument");
  EXPECT_EQ(target("GET http:///a"), "error invalid_argument");
  EXPECT_EQ(target("GET ftp://host/a"), "error invalid_argument");
  EXPECT_EQ(target("GET relative"), "error invalid_argument");
  EXPECT_EQ(target("GET /a#fragment"), "error invalid_argument");
  EXPECT_EQ(target("CONNECT host:443"), "host:443");
  EXPECT_EQ(head.method, Method::other);
}

TEST_F(ParserTest, EmptyLineBeforeTheRequestIsSkipped) {
  parse("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\nrest");
  ASSERT_FALSE(error);
  EXPECT_EQ(input.substr(consumed), "rest");
}

TEST_F(ParserTest, WhatTwoServersCouldReadDifferentlyIsRefused) {
  const std::pair<const char*, ErrorCode> cases[] = {
      {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
       ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
       ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
       ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", ErrorCode::unimplemented},
      {"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", ErrorCode::unimplemented},
      {"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", ErrorCode::unimplemented},
      {"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\tfolded\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\n Host: h\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\nHost: h\n\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\n: no name\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1\r\nHost: h\r\nna me: x\r\n\r\n", ErrorCode::invalid_argument},
      {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", ErrorCode::invalid_argument},
      {"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", ErrorCode::http_version_not_supported},
      {"GET /\r\nHost: h\r\n\r\n", ErrorCode::invalid_argument},
      {"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", ErrorCode::http_version_not_supported},
      {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", ErrorCode::http_version_not_supported},
      {"PRI * HTTP/2.0\r\n\r\n", ErrorCode::http_version_not_supported},
      {"GET / HTTP/1.1\r\nHost: h\r\nExpect: miracles\r\n\r\n", ErrorCode::expectation_failed},
      {"\x16\x03\x01\x02", ErrorCode::invalid_argument},
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", ErrorCode::invalid_argument},
      {"{\"json\":1}", ErrorCode::invalid_argument},
  };
  for (const auto& [text, expected] : cases) {
    parse(text);
    ASSERT_TRUE(error.has_value()) << text;
    EXPECT_EQ(error_name(*error), error_name(expected)) << text;
  }
  parse("GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n"s);
  EXPECT_TRUE(error.has_value());
  parse("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n"s);
  EXPECT_TRUE(error.has_value());
}

TEST_F(ParserTest, HeaderLimitIsExact) {
  const Bytes fixed = "GET / HTTP/1.1\r\nHost: h\r\nA: \r\n\r\n";
  const auto of_size = [&](size_t size) {
    Bytes text = fixed;
    return text.insert(text.size() - 4, Bytes(size - fixed.size(), 'x'));
  };
  parse(of_size(65'536));
  EXPECT_FALSE(error) << error_name(*error);
  EXPECT_EQ(consumed, 65'536u);
  EXPECT_EQ(head.fields.at(1).value.size(), 65'536 - fixed.size());
  parse(of_size(65'537));
  EXPECT_EQ(error, ErrorCode::headers_too_large);
  // Refused as soon as the limit is passed, not only when the end comes.
  parse(of_size(70'000).substr(0, 65'537));
  EXPECT_EQ(error, ErrorCode::headers_too_large);
}

TEST_F(ParserTest, TargetLimitIsExact) {
  parse("GET /" + Bytes(32'767, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_FALSE(error);
  EXPECT_EQ(head.target.size(), 32'768u);
  parse("GET /" + Bytes(32'768, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(error, ErrorCode::uri_too_long);
  parse("GET /" + Bytes(40'000, 'x'));
  EXPECT_EQ(error, ErrorCode::uri_too_long);
}

TEST_F(ParserTest, FieldCountLimitIsExact) {
  const auto with_fields = [](int count) {
    Bytes text = "GET / HTTP/1.1\r\nHost: h\r\n";
    for (int i = 1; i < count; ++i) text += "A: b\r\n";
    return text + "\r\n";
  };
  parse(with_fields(256));
  EXPECT_FALSE(error);
  parse(with_fields(257));
  EXPECT_EQ(error, ErrorCode::headers_too_large);
}

class ChunkedTest : public ParserTest {
 protected:
  // Decodes `body`, given in pieces of `piece` bytes, into `output_bytes` at a time. The rest that was not consumed is
  // left in `rest`.
  Result<Bytes> decode(const Bytes& body, size_t piece, size_t output_bytes) {
    parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    EXPECT_FALSE(error);
    EXPECT_TRUE(head.chunked);
    Bytes out;
    Bytes buffer(output_bytes, '\0');
    rest.clear();
    size_t given = 0;
    for (;;) {
      ASSIGN_OR_RETURN(const ChunkDecoder::Step step, parser->decode_chunked(rest, buffer));
      out.append(buffer, 0, step.produced);
      rest.erase(0, step.consumed);
      if (step.done) break;
      if (step.produced > 0) continue;
      if (given == body.size()) return ErrorCode::operation_cancelled;
      rest += body.substr(given, piece);
      given = std::min(body.size(), given + piece);
    }
    rest += body.substr(given);
    return out;
  }
  Bytes rest;
};

TEST_F(ChunkedTest, EverySplitGivesTheSame) {
  const Bytes body = "5\r\nhello\r\n1;extension=\"x\"\r\n \r\n00005\r\nworld\r\n0\r\nTrailer: ignored\r\n\r\nGET /";
  for (size_t piece = 1; piece <= body.size(); ++piece) {
    for (size_t output : {1, 3, 100}) {
      const Result<Bytes> decoded = decode(body, piece, output);
      ASSERT_TRUE(decoded.ok()) << decoded.error().message() << " piece " << piece;
      EXPECT_EQ(*decoded, "hello world");
      EXPECT_EQ(rest, "GET /") << piece;
    }
  }
}

TEST_F(ChunkedTest, ManyTinyChunksAreNoOffence) {
  Bytes body;
  for (int i = 0; i < 100'000; ++i) body += "1\r\nx\r\n";
  EXPECT_EQ(decode(body + "0\r\n\r\n", 16'384, 16'384).value().size(), 100'000u);
}

TEST_F(ChunkedTest, EmptyBody) {
  EXPECT_EQ(decode("0\r\n\r\n", 1, 10).value(), "");
  EXPECT_EQ(decode("0\r\n\r\n", 100, 10).value(), "");
}

TEST_F(ChunkedTest, BrokenFramingIsRefused) {
  const char* cases[] = {
      "x\r\n",
      "\r\n",
      "-1\r\n",
      "5\nhello\n0\n\n",
      "5\r\nhelloX",
      "3\r\nhello\r\n0\r\n\r\n",
      "5\r\nhello0\r\n\r\n",
      "10000000000000000\r\n",
      "FFFFFFFFFFFFFFFFF\r\n",
      "5 5\r\nhello\r\n0\r\n\r\n",
      "0\r\n: no name\r\n\r\n",
      "0\r\nA: b\r\n folded\r\n\r\n",
      "0\r\nA: b\n\n",
      "1;a\x01\r\nx\r\n0\r\n\r\n",
      "1 \r\nx\r\n0\r\n\r\n",
      "0\r\nbroken trailer\r\n\r\n",
  };
  for (const char* text : cases) {
    for (size_t piece : {1, 1000}) {
      const Result<Bytes> decoded = decode(text, piece, 100);
      ASSERT_FALSE(decoded.ok()) << text << " gave " << *decoded;
      EXPECT_EQ(decoded.error().code(), ErrorCode::invalid_argument) << text;
    }
  }
}

TEST_F(ChunkedTest, EndlessChunkHeaderAndTrailerAreRefused) {
  EXPECT_EQ(decode("1;" + Bytes(70'000, 'x'), 1'000, 100).error().code(), ErrorCode::invalid_argument);
  Bytes trailer = "0\r\n";
  for (int i = 0; i < 10'000; ++i) trailer += "A: bbbb\r\n";
  EXPECT_EQ(decode(trailer, 1'000, 100).error().code(), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace strata::rest
