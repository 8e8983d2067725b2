#include "faces/rest/file_body.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include "faces/rest/file_handler.h"

namespace strata::rest {
namespace {

// With the readable bytes behind it that a request's body has.
template <class Parse>
auto parsed(Parse parse, BytesView text) {
  Bytes bytes(text);
  bytes.reserve(bytes.size() + simdjson::SIMDJSON_PADDING);
  return parse(BytesView(bytes));
}

TEST(FileBody, AnUploadKeepsItsTexts) {
  const std::string hash(64, 'a');
  const auto upload = parsed(parse_upload, R"({"files":[{"path":"/a","content_type":"x/y","chunk_hashes":[")" + hash +
                                               R"("]},{"path":"/b\n","content_type":null,"chunks":[],"x":1}]})");
  ASSERT_TRUE(upload.ok()) << upload.error().message();
  // The parser's memory is another body's by now.
  ASSERT_TRUE(parsed(parse_symlink, R"({"target":"///////////////////////////////////////////////"})").ok());
  ASSERT_EQ(upload->files.size(), 2u);
  EXPECT_EQ(upload->files[0].path, "/a");
  EXPECT_EQ(upload->files[0].content_type, "x/y");
  ASSERT_EQ(upload->files[0].chunks.size(), 1u);
  EXPECT_EQ(hash_hex(upload->files[0].chunks[0]), hash);
  EXPECT_EQ(upload->files[1].path, "/b\n");
  EXPECT_EQ(upload->files[1].content_type, "");
}

TEST(FileBody, SaysWhichFieldIsWrong) {
  const auto refused = [](BytesView text) { return std::string(parsed(parse_upload, text).error().message()); };
  EXPECT_EQ(refused(R"({"files":[{"path":"/a","chunk_hashes":[]},{"path":"/b","chunk_hashes":["xx"]}]})"),
            "files[1].chunk_hashes[0] is no hash: xx");
  EXPECT_EQ(refused(R"({"files":[{"path":"/a"}]})"), "files[0].chunk_hashes is required");
  EXPECT_EQ(refused(R"({"files":[{"chunks":[]}]})"), "files[0].path is required");
  EXPECT_EQ(refused(R"({"files":[7]})"), "files[0] must be an object");
  EXPECT_EQ(refused("{}"), "files is required");
}

TEST(FileBody, MetadataIsWrittenWithoutBlanks) {
  const auto snapshot =
      parsed(parse_snapshot, R"({ "name": "v1", "metadata": { "a": [1, 2.5, null], "b": "\u00e4" } })");
  ASSERT_TRUE(snapshot.ok());
  EXPECT_EQ(snapshot->metadata, "{\"a\":[1,2.5,null],\"b\":\"ä\"}");
  EXPECT_EQ(parsed(parse_snapshot, R"({"name":"v1","metadata":null})")->metadata, "{}");
  EXPECT_FALSE(parsed(parse_snapshot, R"({"name":"v1","metadata":[]})").ok());
}

TEST(FileHandler, HeadersHoldWhatTheyCan) {
  EXPECT_EQ(header_text("/data/report 1.pdf"), "/data/report 1.pdf");
  EXPECT_EQ(header_text("/100%/ä\r\n\x7f"), "/100%25/%C3%A4%0D%0A%7F");
  EXPECT_EQ(header_text(" /a "), "%20/a%20");
  EXPECT_EQ(header_text(""), "");
}

TEST(FileHandler, ContentTypesAreShortAndPrintable) {
  EXPECT_TRUE(check_content_type("text/plain; charset=utf-8").ok());
  EXPECT_TRUE(check_content_type(std::string(255, 'x')).ok());
  EXPECT_FALSE(check_content_type(std::string(256, 'x')).ok());
  EXPECT_FALSE(check_content_type("a\r\nb").ok());
  EXPECT_FALSE(check_content_type("ä").ok());
}

}  // namespace
}  // namespace strata::rest
