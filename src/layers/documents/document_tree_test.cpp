#include "layers/documents/document_tree.h"

#include <gtest/gtest.h>

#include "layers/documents/document_text.h"

namespace strata::documents {
namespace {

std::string error_of(BytesView json, size_t limit = max_document_bytes) {
  Arena arena;
  const auto text = minify_document(json, arena, limit);
  return text.ok() ? "" : std::string(text.error().message());
}

std::string nested(size_t depth) {
  std::string json = "{\"a\":";
  for (size_t i = 1; i < depth; ++i) json += "[";
  json += "1";
  for (size_t i = 1; i < depth; ++i) json += "]";
  return json + "}";
}

std::string rewritten(BytesView json) {
  const auto value = parse_value(json);
  EXPECT_TRUE(value.ok()) << json;
  if (!value.ok()) return "";
  Bytes out;
  append_json(out, *value);
  return out;
}

TEST(DocumentText, KeepsEveryByteButTheBlanksBetweenTokens) {
  Arena arena;
  const auto text = minify_document(" {\n \"a b\" :\t[ 1.50 , -0, 1E5,\"\\u0041 \\\" \\n\" ] , \"ü\":{ }\r} ", arena);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, "{\"a b\":[1.50,-0,1E5,\"\\u0041 \\\" \\n\"],\"ü\":{}}");
}

TEST(DocumentText, ATextWithoutBlanksIsNotCopied) {
  const BytesView json = R"({"a b":" \\\" ","c":[1,{"d":"\\"}]})";
  Arena arena;
  const auto text = minify_document(json, arena);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->data(), json.data());
  EXPECT_EQ(*text, json);
}

TEST(DocumentText, RefusesWhatIsNoDocument) {
  for (const char* json :
       {"", " ", "{", "{}{}", "{} x", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":01}", "{'a':1}", "{\"a\":\"\n\"}",
        "{\"a\":\"\\ud800\"}", "{\"a\":nul}", "{\"a\":1e999}", "{\"a\":\"\\x\"}"}) {
    EXPECT_NE(error_of(json), "") << json;
  }
  EXPECT_EQ(error_of("[]"), "is not a JSON object");
  EXPECT_EQ(error_of("1"), "is not a JSON object");
  EXPECT_NE(error_of("{\"a\":\"\xFF\"}").find("UTF-8"), std::string::npos);
}

TEST(DocumentText, RefusesANameGivenTwice) {
  EXPECT_EQ(error_of("{\"a\":1,\"b\":2,\"a\":3}"), "holds the name a twice");
  // The same name in another spelling, deep inside.
  EXPECT_EQ(error_of("{\"x\":[{\"a\":1,\"\\u0061\":2}]}"), "holds the name a twice");
  std::string many = "{";
  for (int i = 0; i < 100; ++i) many += "\"n" + std::to_string(i) + "\":1,";
  EXPECT_EQ(error_of(many + "\"m\":1}"), "");
  EXPECT_EQ(error_of(many + "\"n50\":1}"), "holds the name n50 twice");
}

TEST(DocumentText, NumbersFitWhatTheyAreReadInto) {
  EXPECT_EQ(error_of("{\"a\":[9223372036854775807,-9223372036854775808,18446744073709551615,1.7e308]}"), "");
  for (const char* number : {"18446744073709551616", "-9223372036854775809", "1e309", "-1e400"}) {
    EXPECT_NE(error_of("{\"a\":" + std::string(number) + "}").find("send it as a string"), std::string::npos) << number;
  }
}

TEST(DocumentText, DepthIsLimited) {
  EXPECT_EQ(error_of(nested(max_document_depth)), "");
  EXPECT_EQ(error_of(nested(max_document_depth + 1)), "is nested deeper than 128 levels");
  EXPECT_EQ(error_of(nested(100'000)), "is nested deeper than 128 levels");
}

TEST(DocumentText, SizeIsThatOfTheMinifiedText) {
  EXPECT_EQ(error_of("{\"a\":1}", 7), "");
  EXPECT_EQ(error_of("{ \"a\" : 1 }  ", 7), "");
  EXPECT_EQ(error_of("{\"a\":12}", 7), "has 8 bytes, at most 7 are possible");
  Arena arena;
  EXPECT_EQ(minify_document("{\"a\":12}", arena, 7).error().code(), ErrorCode::payload_too_large);
  EXPECT_EQ(minify_document("{" + std::string(100, ' ') + "}", arena, 7).error().code(), ErrorCode::payload_too_large);
}

TEST(DocumentText, Keys) {
  EXPECT_TRUE(validate_document_key(std::string(max_document_key_bytes, 'k')).ok());
  EXPECT_TRUE(validate_document_key(BytesView("\0ü", 3)).ok());
  for (const std::string& key : {std::string(), std::string(max_document_key_bytes + 1, 'k'), std::string("\xFF")}) {
    EXPECT_FALSE(validate_document_key(key).ok());
  }
}

TEST(DocumentTree, WritesWhatItRead) {
  for (const char* json : {"{}", "[]", "{\"b\":1,\"a\":[true,false,null,\"x\\\"\\\\\\n\\t\\r\\u0001ü\"]}", "1", "-1",
                           "1.0", "0.1", "1e+300", "5e-324", "18446744073709551615", "\"\"", "[[],{\"\":{}}]"}) {
    EXPECT_EQ(rewritten(json), json);
  }
  EXPECT_EQ(rewritten("1E3"), "1000.0");
  EXPECT_EQ(rewritten("-0.0"), "-0.0");
  EXPECT_EQ(rewritten("\"\\u0041\\/\""), "\"A/\"");
}

TEST(DocumentTree, EqualityIsThatOfJson) {
  const auto equal = [](const char* a, const char* b) {
    uint64_t work = 0;
    return deep_equal(*parse_value(a), *parse_value(b), work);
  };
  EXPECT_TRUE(equal("{\"a\":1,\"b\":[1,{\"c\":null,\"d\":2}]}", "{\"b\":[1.0,{\"d\":2,\"c\":null}],\"a\":1}"));
  EXPECT_TRUE(equal("18446744073709551615", "18446744073709551615"));
  EXPECT_TRUE(equal("0", "-0.0"));
  const char* different[][2] = {
      {"1", "\"1\""},     {"1", "true"},       {"null", "false"},
      {"[1,2]", "[2,1]"}, {"[1]", "[1,1]"},    {"{\"a\":1}", "{\"b\":1}"},
      {"{}", "[]"},       {"{\"a\":1}", "{}"}, {"9007199254740993", "9007199254740992.0"},
      {"\"a\"", "\"b\""}, {"true", "false"},   {"18446744073709551615", "1.8446744073709552e19"}};
  for (const auto& pair : different) EXPECT_FALSE(equal(pair[0], pair[1])) << pair[0] << " " << pair[1];
}

TEST(DocumentTree, Depth) {
  EXPECT_EQ(depth_of(*parse_value("1")), 0u);
  EXPECT_EQ(depth_of(*parse_value("{}")), 1u);
  EXPECT_EQ(depth_of(*parse_value("[1,{\"a\":[]}]")), 3u);
}

}  // namespace
}  // namespace strata::documents
