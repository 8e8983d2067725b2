#include "layers/documents/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "layers/documents/schema_node.h"

namespace strata::documents {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;
using Node = Schema::Node;

// Schemas inside schemas that are looked at for one value inside another: a stack of 256 KiB holds them.
constexpr size_t max_nesting = 100;
constexpr size_t max_steps = 5'000'000;

unsigned type_of(element value) {
  switch (value.type()) {
    case element_type::NULL_VALUE:
      return null_type;
    case element_type::BOOL:
      return boolean_type;
    case element_type::INT64:
    case element_type::UINT64:
      return integer_type | number_type;
    case element_type::DOUBLE: {
      const double number = value.get_double().value_unsafe();
      return std::trunc(number) == number ? integer_type | number_type : number_type;
    }
    case element_type::STRING:
      return string_type;
    case element_type::ARRAY:
      return array_type;
    case element_type::OBJECT:
      break;
  }
  return object_type;
}

size_t code_points(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

bool is_multiple(const Value& number, const Value& of) {
  const auto* a = number.get_if<int64_t>();
  const auto* b = of.get_if<int64_t>();
  if (a && b) return *b == -1 || *a % *b == 0;
  const auto as_double = [](const Value& value) {
    if (const auto* integer = value.get_if<int64_t>()) return static_cast<double>(*integer);
    if (const auto* natural = value.get_if<uint64_t>()) return static_cast<double>(*natural);
    return std::get<double>(value.data);
  };
  const double quotient = as_double(number) / as_double(of);
  // 0.3 is a multiple of 0.1 to everybody but the bits.
  return std::isfinite(quotient) &&
         std::fabs(quotient - std::round(quotient)) <= 1e-9 * std::max(1.0, std::fabs(quotient));
}

// The same text for equal values, members in the order of their names.
void append_canonical(Bytes& out, element value) {
  if (value.type() == element_type::OBJECT) {
    std::vector<std::pair<std::string_view, element>> members;
    const simdjson::dom::object object = value.get_object().value_unsafe();
    for (const auto& field : object) members.emplace_back(field.key, field.value);
    std::ranges::sort(members, {}, &std::pair<std::string_view, element>::first);
    out.push_back('{');
    for (const auto& [name, member] : members) {
      append_json_text(out, name);
      append_canonical(out, member);
    }
    out.push_back('}');
  } else if (value.type() == element_type::ARRAY) {
    out.push_back('[');
    const simdjson::dom::array items = value.get_array().value_unsafe();
    for (const element item : items) append_canonical(out, item);
    out.push_back(']');
  } else {
    Value scalar = make_value(value);
    if (const auto* number = scalar.get_if<double>();
        number && std::trunc(*number) == *number && std::fabs(*number) < 9e18) {
      scalar.data = static_cast<int64_t>(*number);
    }
    append_json(out, scalar);
    out.push_back(',');
  }
}

// One validation. False: it does not hold; with `speaks` the reason and, built on the way back, the path are kept.
class Validation {
 public:
  bool check(const Node& node, element value, bool speaks) {
    if (++steps_ > max_steps || nesting_ == max_nesting) {
      gave_up_ = true;
      return false;
    }
    ++nesting_;
    const bool holds = check_node(node, value, speaks);
    --nesting_;
    return holds && !gave_up_;
  }

  Error error() const {
    if (gave_up_) {
      return Error(ErrorCode::invalid_argument,
                   "the schema of the table takes too much work for this document, or leads to itself without end");
    }
    return Error(ErrorCode::invalid_argument, "$" + path_ + " " + reason_);
  }

 private:
  bool fail(bool speaks, std::string_view reason) {
    if (speaks) reason_ = reason;
    return false;
  }

  bool check_node(const Node& node, element value, bool speaks) {
    if (node.never) return fail(speaks, "is not allowed by the schema");
    const unsigned type = type_of(value);
    if (!(node.types & any_type) && !(node.types & type)) return fail(speaks, expected(node.types));
    if (node.has_enumeration && !is_enumerated(node, value)) {
      return fail(speaks, "is none of the values that the schema lists");
    }
    if (node.reference && !check(*node.reference, value, speaks)) return false;
    if ((type & number_type) && !check_number(node, value, speaks)) return false;
    if (type == string_type && !check_string(node, value.get_string().value_unsafe(), speaks)) return false;
    if (type == array_type && !check_array(node, value.get_array().value_unsafe(), speaks)) return false;
    if (type == object_type && !check_object(node, value, speaks)) return false;
    return check_combined(node, value, speaks);
  }

  static std::string expected(unsigned types) {
    static constexpr std::pair<unsigned, std::string_view> names[] = {
        {null_type, "null"},       {boolean_type, "a boolean"}, {integer_type, "an integer"}, {number_type, "a number"},
        {string_type, "a string"}, {array_type, "an array"},    {object_type, "an object"}};
    std::string text = "must be ";
    const char* separator = "";
    for (const auto& [bit, name] : names) {
      if (!(types & bit)) continue;
      text += separator;
      text += name;
      separator = " or ";
    }
    return text;
  }

  bool is_enumerated(const Node& node, element value) {
    const Value tree = make_value(value);
    return std::ranges::any_of(node.enumeration, [&](const Value& one) { return deep_equal(one, tree, steps_); });
  }

  bool check_number(const Node& node, element value, bool speaks) {
    if (!node.minimum && !node.maximum && !node.multiple_of) return true;
    const Value number = make_value(value);
    if (node.minimum) {
      const int order = compare_numbers(number, *node.minimum);
      if (order < 0 || (order == 0 && node.exclusive_minimum)) return fail(speaks, "is too small");
    }
    if (node.maximum) {
      const int order = compare_numbers(number, *node.maximum);
      if (order > 0 || (order == 0 && node.exclusive_maximum)) return fail(speaks, "is too large");
    }
    if (node.multiple_of && !is_multiple(number, *node.multiple_of)) {
      return fail(speaks, "is no multiple of what the schema says");
    }
    return true;
  }

  bool check_string(const Node& node, std::string_view text, bool speaks) {
    if (node.min_length > 0 || node.max_length != SIZE_MAX) {
      const size_t length = code_points(text);
      if (length < node.min_length) return fail(speaks, fmt::format("is shorter than {}", node.min_length));
      if (length > node.max_length) return fail(speaks, fmt::format("is longer than {}", node.max_length));
    }
    if (node.pattern && !matches(*node.pattern, text)) {
      return fail(speaks, "does not match the pattern " + node.pattern->pattern());
    }
    return true;
  }

  bool matches(const RE2& pattern, std::string_view text) {
    steps_ += text.size() / 64;
    return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), pattern);
  }

  bool check_array(const Node& node, simdjson::dom::array array, bool speaks) {
    size_t index = 0;
    size_t contained = 0;
    for (const element item : array) {
      const Node* const schema = index < node.prefix_items.size() ? node.prefix_items[index] : node.items;
      if (schema && !check(*schema, item, speaks)) {
        if (speaks) path_ = fmt::format("[{}]{}", index, path_);
        return false;
      }
      if (node.contains && check(*node.contains, item, false)) ++contained;
      ++index;
    }
    if (index < node.min_items) return fail(speaks, fmt::format("has fewer than {} elements", node.min_items));
    if (index > node.max_items) return fail(speaks, fmt::format("has more than {} elements", node.max_items));
    if (node.contains && (contained < node.min_contains || contained > node.max_contains)) {
      return fail(speaks, "does not contain what the schema asks for");
    }
    if (node.unique_items && !is_unique(array)) return fail(speaks, "has an element twice");
    return true;
  }

  bool is_unique(simdjson::dom::array array) {
    std::vector<Bytes> items;
    for (const element item : array) {
      append_canonical(items.emplace_back(), item);
      steps_ += items.back().size() / 16 + 1;
    }
    std::ranges::sort(items);
    return std::ranges::adjacent_find(items) == items.end();
  }

  bool check_object(const Node& node, element value, bool speaks) {
    const simdjson::dom::object object = value.get_object().value_unsafe();
    const auto has = [&](std::string_view name) {
      steps_ += object.size();
      return object.at_key(name).error() == simdjson::SUCCESS;
    };
    for (const std::string& name : node.required) {
      if (!has(name)) return fail(speaks, fmt::format("must have {}", printable(name)));
    }
    for (const auto& [name, others] : node.dependent_required) {
      if (!has(name)) continue;
      for (const std::string& other : others) {
        if (!has(other)) return fail(speaks, fmt::format("must have {} beside {}", printable(other), printable(name)));
      }
    }
    for (const auto& [name, schema] : node.dependent_schemas) {
      if (has(name) && !check(*schema, value, speaks)) return false;
    }
    return check_members(node, object, speaks);
  }

  bool check_members(const Node& node, simdjson::dom::object object, bool speaks) {
    size_t count = 0;
    for (const auto& field : object) {
      ++count;
      if (check_member(node, field.key, field.value, speaks)) continue;
      if (speaks) path_ = "." + printable(field.key) + path_;
      return false;
    }
    if (count < node.min_properties) return fail(speaks, fmt::format("has fewer than {} members", node.min_properties));
    if (count > node.max_properties) return fail(speaks, fmt::format("has more than {} members", node.max_properties));
    return true;
  }

  bool check_member(const Node& node, std::string_view name, element value, bool speaks) {
    bool known = false;
    if (!node.properties.empty()) {
      if (const auto found = node.properties.find(std::string(name)); found != node.properties.end()) {
        known = true;
        if (!check(*found->second, value, speaks)) return false;
      }
    }
    for (const auto& [pattern, schema] : node.pattern_properties) {
      if (!matches(*pattern, name)) continue;
      known = true;
      if (!check(*schema, value, speaks)) return false;
    }
    if (!known && node.additional_properties && !check(*node.additional_properties, value, speaks)) return false;
    return !node.property_names || check_name(*node.property_names, name, speaks);
  }

  // A name as the string it is: what a schema can say of one without a document around it.
  bool check_name(const Node& node, std::string_view name, bool speaks) {
    Bytes text;
    append_json_text(text, name);
    steps_ += 50;
    simdjson::dom::parser parser;
    element value;
    if (parser.parse(text).get(value)) return fail(speaks, "has a name that is no text");
    if (check(node, value, false)) return true;
    return fail(speaks, "has a name that the schema does not allow");
  }

  bool check_combined(const Node& node, element value, bool speaks) {
    for (const Node* const schema : node.all_of) {
      if (!check(*schema, value, speaks)) return false;
    }
    const auto holds = [&](const Node* schema) { return check(*schema, value, false); };
    if (!node.any_of.empty() && std::ranges::none_of(node.any_of, holds)) {
      return fail(speaks, "is nothing of what the schema allows (anyOf)");
    }
    if (!node.one_of.empty() && std::ranges::count_if(node.one_of, holds) != 1) {
      return fail(speaks, "is not exactly one of what the schema allows (oneOf)");
    }
    if (node.not_ && holds(node.not_)) return fail(speaks, "is what the schema does not allow (not)");
    if (!node.if_) return true;
    const Node* const next = holds(node.if_) ? node.then_ : node.else_;
    return !next || check(*next, value, speaks);
  }

  uint64_t steps_ = 0;
  size_t nesting_ = 0;
  bool gave_up_ = false;
  std::string path_;
  std::string reason_;
};

}  // namespace

Schema::Schema(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Schema::~Schema() = default;

Result<std::shared_ptr<const Schema>> Schema::compile(BytesView text) {
  ASSIGN_OR_RETURN(auto compiled, compile_schema(text));
  return std::shared_ptr<const Schema>(new Schema(std::move(compiled)));
}

Result<void> Schema::validate(element document) const {
  Validation validation;
  if (validation.check(*compiled_->root, document, true)) return {};
  return validation.error();
}

}  // namespace strata::documents
