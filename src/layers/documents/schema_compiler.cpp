#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "layers/documents/schema_node.h"

namespace strata::documents {
namespace {

using Node = Schema::Node;

constexpr size_t max_patterns = 256;
constexpr size_t max_pattern_bytes = 1'024;
constexpr int64_t max_pattern_memory_bytes = 1 << 20;

// They would constrain, and need a knowledge of other parts of the schema or of the world that is not here.
constexpr std::array<std::string_view, 5> refused_keywords = {"unevaluatedProperties", "unevaluatedItems",
                                                              "$dynamicRef", "$recursiveRef", "extends"};

class Compiler {
 public:
  explicit Compiler(Schema::Compiled& out) : out_(out) {}

  Result<void> compile(const Value& schema) {
    root_ = &schema;
    out_.root = node_of(schema, "#");
    // One after the other instead of one inside the other: a chain of references may be long.
    while (!pending_.empty()) {
      const Pending next = std::move(pending_.back());
      pending_.pop_back();
      RETURN_IF_ERROR(fill(*next.node, *next.schema, next.where));
    }
    return {};
  }

 private:
  using Ref = Node::Ref;

  static Error wrong(const std::string& where, std::string_view what) {
    return Error(ErrorCode::invalid_argument, fmt::format("schema: {} {}", where, what));
  }

  // A place below another one, as messages name it.
  static std::string below(const std::string& where, std::string_view name) {
    if (where.size() + name.size() > 300) return ".../" + printable(name, 60);
    return where + "/" + std::string(name);
  }

  // To be filled later.
  Ref node_of(const Value& schema, const std::string& where) {
    if (const auto found = made_.find(&schema); found != made_.end()) return found->second;
    Node& node = out_.nodes.emplace_back();
    made_.emplace(&schema, &node);
    pending_.push_back({&node, &schema, where});
    return &node;
  }

  Result<void> fill(Node& node, const Value& schema, const std::string& where) {
    if (const bool* all = schema.get_if<bool>()) {
      node.never = !*all;
      return {};
    }
    const Object* object = schema.get_if<Object>();
    if (!object) return wrong(where, "must be an object or a boolean");
    for (const Member& member : *object) {
      const std::string inside = below(where, member.name);
      for (const std::string_view refused : refused_keywords) {
        if (member.name == refused) return wrong(inside, "is not supported");
      }
      ASSIGN_OR_RETURN(const bool general, take_general(node, member.name, member.value, inside));
      if (general) continue;
      ASSIGN_OR_RETURN(const bool scalar, take_scalar(node, member.name, member.value, inside));
      if (scalar) continue;
      ASSIGN_OR_RETURN(const bool array, take_array(node, member.name, member.value, inside));
      if (array) continue;
      RETURN_IF_ERROR(take_object(node, member.name, member.value, inside));
    }
    // The older spelling: a list of schemas in `items`, and what follows it in `additionalItems`.
    if (const Value* items = find_member(*object, "items"); items && items->get_if<Array>()) {
      if (const Value* rest = find_member(*object, "additionalItems")) {
        node.items = node_of(*rest, where + "/additionalItems");
      }
    }
    return {};
  }

  Result<std::vector<Ref>> nodes_of(const Value& value, const std::string& where) {
    const Array* array = value.get_if<Array>();
    if (!array) return wrong(where, "must be an array of schemas");
    std::vector<Ref> nodes;
    for (size_t i = 0; i < array->size(); ++i) {
      nodes.push_back(node_of((*array)[i], fmt::format("{}/{}", where, i)));
    }
    return nodes;
  }

  Result<size_t> count_of(const Value& value, const std::string& where) {
    if (const auto* number = value.get_if<int64_t>(); number && *number >= 0) return static_cast<size_t>(*number);
    if (const auto* number = value.get_if<double>();
        number && *number >= 0 && *number < 1e15 && std::trunc(*number) == *number) {
      return static_cast<size_t>(*number);
    }
    return wrong(where, "must be a number of things, 0 or more");
  }

  Result<std::vector<std::string>> names_of(const Value& value, const std::string& where) {
    const Array* array = value.get_if<Array>();
    std::vector<std::string> names;
    for (size_t i = 0; array && i < array->size(); ++i) {
      const auto* name = (*array)[i].get_if<std::string>();
      if (!name) return wrong(where, "must be an array of strings");
      names.push_back(*name);
    }
    if (!array) return wrong(where, "must be an array of strings");
    return names;
  }

  Result<const RE2*> pattern_of(std::string_view pattern, const std::string& where) {
    if (out_.patterns.size() == max_patterns || pattern.size() > max_pattern_bytes) {
      return wrong(where,
                   fmt::format("is beyond the limits: {} patterns of {} bytes", max_patterns, max_pattern_bytes));
    }
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(max_pattern_memory_bytes);
    const RE2& compiled = out_.patterns.emplace_back(re2::StringPiece(pattern.data(), pattern.size()), options);
    if (!compiled.ok()) return wrong(where, fmt::format("is not a pattern: {}", compiled.error()));
    return &compiled;
  }

  Result<Ref> reference_to(const Value& value, const std::string& where) {
    const auto* target = value.get_if<std::string>();
    if (!target) return wrong(where, "must be a string");
    if (!target->starts_with('#')) return wrong(where, "must lead into the schema itself: \"#/...\"");
    const Value* at = root_;
    std::string path = "#";
    for (std::string_view rest = std::string_view(*target).substr(1); !rest.empty();) {
      if (rest[0] != '/') return wrong(where, "must be a JSON pointer: \"#/...\"");
      rest.remove_prefix(1);
      const std::string name = unescape(rest.substr(0, rest.find('/')));
      rest.remove_prefix(std::min(rest.find('/'), rest.size()));
      if (const auto* object = at->get_if<Object>()) {
        at = find_member(*object, name);
      } else if (const auto* array = at->get_if<Array>()) {
        const size_t index = !name.empty() && name.size() < 6 && name.find_first_not_of("0123456789") == name.npos
                                 ? std::stoul(name)
                                 : SIZE_MAX;
        at = index < array->size() ? &(*array)[index] : nullptr;
      } else {
        at = nullptr;
      }
      if (!at) return wrong(where, fmt::format("leads to nothing: {}", *target));
      path = below(path, name);
    }
    return node_of(*at, path);
  }

  // A segment of a JSON pointer in a URI fragment: %XX, then ~1 and ~0.
  static std::string unescape(std::string_view segment) {
    std::string out;
    for (size_t i = 0; i < segment.size(); ++i) {
      const auto digit = [&](size_t at) {
        const std::string_view digits = "0123456789abcdef";
        return digits.find(static_cast<char>(segment[at] | 0x20));
      };
      if (segment[i] == '%' && i + 2 < segment.size() && digit(i + 1) < 16 && digit(i + 2) < 16) {
        out.push_back(static_cast<char>(digit(i + 1) * 16 + digit(i + 2)));
        i += 2;
      } else {
        out.push_back(segment[i]);
      }
    }
    for (size_t at = 0; (at = out.find('~', at)) != std::string::npos; ++at) {
      if (at + 1 < out.size() && (out[at + 1] == '0' || out[at + 1] == '1')) {
        out.replace(at, 2, out[at + 1] == '1' ? "/" : "~");
      }
    }
    return out;
  }

  Result<void> take_types(Node& node, const Value& value, const std::string& where) {
    std::vector<std::string> names;
    if (const auto* name = value.get_if<std::string>()) {
      names.push_back(*name);
    } else {
      ASSIGN_OR_RETURN(names, names_of(value, where));
    }
    static const std::unordered_map<std::string_view, unsigned> types = {
        {"null", null_type},     {"boolean", boolean_type}, {"integer", integer_type}, {"number", number_type},
        {"string", string_type}, {"array", array_type},     {"object", object_type},   {"any", any_type}};
    node.types = 0;
    for (const std::string& name : names) {
      const auto found = types.find(name);
      if (found == types.end()) return wrong(where, "is not a type: " + printable(name));
      node.types |= found->second;
    }
    return {};
  }

  // True: the keyword was one of these. So below.
  Result<bool> take_general(Node& node, std::string_view name, const Value& value, const std::string& where) {
    if (name == "type") {
      RETURN_IF_ERROR(take_types(node, value, where));
    } else if (name == "enum") {
      const Array* array = value.get_if<Array>();
      if (!array) return wrong(where, "must be an array");
      node.enumeration.insert(node.enumeration.end(), array->begin(), array->end());
      node.has_enumeration = true;
    } else if (name == "const") {
      // Beside an enum it must hold as well.
      Node& same = out_.nodes.emplace_back();
      same.enumeration.push_back(value);
      same.has_enumeration = true;
      node.all_of.push_back(&same);
    } else if (name == "$ref") {
      ASSIGN_OR_RETURN(node.reference, reference_to(value, where));
    } else if (name == "allOf" || name == "anyOf" || name == "oneOf") {
      ASSIGN_OR_RETURN(const std::vector<Ref> nodes, nodes_of(value, where));
      std::vector<Ref>& list = name == "allOf" ? node.all_of : (name == "anyOf" ? node.any_of : node.one_of);
      if (nodes.empty()) return wrong(where, "must not be empty");
      list.insert(list.end(), nodes.begin(), nodes.end());
    } else if (name == "not" || name == "if" || name == "then" || name == "else") {
      const Ref other = node_of(value, where);
      (name == "not" ? node.not_ : name == "if" ? node.if_ : name == "then" ? node.then_ : node.else_) = other;
    } else {
      return false;
    }
    return true;
  }

  Result<bool> take_scalar(Node& node, std::string_view name, const Value& value, const std::string& where) {
    const bool is_minimum = name == "minimum" || name == "exclusiveMinimum";
    if (is_minimum || name == "maximum" || name == "exclusiveMaximum") {
      RETURN_IF_ERROR(take_bound(node, is_minimum, name.starts_with("exclusive"), value, where));
    } else if (name == "multipleOf") {
      const Value zero{int64_t{0}};
      if (!value.is_number() || compare_numbers(value, zero) <= 0) return wrong(where, "must be a number above 0");
      node.multiple_of = value;
    } else if (name == "minLength" || name == "maxLength") {
      ASSIGN_OR_RETURN(const size_t count, count_of(value, where));
      (name == "minLength" ? node.min_length : node.max_length) = count;
    } else if (name == "pattern") {
      const auto* text = value.get_if<std::string>();
      if (!text) return wrong(where, "must be a string");
      ASSIGN_OR_RETURN(node.pattern, pattern_of(*text, where));
    } else {
      return false;
    }
    return true;
  }

  // Draft 4 says {"minimum": 1, "exclusiveMinimum": true}, later ones {"exclusiveMinimum": 1}; a schema that says both
  // numbers gets the second as a schema of its own.
  Result<void> take_bound(Node& node, bool minimum, bool exclusive, const Value& value, const std::string& where) {
    bool& is_exclusive = minimum ? node.exclusive_minimum : node.exclusive_maximum;
    if (const bool* flag = value.get_if<bool>(); flag && exclusive) {
      is_exclusive = *flag;
      return {};
    }
    if (!value.is_number()) return wrong(where, "must be a number");
    Node* target = &node;
    if (exclusive) {
      target = &out_.nodes.emplace_back();
      node.all_of.push_back(target);
      (minimum ? target->exclusive_minimum : target->exclusive_maximum) = true;
    }
    (minimum ? target->minimum : target->maximum) = value;
    return {};
  }

  Result<bool> take_array(Node& node, std::string_view name, const Value& value, const std::string& where) {
    if (name == "prefixItems" || (name == "items" && value.get_if<Array>())) {
      ASSIGN_OR_RETURN(node.prefix_items, nodes_of(value, where));
    } else if (name == "items") {
      node.items = node_of(value, where);
    } else if (name == "contains") {
      node.contains = node_of(value, where);
    } else if (name == "minContains" || name == "maxContains" || name == "minItems" || name == "maxItems") {
      ASSIGN_OR_RETURN(const size_t count, count_of(value, where));
      (name == "minContains"   ? node.min_contains
       : name == "maxContains" ? node.max_contains
       : name == "minItems"    ? node.min_items
                               : node.max_items) = count;
    } else if (name == "uniqueItems") {
      const bool* flag = value.get_if<bool>();
      if (!flag) return wrong(where, "must be a boolean");
      node.unique_items = *flag;
    } else {
      return false;
    }
    return true;
  }

  Result<void> take_object(Node& node, std::string_view name, const Value& value, const std::string& where) {
    if (name == "required") {
      // Draft 3 had a boolean here, which says nothing of this schema's object.
      ASSIGN_OR_RETURN(node.required, names_of(value, where));
    } else if (name == "minProperties" || name == "maxProperties") {
      ASSIGN_OR_RETURN(const size_t count, count_of(value, where));
      (name == "minProperties" ? node.min_properties : node.max_properties) = count;
    } else if (name == "additionalProperties") {
      node.additional_properties = node_of(value, where);
    } else if (name == "propertyNames") {
      node.property_names = node_of(value, where);
    } else if (name == "properties" || name == "patternProperties" || name == "dependencies" ||
               name == "dependentSchemas" || name == "dependentRequired") {
      const Object* members = value.get_if<Object>();
      if (!members) return wrong(where, "must be an object");
      for (const Member& member : *members) {
        RETURN_IF_ERROR(take_property(node, name, member, below(where, member.name)));
      }
    }
    // Everything else is an annotation.
    return {};
  }

  Result<void> take_property(Node& node, std::string_view keyword, const Member& member, const std::string& where) {
    if (keyword == "dependentRequired" || (keyword == "dependencies" && member.value.get_if<Array>())) {
      ASSIGN_OR_RETURN(auto names, names_of(member.value, where));
      node.dependent_required.emplace_back(member.name, std::move(names));
      return {};
    }
    const Ref schema = node_of(member.value, where);
    if (keyword == "properties") {
      node.properties.emplace(member.name, schema);
    } else if (keyword == "patternProperties") {
      ASSIGN_OR_RETURN(const RE2* const pattern, pattern_of(member.name, where));
      node.pattern_properties.emplace_back(pattern, schema);
    } else {
      node.dependent_schemas.emplace_back(member.name, schema);
    }
    return {};
  }

  Schema::Compiled& out_;
  struct Pending {
    Node* node;
    const Value* schema;
    std::string where;
  };
  const Value* root_ = nullptr;
  std::vector<Pending> pending_;
  std::unordered_map<const Value*, Ref> made_;
};

}  // namespace

Result<std::unique_ptr<Schema::Compiled>> compile_schema(BytesView text) {
  auto value = parse_value(text);
  if (!value.ok()) return Error(value.error().code(), fmt::format("schema {}", value.error().message()));
  auto compiled = std::make_unique<Schema::Compiled>();
  RETURN_IF_ERROR(Compiler(*compiled).compile(*value));
  return compiled;
}

}  // namespace strata::documents
