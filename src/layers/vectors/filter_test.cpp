#include "layers/vectors/filter.h"

#include <gtest/gtest.h>

#include <limits>

namespace strata::vectors {
namespace {

using Op = FilterOperator;

Filter on(std::string field, Op op, std::vector<MetadataValue> values = {}) {
  return {.kind = FilterKind::field, .field = std::move(field), .op = op, .values = std::move(values)};
}

Metadata sample() {
  Metadata metadata = {{"title", "Vector stores"}, {"year", int64_t{2024}}, {"rating", 4.5},
                       {"draft", false},           {"empty", StringList{}}, {"tags", StringList{"a", "bc"}}};
  EXPECT_TRUE(check_metadata(metadata).ok());
  return metadata;
}

bool holds(Filter filter) {
  const auto checked = check_filter(filter);
  EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.error().message());
  return matches(filter, sample());
}

std::string complaint(Filter filter) {
  const auto checked = check_filter(filter);
  return checked.ok() ? "" : std::string(checked.error().message());
}

TEST(Filter, EqualityIsOfTypeAndValue) {
  EXPECT_TRUE(holds(on("title", Op::eq, {"Vector stores"})));
  EXPECT_FALSE(holds(on("title", Op::eq, {"vector stores"})));
  EXPECT_TRUE(holds(on("year", Op::eq, {2024.0})));
  EXPECT_FALSE(holds(on("year", Op::eq, {"2024"})));
  EXPECT_FALSE(holds(on("draft", Op::eq, {int64_t{0}})));
  EXPECT_TRUE(holds(on("draft", Op::eq, {false})));
  EXPECT_TRUE(holds(on("tags", Op::eq, {StringList{"a", "bc"}})));
  EXPECT_FALSE(holds(on("tags", Op::eq, {StringList{"bc", "a"}})));
  EXPECT_FALSE(holds(on("tags", Op::eq, {"a"})));
  EXPECT_TRUE(holds(on("empty", Op::eq, {StringList{}})));
  EXPECT_TRUE(holds(on("year", Op::ne, {"2024"})));
  EXPECT_FALSE(holds(on("year", Op::ne, {int64_t{2024}})));
}

TEST(Filter, AMissingFieldIsFalseForEveryOperatorAndNotTurnsIt) {
  const std::vector<Filter> filters = {on("no", Op::eq, {true}),
                                       on("no", Op::ne, {true}),
                                       on("no", Op::gt, {int64_t{0}}),
                                       on("no", Op::gte, {int64_t{0}}),
                                       on("no", Op::lt, {int64_t{0}}),
                                       on("no", Op::lte, {int64_t{0}}),
                                       on("no", Op::in, {true, false}),
                                       on("no", Op::between, {int64_t{0}, int64_t{1}}),
                                       on("no", Op::exists),
                                       on("no", Op::contains, {""})};
  for (const Filter& filter : filters) {
    EXPECT_FALSE(holds(filter)) << static_cast<int>(filter.op);
    EXPECT_TRUE(holds({.kind = FilterKind::negation, .children = {filter}})) << static_cast<int>(filter.op);
  }
}

TEST(Filter, OrderIsOfNumbersAndOfTexts) {
  EXPECT_TRUE(holds(on("year", Op::gt, {2023.5})));
  EXPECT_FALSE(holds(on("year", Op::gt, {int64_t{2024}})));
  EXPECT_TRUE(holds(on("year", Op::gte, {2024.0})));
  EXPECT_TRUE(holds(on("rating", Op::lt, {int64_t{5}})));
  EXPECT_FALSE(holds(on("rating", Op::lt, {4.5})));
  EXPECT_TRUE(holds(on("rating", Op::lte, {4.5})));
  EXPECT_TRUE(holds(on("title", Op::gt, {"Vector"})));
  EXPECT_FALSE(holds(on("title", Op::gt, {int64_t{1}})));
  EXPECT_FALSE(holds(on("title", Op::lt, {int64_t{1}})));
  EXPECT_FALSE(holds(on("tags", Op::gt, {"a"})));
  EXPECT_TRUE(holds(on("rating", Op::between, {int64_t{4}, 4.5})));
  EXPECT_FALSE(holds(on("rating", Op::between, {4.6, 5.0})));
  EXPECT_FALSE(holds(on("rating", Op::between, {5.0, 4.0})));
  EXPECT_TRUE(holds(on("title", Op::between, {"V", "W"})));
}

TEST(Filter, InExistsAndContains) {
  EXPECT_TRUE(holds(on("year", Op::in, {"x", 2024.0})));
  EXPECT_FALSE(holds(on("year", Op::in)));
  EXPECT_FALSE(holds(on("tags", Op::in, {"a", "x"})));
  // A list alone stands for its members.
  EXPECT_TRUE(holds(on("title", Op::in, {StringList{"x", "Vector stores"}})));
  EXPECT_TRUE(holds(on("empty", Op::exists, {"ignored", true})));
  EXPECT_TRUE(holds(on("title", Op::contains, {"r s"})));
  EXPECT_TRUE(holds(on("title", Op::contains, {""})));
  EXPECT_FALSE(holds(on("title", Op::contains, {"R"})));
  EXPECT_TRUE(holds(on("tags", Op::contains, {"bc"})));
  EXPECT_FALSE(holds(on("tags", Op::contains, {"b"})));
  EXPECT_FALSE(holds(on("empty", Op::contains, {""})));
  EXPECT_FALSE(holds(on("year", Op::contains, {"2"})));
}

TEST(Filter, EmptyConjunctionsAreTrueAndDisjunctionsFalse) {
  EXPECT_TRUE(holds({.kind = FilterKind::all}));
  EXPECT_FALSE(holds({.kind = FilterKind::any}));
  EXPECT_TRUE(holds({.kind = FilterKind::all, .children = {on("year", Op::exists), on("title", Op::exists)}}));
  EXPECT_FALSE(holds({.kind = FilterKind::all, .children = {on("year", Op::exists), on("no", Op::exists)}}));
  EXPECT_TRUE(holds({.kind = FilterKind::any, .children = {on("no", Op::exists), on("year", Op::exists)}}));
}

TEST(Filter, WhatHasTheWrongShapeIsRefused) {
  EXPECT_EQ(complaint(on("x", Op::eq)), "filter on x: eq takes one value");
  EXPECT_EQ(complaint(on("x", Op::ne, {true, true})), "filter on x: ne takes one value");
  EXPECT_EQ(complaint(on("x", Op::gt, {true})), "filter on x: gt takes a number or a string");
  EXPECT_EQ(complaint(on("x", Op::lte, {StringList{"a"}})), "filter on x: lte takes a number or a string");
  EXPECT_EQ(complaint(on("x", Op::between, {1.0})), "filter on x: between takes two values");
  EXPECT_EQ(complaint(on("x", Op::between, {1.0, "a"})), "filter on x: between takes two numbers or two strings");
  EXPECT_EQ(complaint(on("x", Op::contains, {1.0})), "filter on x: contains takes a string");
  EXPECT_EQ(complaint(on("x", Op::lt, {std::numeric_limits<double>::quiet_NaN()})),
            "filter on x: lt needs finite numbers");
  EXPECT_EQ(complaint({.kind = FilterKind::negation}), "\"not\" in a filter takes one filter");
  EXPECT_EQ(complaint(on("x", Op::in, std::vector<MetadataValue>(max_filter_values, true))), "");
  EXPECT_EQ(complaint(on("x", Op::in, std::vector<MetadataValue>(max_filter_values + 1, true))),
            "filter on x: in brings the values to more than 10000");
}

TEST(Filter, DepthAndNodesAreLimited) {
  Filter deep = on("x", Op::exists);
  for (size_t depth = 1; depth < max_filter_depth; ++depth) {
    deep = {.kind = FilterKind::negation, .children = {std::move(deep)}};
  }
  EXPECT_EQ(complaint(deep), "");
  EXPECT_EQ(complaint({.kind = FilterKind::all, .children = {deep}}), "the filter is deeper than 32 levels");
  Filter wide{.kind = FilterKind::any, .children = std::vector<Filter>(max_filter_nodes - 1, on("x", Op::exists))};
  EXPECT_EQ(complaint(wide), "");
  wide.children.push_back(on("x", Op::exists));
  EXPECT_EQ(complaint(wide), "the filter has more than 1000 nodes");
}

TEST(Filter, OperatorsHaveTheirNames) {
  EXPECT_EQ(filter_operator("gte"), Op::gte);
  EXPECT_EQ(filter_operator("contains"), Op::contains);
  EXPECT_EQ(filter_operator("GTE"), std::nullopt);
  EXPECT_EQ(filter_operator(""), std::nullopt);
}

}  // namespace
}  // namespace strata::vectors
