#include "layers/documents/schema.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "layers/documents/document_text.h"

namespace strata::documents {
namespace {

using testing::HasSubstr;

// "" when it holds, else what is wrong.
std::string verdict(std::string_view schema, std::string_view document) {
  const auto compiled = Schema::compile(schema);
  if (!compiled.ok()) return std::string(compiled.error().message());
  const auto parsed = parse_json(document);
  EXPECT_TRUE(parsed.ok()) << document;
  const auto valid = (*compiled)->validate(*parsed);
  return valid.ok() ? "" : std::string(valid.error().message());
}

struct Case {
  const char* schema;
  std::vector<const char*> good;
  std::vector<const char*> bad;
};

void check(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    for (const char* document : one.good) EXPECT_EQ(verdict(one.schema, document), "") << one.schema << " " << document;
    for (const char* document : one.bad) EXPECT_NE(verdict(one.schema, document), "") << one.schema << " " << document;
  }
}

TEST(Schema, Types) {
  check({{"true", {"1", "{}"}, {}},
         {"false", {}, {"1", "{}"}},
         {"{}", {"null", "[]"}, {}},
         {R"({"type":"integer"})", {"1", "1.0", "18446744073709551615"}, {"1.5", "\"1\"", "null", "true"}},
         {R"({"type":"number"})", {"1", "1.5"}, {"\"1\"", "false"}},
         {R"({"type":["string","null"]})", {"\"\"", "null"}, {"0", "[]", "{}"}},
         {R"({"type":"boolean"})", {"true", "false"}, {"0"}},
         {R"({"type":"array"})", {"[]"}, {"{}"}},
         {R"({"type":"object"})", {"{}"}, {"[]"}},
         {R"({"enum":[1,"a",{"x":[null]}]})", {"1.0", "\"a\"", R"({"x":[null]})"}, {"2", "\"b\"", "{}"}},
         {R"({"const":{"a":1}})", {R"({"a":1})"}, {R"({"a":2})", "null"}},
         {R"({"const":1,"enum":[1,2]})", {"1"}, {"2"}}});
}

TEST(Schema, NumbersAndStrings) {
  check({{R"({"minimum":1,"maximum":3})", {"1", "3", "2.5", "\"x\""}, {"0.99", "4"}},
         {R"({"exclusiveMinimum":1,"exclusiveMaximum":3})", {"1.01", "2"}, {"1", "3"}},
         {R"({"minimum":1,"exclusiveMinimum":true})", {"2"}, {"1"}},
         {R"({"minimum":5,"exclusiveMinimum":1})", {"5"}, {"4"}},
         {R"({"multipleOf":3})", {"0", "9", "-3", "3.0"}, {"1", "3.5"}},
         {R"({"multipleOf":0.1})", {"0.3", "1"}, {"0.35"}},
         {R"({"minLength":2,"maxLength":3})", {"\"ab\"", "\"üüü\"", "1"}, {"\"a\"", "\"abcd\""}},
         {R"({"pattern":"^a+$"})", {"\"aa\"", "5"}, {"\"b\"", "\"ab\""}},
         {R"({"pattern":"b"})", {"\"abc\""}, {"\"ac\""}},
         {R"({"format":"email"})", {"\"no mail\""}, {}}});
}

TEST(Schema, Arrays) {
  check({{R"({"items":{"type":"integer"}})", {"[]", "[1,2]"}, {"[1,\"2\"]"}},
         {R"({"prefixItems":[{"type":"integer"},{"type":"string"}],"items":false})",
          {"[1,\"a\"]", "[1]"},
          {"[\"a\"]", "[1,\"a\",2]"}},
         {R"({"items":[{"type":"integer"}],"additionalItems":{"type":"string"}})", {"[1,\"a\",\"b\"]"}, {"[1,2]"}},
         {R"({"minItems":1,"maxItems":2})", {"[1]", "[1,2]"}, {"[]", "[1,2,3]"}},
         {R"({"contains":{"type":"string"}})", {"[1,\"a\"]"}, {"[]", "[1]"}},
         {R"({"contains":{"type":"string"},"minContains":2,"maxContains":3})",
          {"[\"a\",\"b\"]"},
          {"[\"a\"]", "[\"\",\"\",\"\",\"\"]"}},
         {R"({"uniqueItems":true})",
          {"[1,\"1\",true,null,[],{}]", R"([{"a":1},{"a":2}])"},
          {"[1,1.0]", R"([{"a":1,"b":2},{"b":2,"a":1}])", "[[1],[1]]"}}});
}

TEST(Schema, Objects) {
  check({{R"({"required":["a","b"]})", {R"({"a":1,"b":null})", "[]"}, {R"({"a":1})"}},
         {R"({"properties":{"a":{"type":"string"}},"additionalProperties":false})",
          {R"({"a":""})", "{}"},
          {R"({"a":1})", R"({"b":1})"}},
         {R"({"patternProperties":{"^x":{"type":"integer"}},"additionalProperties":{"type":"string"}})",
          {R"({"x1":1,"y":"s"})"},
          {R"({"x1":"s"})", R"({"y":1})"}},
         {R"({"propertyNames":{"maxLength":2}})", {R"({"ab":1})"}, {R"({"abc":1})"}},
         {R"({"minProperties":1,"maxProperties":2})", {R"({"a":1})"}, {"{}", R"({"a":1,"b":1,"c":1})"}},
         {R"({"dependentRequired":{"a":["b"]}})", {R"({"a":1,"b":1})", "{}"}, {R"({"a":1})"}},
         {R"({"dependencies":{"a":["b"],"c":{"required":["d"]}}})",
          {R"({"a":1,"b":1})", R"({"c":1,"d":1})"},
          {R"({"a":1})", R"({"c":1})"}},
         {R"({"dependentSchemas":{"a":{"required":["b"]}}})", {"{}"}, {R"({"a":1})"}}});
}

TEST(Schema, Combinations) {
  check({{R"({"allOf":[{"minimum":1},{"maximum":2}]})", {"1"}, {"0", "3"}},
         {R"({"anyOf":[{"type":"string"},{"minimum":5}]})", {"\"\"", "6"}, {"4"}},
         {R"({"oneOf":[{"type":"integer"},{"minimum":2}]})", {"1", "2.5"}, {"3", "1.5"}},
         {R"({"not":{"type":"string"}})", {"1"}, {"\"\""}},
         {R"({"if":{"type":"string"},"then":{"minLength":2},"else":{"minimum":5}})", {"\"ab\"", "5"}, {"\"a\"", "4"}},
         {R"({"if":{"type":"string"}})", {"1", "\"\""}, {}}});
}

TEST(Schema, ReferencesLeadIntoTheSchema) {
  check({{R"({"$ref":"#/$defs/a","$defs":{"a":{"type":"integer"}}})", {"1"}, {"\"\""}},
         {R"({"$ref":"#/definitions/a~1b%25","definitions":{"a/b%":{"type":"integer"}}})", {"1"}, {"\"\""}},
         {R"({"$ref":"#/allOf/1","allOf":[true,{"minimum":2}]})", {"2"}, {"1"}},
         {R"({"type":"object","properties":{"next":{"$ref":"#"}},"required":["v"]})",
          {R"({"v":1,"next":{"v":2}})"},
          {R"({"v":1,"next":{"v":1,"next":{}}})"}}});
  for (const char* target :
       {"http://example.com/schema", "file:///etc/passwd", "other.json", "/etc/passwd", "#nowhere", "#/x", "#/a/0"}) {
    EXPECT_THAT(verdict(R"({"$ref":")" + std::string(target) + R"(","a":[]})", "1"), HasSubstr("schema: #/$ref"))
        << target;
  }
}

TEST(Schema, MessagesNameThePath) {
  const char* schema = R"({"properties":{"a":{"items":{"properties":{"b":{"type":"string"}}}}}})";
  EXPECT_EQ(verdict(schema, R"({"a":[{},{"b":1}]})"), "$.a[1].b must be a string");
  EXPECT_EQ(verdict(R"({"type":["integer","null"]})", "\"\""), "$ must be null or an integer");
  EXPECT_EQ(verdict(R"({"required":["x"]})", "{}"), "$ must have x");
}

TEST(Schema, RefusesWhatItWouldNotHold) {
  for (const char* schema : {"1",
                             "[]",
                             R"({"type":"text"})",
                             R"({"type":1})",
                             R"({"enum":1})",
                             R"({"allOf":[]})",
                             R"({"allOf":{}})",
                             R"({"not":1})",
                             R"({"minimum":"1"})",
                             R"({"multipleOf":0})",
                             R"({"minLength":-1})",
                             R"x({"pattern":"("})x",
                             R"x({"pattern":"(?=a)"})x",
                             R"({"required":"a"})",
                             R"({"required":[1]})",
                             R"({"properties":[]})",
                             R"({"properties":{"a":1}})",
                             R"({"items":[1]})",
                             R"({"uniqueItems":1})",
                             R"({"unevaluatedProperties":false})",
                             R"({"$dynamicRef":"#a"})",
                             R"({"$ref":1})",
                             R"({"patternProperties":{"[":{}}})",
                             R"({"dependencies":{"a":1}})",
                             "{"}) {
    EXPECT_THAT(verdict(schema, "{}"), HasSubstr("schema")) << schema;
  }
}

TEST(Schema, HostileOnesEnd) {
  // To itself without end; and two ways at every step.
  EXPECT_THAT(verdict(R"({"$ref":"#"})", "{}"), HasSubstr("without end"));
  EXPECT_THAT(verdict(R"({"anyOf":[{"$ref":"#"},{"$ref":"#"}]})", "{}"), HasSubstr("without end"));
  EXPECT_THAT(verdict(R"({"not":{"$ref":"#"}})", "{}"), HasSubstr("without end"));
  EXPECT_EQ(verdict(R"x({"pattern":"(a+)+$"})x", "\"" + std::string(100'000, 'a') + "b\""),
            "$ does not match the pattern (a+)+$");
  // A long chain of references.
  std::string chain = R"({"$ref":"#/$defs/d0","$defs":{)";
  for (int i = 0; i < 500; ++i) chain += fmt::format(R"("d{}":{{"$ref":"#/$defs/d{}"}},)", i, i + 1);
  EXPECT_THAT(verdict(chain + R"("d500":true}})", "1"), HasSubstr("too much work"));
  // Every name with every pattern.
  std::string patterns = R"({"patternProperties":{)";
  for (int i = 0; i < 256; ++i) patterns += fmt::format(R"({}"a{{0,{}}}$":true)", i ? "," : "", i + 1);
  EXPECT_EQ(verdict(patterns + "}}", R"({"aaaa":1})"), "");
  patterns += R"(,"one":true)";
  EXPECT_THAT(verdict(patterns + "}}", "{}"), HasSubstr("beyond the limits"));
}

}  // namespace
}  // namespace strata::documents
