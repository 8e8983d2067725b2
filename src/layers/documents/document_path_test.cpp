#include "layers/documents/document_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace strata::documents {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(DocumentPath, ReadsBothSpellings) {
  for (const char* text : {"$.address.city", "address.city"}) {
    const auto path = DocumentPath::parse(text);
    ASSERT_TRUE(path.ok()) << text;
    EXPECT_THAT(path->segments(), ElementsAre("address", "city"));
    EXPECT_EQ(path->to_string(), "address.city");
  }
  EXPECT_TRUE(DocumentPath::parse("$")->is_root());
  EXPECT_THAT(DocumentPath::parse("$ref")->segments(), ElementsAre("$ref"));
}

TEST(DocumentPath, EscapesMakeDotsPartOfAName) {
  EXPECT_THAT(DocumentPath::parse(R"(a\.b.c)")->segments(), ElementsAre("a.b", "c"));
  EXPECT_THAT(DocumentPath::parse(R"(a\\.b)")->segments(), ElementsAre("a\\", "b"));
  EXPECT_THAT(DocumentPath::parse(R"(a\b)")->segments(), ElementsAre("a\\b"));
  for (const char* text : {R"(a\.b.c)", R"(\\)", R"(a\\\.)", "$", "$.$", "$.$.a", R"(\*)", "a b"}) {
    const auto path = DocumentPath::parse(text);
    ASSERT_TRUE(path.ok()) << text;
    const auto again = DocumentPath::parse(path->to_string());
    ASSERT_TRUE(again.ok()) << path->to_string();
    EXPECT_EQ(*again, *path) << text;
  }
}

TEST(DocumentPath, RefusesWhatIsNoPath) {
  std::string deep = "a";
  for (int i = 0; i < 127; ++i) deep += ".a";
  EXPECT_TRUE(DocumentPath::parse(deep).ok());
  const std::pair<std::string, const char*> cases[] = {
      {"", "is empty"},
      {"a..b", "empty name"},
      {".a", "empty name"},
      {"a.", "empty name"},
      {"$.", "empty name"},
      {deep + ".a", "more than 128"},
      {std::string(4097, 'a'), "longer than 4096"},
      {"\xff", "not UTF-8"},
  };
  for (const auto& [text, why] : cases) {
    const auto path = DocumentPath::parse(text);
    ASSERT_FALSE(path.ok()) << text;
    EXPECT_EQ(path.error().code(), ErrorCode::invalid_argument);
    EXPECT_THAT(std::string(path.error().message()), HasSubstr(why));
  }
}

std::vector<std::string> values_at(const char* document, const char* path) {
  simdjson::dom::parser parser;
  std::vector<std::string> found;
  visit_values(parser.parse(std::string_view(document)).value(), DocumentPath::parse(path)->segments(),
               [&](simdjson::dom::element value) {
                 found.push_back(simdjson::minify(value));
                 return false;
               });
  return found;
}

TEST(DocumentPath, VisitsDescendArrays) {
  const char* document = R"({"a":{"b":1},"c":[{"d":1},[{"d":[2,3]}],4,{"e":5}],"f":[[1],2,[]],"g":null})";
  EXPECT_THAT(values_at(document, "a.b"), ElementsAre("1"));
  EXPECT_THAT(values_at(document, "a"), ElementsAre(R"({"b":1})"));
  EXPECT_THAT(values_at(document, "c.d"), ElementsAre("1", "2", "3"));
  EXPECT_THAT(values_at(document, "f"), ElementsAre("1", "2"));
  EXPECT_THAT(values_at(document, "g"), ElementsAre("null"));
  EXPECT_THAT(values_at(document, "a.b.c"), ElementsAre());
  EXPECT_THAT(values_at(document, "x"), ElementsAre());
}

TEST(DocumentPath, AVisitStopsWhenItIsTold) {
  simdjson::dom::parser parser;
  const auto document = parser.parse(std::string_view(R"({"a":[1,2,3]})")).value();
  int seen = 0;
  EXPECT_TRUE(visit_values(document, DocumentPath::parse("a")->segments(), [&](auto) { return ++seen == 2; }));
  EXPECT_EQ(seen, 2);
}

}  // namespace
}  // namespace strata::documents
