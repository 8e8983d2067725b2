#include "base/log.h"

#include <gtest/gtest.h>

#include <limits>

namespace strata::log {
namespace {

constexpr int64_t moment_us = 1'700'000'000'123'456;  // 2023-11-14 22:13:20.123456 UTC

TEST(Log, PrettyLine) {
  EXPECT_EQ(render(Format::pretty, Level::info, moment_us, "listening", {{"address", "127.0.0.1"}, {"port", 8080}}),
            "2023-11-14T22:13:20.123Z info    listening address=127.0.0.1 port=8080\n");
  EXPECT_EQ(render(Format::pretty, Level::error, moment_us, "stopped", {{"why", "disk full"}, {"empty", ""}}),
            "2023-11-14T22:13:20.123Z error   stopped why=\"disk full\" empty=\"\"\n");
}

TEST(Log, JsonLine) {
  const std::string owned = "text";
  EXPECT_EQ(render(Format::json, Level::warning, moment_us, "message",
                   {{"text", owned}, {"integer", -5}, {"number", 1.5}, {"yes", true}}),
            "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warning\",\"message\":\"message\","
            "\"text\":\"text\",\"integer\":-5,\"number\":1.5,\"yes\":true}\n");
  EXPECT_NE(render(Format::json, Level::info, 0, "m", {{"n", std::numeric_limits<double>::infinity()}}).find(":null"),
            std::string::npos);
}

std::string json_of(std::string_view text) {
  const std::string line = render(Format::json, Level::info, 0, text, {});
  const size_t begin = line.find("\"message\":") + 10;
  return line.substr(begin, line.size() - begin - 2);
}

TEST(Log, JsonEscapesWhatJsonForbids) {
  EXPECT_EQ(json_of("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(json_of(std::string_view("\n\t\0\x7f", 4)), R"("\n\u0009\u0000\u007f")");
  EXPECT_EQ(json_of("\xC2\x9B"), R"("\u009b")");
  EXPECT_EQ(json_of("\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80"), "\"\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80\"");
}

TEST(Log, JsonReplacesBrokenUtf8) {
  EXPECT_EQ(json_of("\x80"), R"("\ufffd")");
  EXPECT_EQ(json_of("\xE2\x82"), R"("\ufffd\ufffd")");
  EXPECT_EQ(json_of("\xC0\xAF"), R"("\ufffd\ufffd")");                        // overlong
  EXPECT_EQ(json_of("\xED\xA0\x80"), R"("\ufffd\ufffd\ufffd")");              // a surrogate
  EXPECT_EQ(json_of("\xF4\x90\x80\x80x"), R"("\ufffd\ufffd\ufffd\ufffdx")");  // beyond U+10FFFF
}

TEST(Log, PrettyCannotBeForged) {
  EXPECT_EQ(render(Format::pretty, Level::info, 0, "a\nb\x1B[31m", {{"k", "\xFFx"}}),
            "1970-01-01T00:00:00.000Z info    a\\x0ab\\x1b[31m k=\\xffx\n");
}

TEST(Log, NamesOfLevelsAndFormats) {
  EXPECT_EQ(parse_level("warning"), Level::warning);
  EXPECT_EQ(parse_level("loud"), std::nullopt);
  EXPECT_EQ(parse_format("json"), Format::json);
  EXPECT_EQ(parse_format("xml"), std::nullopt);
}

}  // namespace
}  // namespace strata::log
