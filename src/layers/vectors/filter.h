// Filter: a condition on metadata, and what it means.
//
// Purpose:       the tree that faces build, its limits, and the reference semantics: matches() of one vector's
//                metadata. MetadataIndex answers the same for all of them at once and is tested against this.
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    a missing field is false for every operator, ne included; `not` turns that into true. Values of
//                different types are not equal and have no order; an int and a float compare as numbers. Texts are
//                ordered by their bytes. An empty `and` is true, an empty `or` false.
// Errors:        invalid_argument that names what is wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "layers/vectors/metadata.h"

namespace strata::vectors {

enum class FilterOperator : uint8_t { eq, ne, gt, gte, lt, lte, in, between, exists, contains };
// "eq", ...
std::optional<FilterOperator> filter_operator(std::string_view name);

enum class FilterKind : uint8_t { all, any, negation, field };

struct Filter {
  FilterKind kind = FilterKind::all;
  // Of all and any: any number; of negation: one.
  std::vector<Filter> children = {};
  // Of field. eq, ne, gt, gte, lt, lte and contains have one value, between two, in any number, exists ignores its.
  std::string field = {};
  FilterOperator op = FilterOperator::eq;
  std::vector<MetadataValue> values = {};
};

// Faces refuse deeper trees while they build them; check_filter knows all three.
inline constexpr size_t max_filter_depth = 32;
inline constexpr size_t max_filter_nodes = 1'000;
inline constexpr size_t max_filter_values = 10'000;

// Limits and the shape of every node. `in` and `between` whose only value is a list of strings take its members for
// their values, as `{"op": "in", "value": ["a", "b"]}` means it.
Result<void> check_filter(Filter& filter);

// `filter` was checked, `metadata` is sorted.
bool matches(const Filter& filter, const Metadata& metadata);

}  // namespace strata::vectors
