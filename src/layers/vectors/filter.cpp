#include "layers/vectors/filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace strata::vectors {
namespace {

constexpr std::array<std::pair<std::string_view, FilterOperator>, 10> operators = {{
    {"eq", FilterOperator::eq},
    {"ne", FilterOperator::ne},
    {"gt", FilterOperator::gt},
    {"gte", FilterOperator::gte},
    {"lt", FilterOperator::lt},
    {"lte", FilterOperator::lte},
    {"in", FilterOperator::in},
    {"between", FilterOperator::between},
    {"exists", FilterOperator::exists},
    {"contains", FilterOperator::contains},
}};

std::string_view name_of(FilterOperator op) { return operators[static_cast<size_t>(op)].first; }

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

bool is_text(const MetadataValue& value) { return std::holds_alternative<std::string>(value); }

// Of values that have an order: two numbers or two texts.
std::optional<std::strong_ordering> order_of(const MetadataValue& a, const MetadataValue& b) {
  if (is_text(a) && is_text(b)) return std::get<std::string>(a) <=> std::get<std::string>(b);
  const auto left = MetadataNumber::of(a);
  const auto right = MetadataNumber::of(b);
  if (left && right) return *left <=> *right;
  return std::nullopt;
}

bool equal(const MetadataValue& a, const MetadataValue& b) {
  if (const auto order = order_of(a, b)) return *order == 0;
  return a == b;
}

bool contains(const MetadataValue& value, const std::string& wanted) {
  if (const std::string* text = std::get_if<std::string>(&value)) return text->find(wanted) != std::string::npos;
  const StringList* list = std::get_if<StringList>(&value);
  return list && std::ranges::find(*list, wanted) != list->end();
}

bool field_matches(const Filter& filter, const MetadataValue& value) {
  const auto order = [&](size_t i) { return order_of(value, filter.values[i]); };
  const auto holds = [](std::optional<std::strong_ordering> found, auto condition) {
    return found && condition(*found);
  };
  switch (filter.op) {
    case FilterOperator::eq:
      return equal(value, filter.values[0]);
    case FilterOperator::ne:
      return !equal(value, filter.values[0]);
    case FilterOperator::gt:
      return holds(order(0), [](auto o) { return o > 0; });
    case FilterOperator::gte:
      return holds(order(0), [](auto o) { return o >= 0; });
    case FilterOperator::lt:
      return holds(order(0), [](auto o) { return o < 0; });
    case FilterOperator::lte:
      return holds(order(0), [](auto o) { return o <= 0; });
    case FilterOperator::in:
      return std::ranges::any_of(filter.values, [&](const MetadataValue& wanted) { return equal(value, wanted); });
    case FilterOperator::between:
      return holds(order(0), [](auto o) { return o >= 0; }) && holds(order(1), [](auto o) { return o <= 0; });
    case FilterOperator::exists:
      return true;
    case FilterOperator::contains:
      return contains(value, std::get<std::string>(filter.values[0]));
  }
  return false;
}

struct Checker {
  size_t nodes = 0;
  size_t values = 0;

  Result<void> node(Filter& filter, size_t depth) {
    if (depth > max_filter_depth) return invalid(fmt::format("the filter is deeper than {} levels", max_filter_depth));
    if (++nodes > max_filter_nodes) return invalid(fmt::format("the filter has more than {} nodes", max_filter_nodes));
    if (filter.kind == FilterKind::field) return field(filter);
    if (filter.kind == FilterKind::negation && filter.children.size() != 1) {
      return invalid("\"not\" in a filter takes one filter");
    }
    for (Filter& child : filter.children) RETURN_IF_ERROR(node(child, depth + 1));
    return {};
  }

  Result<void> field(Filter& filter) {
    const auto wrong = [&](std::string_view why) {
      return invalid(fmt::format("filter on {}: {} {}", printable(filter.field, 60), name_of(filter.op), why));
    };
    const bool many = filter.op == FilterOperator::in || filter.op == FilterOperator::between;
    if (many && filter.values.size() == 1 && std::holds_alternative<StringList>(filter.values[0])) {
      StringList members = std::get<StringList>(std::move(filter.values[0]));
      filter.values.assign(std::make_move_iterator(members.begin()), std::make_move_iterator(members.end()));
    }
    if (filter.op == FilterOperator::exists) filter.values.clear();
    values += filter.values.size();
    if (values > max_filter_values) return wrong(fmt::format("brings the values to more than {}", max_filter_values));
    for (const MetadataValue& value : filter.values) {
      const double* real = std::get_if<double>(&value);
      if (real && !std::isfinite(*real)) return wrong("needs finite numbers");
    }
    return operands(filter, wrong);
  }

  template <class Wrong>
  Result<void> operands(const Filter& filter, const Wrong& wrong) {
    const auto ordered = [](const MetadataValue& value) { return order_of(value, value).has_value(); };
    switch (filter.op) {
      case FilterOperator::exists:
      case FilterOperator::in:
        return {};
      case FilterOperator::between:
        if (filter.values.size() != 2) return wrong("takes two values");
        if (!order_of(filter.values[0], filter.values[1])) return wrong("takes two numbers or two strings");
        return {};
      default:
        break;
    }
    if (filter.values.size() != 1) return wrong("takes one value");
    if (filter.op == FilterOperator::contains && !is_text(filter.values[0])) return wrong("takes a string");
    const bool compares = filter.op >= FilterOperator::gt && filter.op <= FilterOperator::lte;
    if (compares && !ordered(filter.values[0])) return wrong("takes a number or a string");
    return {};
  }
};

}  // namespace

std::optional<FilterOperator> filter_operator(std::string_view name) {
  const auto found = std::ranges::find(operators, name, &std::pair<std::string_view, FilterOperator>::first);
  if (found == operators.end()) return std::nullopt;
  return found->second;
}

Result<void> check_filter(Filter& filter) { return Checker().node(filter, 1); }

bool matches(const Filter& filter, const Metadata& metadata) {
  const auto holds = [&](const Filter& child) { return matches(child, metadata); };
  switch (filter.kind) {
    case FilterKind::all:
      return std::ranges::all_of(filter.children, holds);
    case FilterKind::any:
      return std::ranges::any_of(filter.children, holds);
    case FilterKind::negation:
      return !holds(filter.children[0]);
    case FilterKind::field: {
      const MetadataValue* value = find_field(metadata, filter.field);
      return value && field_matches(filter, *value);
    }
  }
  return false;
}

}  // namespace strata::vectors
