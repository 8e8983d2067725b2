#include "layers/documents/projection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <optional>

#include "base/random.h"
#include "layers/documents/document_path.h"

namespace strata::documents {
namespace {

using testing::HasSubstr;

std::string project(std::string_view document, std::string_view fields) {
  const auto projection = Projection::parse_list(fields);
  if (!projection.ok()) return std::string(projection.error().message());
  Bytes out = "<";
  const auto done = projection->append(document, out);
  return done.ok() ? out.substr(1) : std::string(done.error().message());
}

constexpr const char* article =
    R"({"title":"t","author":{"name":"n","address":{"city":"c","zip":1.50}},"tags":["x","y"],)"
    R"("_chunks":{"m":[{"text":"a","_embedding":[1,2]},{"text":"b"}]},"e":{},"l":[]})";

TEST(Projection, KeepsWhatIsAskedFor) {
  EXPECT_EQ(project(article, ""), article);
  EXPECT_EQ(project(article, "title"), R"({"title":"t"})");
  EXPECT_EQ(project(article, "author.address.zip, title"), R"({"title":"t","author":{"address":{"zip":1.50}}})");
  EXPECT_EQ(project(article, "author,author.name"), R"({"author":{"name":"n","address":{"city":"c","zip":1.50}}})");
  EXPECT_EQ(project(article, "nothing"), "{}");
  EXPECT_EQ(project(article, "title.x"), "{}");
  EXPECT_EQ(project(article, "tags.x"), "{}");
  EXPECT_EQ(project(article, "e,l"), R"({"e":{},"l":[]})");
  EXPECT_EQ(project(article, "e.x,l.x"), "{}");
  EXPECT_EQ(project(article, "*"), article);
  EXPECT_EQ(project(article, "$"), article);
  EXPECT_EQ(project(article, "-$"), "{}");
}

TEST(Projection, DescendsArraysAndKnowsWildcardsAndExclusions) {
  EXPECT_EQ(project(article, "_chunks.*.text"), R"({"_chunks":{"m":[{"text":"a"},{"text":"b"}]}})");
  EXPECT_EQ(project(article, "_chunks.*,-_chunks.*._embedding"), R"({"_chunks":{"m":[{"text":"a"},{"text":"b"}]}})");
  EXPECT_EQ(project(R"({"_chunks":[{"_embedding":[1],"t":"x"}],"a":1})", "-_chunks.*._embedding"),
            R"({"_chunks":[{"t":"x"}],"a":1})");
  EXPECT_EQ(project(R"({"a":[{"b":1,"c":2},{"c":3},[{"b":4}]]})", "a.b"), R"({"a":[{"b":1},[{"b":4}]]})");
  EXPECT_EQ(project(article, "-title,-author,-tags,-_chunks"), R"({"e":{},"l":[]})");
  EXPECT_EQ(project(article, "-author.address.city,-tags.*,-_chunks"),
            R"({"title":"t","author":{"name":"n","address":{"zip":1.50}},"tags":[],"e":{},"l":[]})");
  EXPECT_EQ(project(article, "author,-author.address"), R"({"author":{"name":"n"}})");
}

TEST(Projection, NamesWithEscapes) {
  const char* document = R"({"a\"b":1,"c.d":2,"\u0065":3,"x,y":4,"-m":5})";
  EXPECT_EQ(project(document, "a\"b"), R"({"a\"b":1})");
  EXPECT_EQ(project(document, R"(c\.d)"), R"({"c.d":2})");
  EXPECT_EQ(project(document, "e"), R"({"\u0065":3})");
  EXPECT_EQ(project(document, R"(x\,y)"), R"({"x,y":4})");
  EXPECT_EQ(project(document, R"(\-m)"), R"({"-m":5})");
}

TEST(Projection, MembersBehindTheCallersOwn) {
  const auto members = [](std::string_view fields, std::string_view without) {
    Bytes out;
    EXPECT_TRUE(Projection::parse_list(fields)->append_members(R"({"key":1,"a":{"key":2}})", without, out).ok());
    return out;
  };
  EXPECT_EQ(members("", "key"), R"(,"a":{"key":2})");
  EXPECT_EQ(members("", ""), R"(,"key":1,"a":{"key":2})");
  EXPECT_EQ(members("key,a.key", "key"), R"(,"a":{"key":2})");
  EXPECT_EQ(members("key", "key"), "");
}

TEST(Projection, RefusesWhatIsNoField) {
  EXPECT_THAT(project("{}", "a,,b"), HasSubstr("fields: path \"\": is empty"));
  EXPECT_THAT(project("{}", "-"), HasSubstr("is empty"));
  EXPECT_THAT(project("{}", "a..b"), HasSubstr("fields: path \"a..b\": has an empty name"));
  std::string many = "a";
  for (int i = 0; i < 256; ++i) many += ",a";
  EXPECT_THAT(project("{}", many), HasSubstr("more than 256 fields"));
  std::string long_one = "a";
  for (int i = 0; i < 127; ++i) long_one += ".a";
  std::string longer = long_one;
  for (int i = 0; i < 8; ++i) longer += "," + long_one;
  EXPECT_THAT(project("{}", longer), HasSubstr("more than 1024 names"));
}

TEST(Projection, BrokenTextIsCorruption) {
  const auto projection = Projection::parse_list("a.b");
  const std::string whole = R"({"a":{"b":[1,"\"x",true]},"c":{"d":null}})";
  Bytes out;
  ASSERT_TRUE(projection->append(whole, out).ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(projection->append(whole.substr(0, size), out).ok()) << size;
  }
  EXPECT_FALSE(projection->append(whole + "}", out).ok());
  EXPECT_FALSE(projection->append(std::string(100'000, '['), out).ok());
}

// The reference: a place is a list of steps, and a pattern says of a place whether it covers it or leads there.
struct Step {
  std::string name;
  bool element = false;
};
using Place = std::vector<Step>;

// The pattern from `i` on matches the steps from `j` on; `prefix`: it is enough that the steps end first.
bool matches(const std::vector<PathSegment>& pattern, size_t i, const Place& place, size_t j, bool covers) {
  if (covers && i == pattern.size()) return true;
  if (j == place.size()) return !covers && i <= pattern.size();
  if (i == pattern.size()) return false;
  if (place[j].element && matches(pattern, i, place, j + 1, covers)) return true;
  const bool here = pattern[i].wildcard || (!place[j].element && pattern[i].name == place[j].name);
  return here && matches(pattern, i + 1, place, j + 1, covers);
}

struct Reference {
  std::vector<std::vector<PathSegment>> includes;
  std::vector<std::vector<PathSegment>> excludes;

  bool covered(const std::vector<std::vector<PathSegment>>& patterns, const Place& place) const {
    for (const auto& pattern : patterns) {
      if (matches(pattern, 0, place, 0, true)) return true;
    }
    return false;
  }

  // nullopt: nothing stays.
  std::optional<std::string> apply(simdjson::dom::element value, Place& place) const {
    if (covered(excludes, place)) return std::nullopt;
    const bool included = includes.empty() || covered(includes, place);
    if (!value.is_object() && !value.is_array()) {
      if (!included) return std::nullopt;
      return simdjson::minify(value);
    }
    std::string out;
    const auto child = [&](const Step& step, simdjson::dom::element inner, const std::string& before) {
      place.push_back(step);
      if (auto text = apply(inner, place)) out += (out.empty() ? "" : ",") + before + *text;
      place.pop_back();
    };
    if (value.is_array()) {
      for (const auto inner : value.get_array()) child({"", true}, inner, "");
    } else {
      for (const auto [name, inner] : value.get_object()) {
        child({std::string(name), false}, inner, "\"" + std::string(name) + "\":");
      }
    }
    if (out.empty() && !included && !place.empty()) return std::nullopt;
    return value.is_array() ? "[" + out + "]" : "{" + out + "}";
  }
};

std::string random_value(Random& random, int depth) {
  const uint64_t kind = random.below(depth >= 5 ? 1 : 4);
  if (kind == 0) return std::to_string(random.below(10));
  std::string text(1, kind == 1 ? '[' : '{');
  std::string names = "abc";
  for (uint64_t i = random.below(4); i > 0; --i) {
    if (text.size() > 1) text += ",";
    if (kind != 1) text += std::string("\"") + names[i - 1] + "\":";
    text += random_value(random, depth + 1);
  }
  return text + (kind == 1 ? "]" : "}");
}

TEST(Projection, AgreesWithItsDefinitionOnRandomDocuments) {
  Random random(20'261'121);
  int kept_something = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string document;
    do {
      document = random_value(random, 0);
    } while (document.front() != '{');
    std::string fields;
    Reference reference;
    for (uint64_t n = 1 + random.below(3); n > 0; --n) {
      std::string field;
      for (uint64_t names = 1 + random.below(3); names > 0; --names) {
        if (!field.empty()) field += ".";
        field += std::string(1, "abc*"[random.below(4)]);
      }
      const bool exclude = random.below(3) == 0;
      (exclude ? reference.excludes : reference.includes).push_back(split_path(field).value());
      if (!fields.empty()) fields += ",";
      fields += (exclude ? "-" : "") + field;
    }
    simdjson::dom::parser parser;
    Place place;
    const auto expected = reference.apply(parser.parse(document).value(), place);
    ASSERT_TRUE(expected.has_value());
    ASSERT_EQ(project(document, fields), *expected) << document << "\n" << fields;
    kept_something += *expected != "{}" && *expected != document;
  }
  EXPECT_GT(kept_something, 4'000);
}

}  // namespace
}  // namespace strata::documents
