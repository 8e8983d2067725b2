// The compiled form of a JSON Schema. Internal to schema.cpp (validation) and schema_compiler.cpp.
#pragma once

#include <re2/re2.h>

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "layers/documents/document_tree.h"
#include "layers/documents/schema.h"

namespace strata::documents {

// Bits of Schema::Node::types. An integer is a number too.
enum SchemaType : unsigned {
  null_type = 1,
  boolean_type = 2,
  integer_type = 4,
  number_type = 8,
  string_type = 16,
  array_type = 32,
  object_type = 64,
  any_type = 128,
};

struct Schema::Node {
  using Ref = const Node*;  // null: absent

  // The schema `false`.
  bool never = false;
  unsigned types = any_type;
  std::vector<Value> enumeration;  // enum, or const alone
  bool has_enumeration = false;
  Ref reference = nullptr;

  // Numbers.
  std::optional<Value> minimum;
  std::optional<Value> maximum;
  bool exclusive_minimum = false;
  bool exclusive_maximum = false;
  std::optional<Value> multiple_of;

  // Strings, by code points.
  size_t min_length = 0;
  size_t max_length = SIZE_MAX;
  const RE2* pattern = nullptr;

  // Arrays.
  std::vector<Ref> prefix_items;
  Ref items = nullptr;
  Ref contains = nullptr;
  size_t min_contains = 1;
  size_t max_contains = SIZE_MAX;
  size_t min_items = 0;
  size_t max_items = SIZE_MAX;
  bool unique_items = false;

  // Objects.
  std::unordered_map<std::string, Ref> properties;
  std::vector<std::pair<const RE2*, Ref>> pattern_properties;
  Ref additional_properties = nullptr;
  Ref property_names = nullptr;
  std::vector<std::string> required;
  std::vector<std::pair<std::string, std::vector<std::string>>> dependent_required;
  std::vector<std::pair<std::string, Ref>> dependent_schemas;
  size_t min_properties = 0;
  size_t max_properties = SIZE_MAX;

  std::vector<Ref> all_of;
  std::vector<Ref> any_of;
  std::vector<Ref> one_of;
  Ref not_ = nullptr;
  Ref if_ = nullptr;
  Ref then_ = nullptr;
  Ref else_ = nullptr;
};

struct Schema::Compiled {
  std::deque<Node> nodes;
  std::deque<RE2> patterns;
  const Node* root = nullptr;
};

Result<std::unique_ptr<Schema::Compiled>> compile_schema(BytesView text);

}  // namespace strata::documents
