#include "layers/documents/transform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace strata::documents {
namespace {

using testing::HasSubstr;

// The document afterwards, or the error.
std::string changed(std::string_view document, std::string_view op, std::string_view path,
                    std::optional<std::string_view> value = std::nullopt) {
  const auto operation = make_transform_operation(op, path, value);
  if (!operation.ok()) return "error: " + std::string(operation.error().message());
  Value tree = *parse_value(document);
  TransformContext context{.now = "2026-01-02T03:04:05.000006Z"};
  const auto applied = apply_transform(tree, *operation, context);
  if (!applied.ok()) return "error: " + std::string(applied.error().message());
  Bytes text;
  append_json(text, tree);
  return text;
}

TEST(Transform, Set) {
  EXPECT_EQ(changed("{}", "$set", "$.a", "1"), R"({"a":1})");
  EXPECT_EQ(changed(R"({"a":1,"b":2})", "$set", "a", R"({"x":[null]})"), R"({"a":{"x":[null]},"b":2})");
  EXPECT_EQ(changed("{}", "$set", "a.b.c", "\"v\""), R"({"a":{"b":{"c":"v"}}})");
  EXPECT_EQ(changed(R"({"a":[1,{"b":2}]})", "$set", "a.1.b", "3"), R"({"a":[1,{"b":3}]})");
  EXPECT_EQ(changed(R"({"a":[1]})", "$set", "a.1", "2"), R"({"a":[1,2]})");
  EXPECT_EQ(changed(R"({"a":1})", "$set", "$", R"({"b":2})"), R"({"b":2})");
  EXPECT_THAT(changed(R"({"a":[1]})", "$set", "a.2", "2"), HasSubstr("beyond its end"));
  EXPECT_THAT(changed(R"({"a":[1]})", "$set", "a.x", "2"), HasSubstr("no index"));
  EXPECT_THAT(changed(R"({"a":1})", "$set", "a.b", "2"), HasSubstr("a number is in the way"));
  EXPECT_THAT(changed(R"({"a":null})", "$set", "a.b", "2"), HasSubstr("null is in the way"));
  EXPECT_THAT(changed("{}", "$set", "$", "[]"), HasSubstr("must be an object"));
  EXPECT_THAT(changed("{}", "$set", "a"), HasSubstr("a value is required"));
  EXPECT_THAT(changed("{}", "$set", "a", R"({"x":1,"x":2})"), HasSubstr("twice"));
}

TEST(Transform, Unset) {
  EXPECT_EQ(changed(R"({"a":1,"b":2,"c":3})", "$unset", "b"), R"({"a":1,"c":3})");
  EXPECT_EQ(changed(R"({"a":{"b":1}})", "$unset", "$.a.b", "\"\""), R"({"a":{}})");
  EXPECT_EQ(changed(R"({"a":[1,2,3]})", "$unset", "a.1"), R"({"a":[1,3]})");
  for (const char* path : {"x", "x.y", "a.b.c", "a.9"})
    EXPECT_EQ(changed(R"({"a":[1]})", "$unset", path), R"({"a":[1]})");
  EXPECT_THAT(changed("{}", "$unset", "$"), HasSubstr("must name a field"));
}

TEST(Transform, IncrementAndMultiply) {
  EXPECT_EQ(changed(R"({"n":1})", "$inc", "n", "2"), R"({"n":3})");
  EXPECT_EQ(changed(R"({"n":1})", "$inc", "n", "-2"), R"({"n":-1})");
  EXPECT_EQ(changed(R"({"n":1})", "$inc", "n", "0.5"), R"({"n":1.5})");
  EXPECT_EQ(changed(R"({"n":0.5})", "$inc", "n", "1"), R"({"n":1.5})");
  EXPECT_EQ(changed(R"({"n":1.5})", "$inc", "n", "0.5"), R"({"n":2.0})");
  EXPECT_EQ(changed("{}", "$inc", "a.n", "7"), R"({"a":{"n":7}})");
  EXPECT_EQ(changed(R"({"n":9223372036854775807})", "$inc", "n", "1"), R"({"n":9223372036854775808})");
  EXPECT_THAT(changed(R"({"n":18446744073709551615})", "$inc", "n", "1"), HasSubstr("does not fit"));
  EXPECT_THAT(changed(R"({"n":-9223372036854775808})", "$inc", "n", "-1"), HasSubstr("does not fit"));
  EXPECT_EQ(changed(R"({"n":6})", "$mul", "n", "7"), R"({"n":42})");
  EXPECT_EQ(changed(R"({"n":3})", "$mul", "n", "0.5"), R"({"n":1.5})");
  EXPECT_EQ(changed("{}", "$mul", "n", "5"), R"({"n":0})");
  EXPECT_EQ(changed("{}", "$mul", "n", "5.5"), R"({"n":0.0})");
  EXPECT_THAT(changed(R"({"n":18446744073709551615})", "$mul", "n", "18446744073709551615"), HasSubstr("does not fit"));
  EXPECT_THAT(changed(R"({"n":1e308})", "$mul", "n", "10"), HasSubstr("too large"));
  for (const char* op : {"$inc", "$mul"}) {
    for (const char* field : {"\"1\"", "null", "true", "[]", "{}"}) {
      EXPECT_THAT(changed("{\"n\":" + std::string(field) + "}", op, "n", "1"), HasSubstr("not a number"));
      EXPECT_THAT(changed("{}", op, "n", field), HasSubstr("must be a number"));
    }
    EXPECT_THAT(changed("{}", op, "$", "1"), HasSubstr("must name a field"));
  }
}

TEST(Transform, MinimumAndMaximum) {
  EXPECT_EQ(changed(R"({"n":5})", "$min", "n", "3"), R"({"n":3})");
  EXPECT_EQ(changed(R"({"n":5})", "$min", "n", "5.0"), R"({"n":5})");
  EXPECT_EQ(changed(R"({"n":5})", "$max", "n", "5.5"), R"({"n":5.5})");
  EXPECT_EQ(changed(R"({"n":5})", "$max", "n", "3"), R"({"n":5})");
  EXPECT_EQ(changed(R"({"n":9007199254740993})", "$min", "n", "9007199254740992.0"), R"({"n":9007199254740992.0})");
  EXPECT_EQ(changed(R"({"d":"2026-01-01"})", "$max", "d", "\"2026-02-01\""), R"({"d":"2026-02-01"})");
  EXPECT_EQ(changed("{}", "$min", "n", "3"), R"({"n":3})");
  EXPECT_EQ(changed("{}", "$max", "n", "\"a\""), R"({"n":"a"})");
  EXPECT_THAT(changed(R"({"n":"5"})", "$min", "n", "3"), HasSubstr("only two numbers or two strings compare"));
  EXPECT_THAT(changed(R"({"n":null})", "$max", "n", "3"), HasSubstr("only two numbers"));
  EXPECT_THAT(changed("{}", "$max", "n", "null"), HasSubstr("must be a number or a string"));
}

TEST(Transform, Arrays) {
  EXPECT_EQ(changed(R"({"a":[1]})", "$push", "a", "1"), R"({"a":[1,1]})");
  EXPECT_EQ(changed("{}", "$push", "a.b", R"({"x":1})"), R"({"a":{"b":[{"x":1}]}})");
  EXPECT_EQ(changed(R"({"a":[1,2]})", "$addToSet", "a", "2.0"), R"({"a":[1,2]})");
  EXPECT_EQ(changed(R"({"a":[{"x":1,"y":2}]})", "$addToSet", "a", R"({"y":2,"x":1})"), R"({"a":[{"x":1,"y":2}]})");
  EXPECT_EQ(changed(R"({"a":[1]})", "$addToSet", "a", "\"1\""), R"({"a":[1,"1"]})");
  EXPECT_EQ(changed("{}", "$addToSet", "a", "1"), R"({"a":[1]})");
  EXPECT_EQ(changed(R"({"a":[1,2,1,[1]]})", "$pull", "a", "1"), R"({"a":[2,[1]]})");
  EXPECT_EQ(changed("{}", "$pull", "a", "1"), "{}");
  EXPECT_EQ(changed(R"({"a":[1,2,3]})", "$pop", "a", "1"), R"({"a":[1,2]})");
  EXPECT_EQ(changed(R"({"a":[1,2,3]})", "$pop", "a", "-1"), R"({"a":[2,3]})");
  EXPECT_EQ(changed(R"({"a":[]})", "$pop", "a", "1"), R"({"a":[]})");
  EXPECT_EQ(changed("{}", "$pop", "a", "1"), "{}");
  for (const char* op : {"$push", "$addToSet", "$pull", "$pop"}) {
    EXPECT_THAT(changed(R"({"a":{}})", op, "a", "1"), HasSubstr("not an array")) << op;
    EXPECT_THAT(changed(R"({"a":[]})", op, "a"), HasSubstr("a value is required")) << op;
  }
  for (const char* value : {"0", "2", "1.0", "\"1\"", "null"}) {
    EXPECT_THAT(changed(R"({"a":[1]})", "$pop", "a", value), HasSubstr("must be 1 for the last"));
  }
}

TEST(Transform, CurrentDate) {
  EXPECT_EQ(changed("{}", "$currentDate", "a.t"), R"({"a":{"t":"2026-01-02T03:04:05.000006Z"}})");
  EXPECT_EQ(changed(R"({"t":1})", "$currentDate", "t", "true"), R"({"t":"2026-01-02T03:04:05.000006Z"})");
}

TEST(Transform, Rename) {
  EXPECT_EQ(changed(R"({"a":1,"b":2})", "$rename", "a", "\"c\""), R"({"b":2,"c":1})");
  EXPECT_EQ(changed(R"({"a":{"x":[1]}})", "$rename", "a.x", "\"$.n.m\""), R"({"a":{},"n":{"m":[1]}})");
  EXPECT_EQ(changed(R"({"a":1,"b":2})", "$rename", "a", "\"b\""), R"({"b":1})");
  EXPECT_EQ(changed(R"({"a":1})", "$rename", "x", "\"y\""), R"({"a":1})");
  for (const char* to : {"\"a.b\"", "\"a.b.c\"", "\"a\""}) {
    EXPECT_THAT(changed(R"({"a":{"b":1}})", "$rename", "a.b", to), HasSubstr("lies inside it"));
  }
  for (const char* to : {"1", "null", "\"\"", "\"$\"", "\"a..b\""}) {
    EXPECT_THAT(changed(R"({"a":1})", "$rename", "a", to), HasSubstr("error: $rename")) << to;
  }
  EXPECT_THAT(changed(R"({"a":1,"b":2})", "$rename", "a", "\"b.c\""), HasSubstr("in the way"));
  std::string deep = "\"z";
  for (int i = 0; i < 126; ++i) deep += ".z";
  EXPECT_THAT(changed(R"({"a":[[1]]})", "$rename", "a", deep + "\""), HasSubstr("nested deeper"));
  EXPECT_THAT(changed(R"({"a":[1]})", "$rename", "a", deep + "\""), HasSubstr(R"("z":[1])"));
}

TEST(Transform, RefusesWhatIsNoOperation) {
  EXPECT_EQ(changed("{}", "$nonsense", "a", "1"), "error: unknown operator $nonsense");
  EXPECT_EQ(changed("{}", "", "a", "1"), "error: unknown operator ");
  for (const char* path : {"", "a..b", ".", "a."}) {
    EXPECT_THAT(changed("{}", "$set", path, "1"), HasSubstr("error: $set")) << path;
  }
  EXPECT_THAT(changed("{}", "$set", "a", "{"), HasSubstr("malformed"));
}

TEST(Transform, WorkIsLimited) {
  const auto operation = *make_transform_operation("$addToSet", "a", "1");
  Value tree = *parse_value("{}");
  TransformContext context{.now = "", .work = max_transform_work};
  EXPECT_THAT(apply_transform(tree, operation, context).error().message(), HasSubstr("too much work"));
}

}  // namespace
}  // namespace strata::documents
