#include "faces/rest/response.h"

#include <gtest/gtest.h>

#include "faces/rest/response_head.h"

namespace strata::rest {
namespace {

Bytes json(BytesView text) {
  Bytes out;
  append_json_string(out, text);
  return out;
}

TEST(JsonString, EscapesWhatJsonAsksFor) {
  EXPECT_EQ(json("plain"), "\"plain\"");
  EXPECT_EQ(json("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
  EXPECT_EQ(json(BytesView("\0\n\r\t\b\f\x1F\x7F", 8)), "\"\\u0000\\n\\r\\t\\b\\f\\u001f\\u007f\"");
  EXPECT_EQ(json("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"");
}

TEST(JsonString, WhatIsNotUtf8BecomesTheReplacementCharacter) {
  const char* replaced = "\"\xEF\xBF\xBD\"";
  for (const char* bad : {"\x80", "\xFF", "\xC0", "\xC3", "\xF8"}) EXPECT_EQ(json(bad), replaced);
  EXPECT_EQ(json("\xC0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                  // overlong
  EXPECT_EQ(json("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");  // surrogate
  EXPECT_EQ(json("\xF4\x90\x80\x80").size(), 2u + 4 * 3);                       // above U+10FFFF
  EXPECT_EQ(json("a\xE2\x82z"), "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\"");
}

TEST(Response, HeaderValuesCannotEndTheLine) {
  Response response;
  response.add_header("X-Name", "a\r\nSet-Cookie: b\x7F\tc");
  EXPECT_EQ(response.header_lines, "X-Name: a??Set-Cookie: b?\tc\r\n");
}

TEST(Response, ErrorsAreJsonWithTheErrorsStatus) {
  const Response response = error_response({ErrorCode::not_found, "namespace not found: \"x\""});
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, R"({"error":"namespace not found: \"x\""})");
  EXPECT_EQ(error_response(ErrorCode::unauthenticated).header_lines, "WWW-Authenticate: Bearer\r\n");
  EXPECT_EQ(error_response(ErrorCode::unavailable).header_lines, "Retry-After: 1\r\n");
}

TEST(ResponseHead, LengthChunksAndClose) {
  char date[29];
  format_http_date(784'111'777, date);
  HeadOptions options;
  options.date = {date, 29};
  options.length = 12;
  options.request_id = "id";
  Bytes out;
  append_response_head(out, Response(), options);
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: application/json\r\n"
            "Content-Length: 12\r\nX-Request-Id: id\r\n\r\n");
  out.clear();
  Response response;
  response.status = 404;
  response.content_type = text_type;
  response.add_header("A", "b");
  options.framing = Framing::chunked;
  options.keep_alive = false;
  options.request_id = {};
  append_response_head(out, response, options);
  EXPECT_EQ(
      out,
      "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Transfer-Encoding: chunked\r\nConnection: close\r\nA: b\r\n\r\n");
}

TEST(ResponseHead, StatusSlotsAreDistinctAndUnknownShareOne) {
  EXPECT_EQ(status_slot(200), 0u);
  EXPECT_NE(status_slot(404), status_slot(200));
  EXPECT_EQ(status_slot(299), status_slots - 1);
  EXPECT_EQ(status_slot(-5), status_slots - 1);
  EXPECT_EQ(reason_phrase(503), "Service Unavailable");
  EXPECT_EQ(reason_phrase(299), "Unknown");
}

TEST(ResponseHead, ChunkSizes) {
  char line[18];
  EXPECT_EQ(std::string_view(line, format_chunk_size(0x1f, line)), "1f\r\n");
  EXPECT_EQ(std::string_view(line, format_chunk_size(UINT64_MAX, line)), "ffffffffffffffff\r\n");
}

class CollectingStream final : public ResponseStream {
 public:
  Result<void> write(BytesView bytes) override {
    text.append(bytes);
    return {};
  }
  Result<void> flush() override {
    text += "|";
    return {};
  }
  Bytes text;
};

TEST(EventStream, FieldsAndLines) {
  CollectingStream stream;
  EventStream events(stream);
  EXPECT_TRUE(events.send("one").ok());
  EXPECT_TRUE(events.send("two\nlines\r\nand\ra fourth", "change", "17").ok());
  EXPECT_TRUE(events.send("").ok());
  EXPECT_EQ(stream.text,
            "data: one\n\n|"
            "id: 17\nevent: change\ndata: two\ndata: lines\ndata: and\ndata: a fourth\n\n|"
            "data: \n\n|");
}

}  // namespace
}  // namespace strata::rest
