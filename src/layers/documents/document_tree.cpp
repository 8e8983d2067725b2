#include "layers/documents/document_tree.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "layers/documents/document_text.h"

namespace strata::documents {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// Holds every int64_t, uint64_t and double exactly.
static_assert(std::numeric_limits<long double>::digits >= 64);

long double number_of(const Value& value) {
  if (const auto* integer = value.get_if<int64_t>()) return static_cast<long double>(*integer);
  if (const auto* integer = value.get_if<uint64_t>()) return static_cast<long double>(*integer);
  return static_cast<long double>(std::get<double>(value.data));
}

bool equal_objects(const Object& a, const Object& b, uint64_t& work) {
  if (a.size() != b.size()) return false;
  // Most often they have their members in the same order.
  size_t same = 0;
  while (same < a.size() && a[same].name == b[same].name) {
    if (!deep_equal(a[same].value, b[same].value, work)) return false;
    ++same;
  }
  if (same == a.size()) return true;
  std::unordered_map<std::string_view, const Value*> rest;
  for (size_t i = same; i < b.size(); ++i) rest.emplace(b[i].name, &b[i].value);
  for (size_t i = same; i < a.size(); ++i) {
    const auto found = rest.find(a[i].name);
    if (found == rest.end() || !deep_equal(a[i].value, *found->second, work)) return false;
  }
  return true;
}

void append_double(Bytes& out, double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  STRATA_ASSERT(error == std::errc() && std::isfinite(value));
  const std::string_view digits(text, static_cast<size_t>(end - text));
  out += digits;
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

template <class Integer>
void append_integer(Bytes& out, Integer value) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

}  // namespace

Value make_value(element from) {
  switch (from.type()) {
    case element_type::OBJECT: {
      Object object;
      const auto members = from.get_object().value_unsafe();
      object.reserve(members.size());
      for (const auto& field : members) object.push_back({std::string(field.key), make_value(field.value)});
      return {std::move(object)};
    }
    case element_type::ARRAY: {
      Array array;
      const auto items = from.get_array().value_unsafe();
      array.reserve(items.size());
      for (const element item : items) array.push_back(make_value(item));
      return {std::move(array)};
    }
    case element_type::STRING:
      return {std::string(from.get_string().value_unsafe())};
    case element_type::INT64:
      return {from.get_int64().value_unsafe()};
    case element_type::UINT64:
      return {from.get_uint64().value_unsafe()};
    case element_type::DOUBLE:
      return {from.get_double().value_unsafe()};
    case element_type::BOOL:
      return {from.get_bool().value_unsafe()};
    case element_type::NULL_VALUE:
      break;
  }
  return {};
}

Result<Value> parse_value(BytesView json) {
  ASSIGN_OR_RETURN(const element root, parse_json(json));
  return make_value(root);
}

Result<Value> parse_stored_value(BytesView text) {
  ASSIGN_OR_RETURN(const element root, parse_stored(text));
  return make_value(root);
}

Value* find_member(Object& object, std::string_view name) {
  const auto found = std::ranges::find(object, name, &Member::name);
  return found == object.end() ? nullptr : &found->value;
}

const Value* find_member(const Object& object, std::string_view name) {
  const auto found = std::ranges::find(object, name, &Member::name);
  return found == object.end() ? nullptr : &found->value;
}

bool deep_equal(const Value& a, const Value& b, uint64_t& work) {
  ++work;
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.data.index() != b.data.index()) return false;
  if (const auto* array = a.get_if<Array>()) {
    const Array& other = std::get<Array>(b.data);
    if (array->size() != other.size()) return false;
    for (size_t i = 0; i < array->size(); ++i) {
      if (!deep_equal((*array)[i], other[i], work)) return false;
    }
    return true;
  }
  if (const auto* object = a.get_if<Object>()) return equal_objects(*object, std::get<Object>(b.data), work);
  if (const auto* text = a.get_if<std::string>()) return *text == std::get<std::string>(b.data);
  if (const auto* flag = a.get_if<bool>()) return *flag == std::get<bool>(b.data);
  return true;
}

int compare_numbers(const Value& a, const Value& b) {
  const long double left = number_of(a);
  const long double right = number_of(b);
  return left < right ? -1 : (left > right ? 1 : 0);
}

size_t depth_of(const Value& value, uint64_t& work) {
  size_t below = 0;
  ++work;
  if (const auto* array = value.get_if<Array>()) {
    for (const Value& item : *array) below = std::max(below, depth_of(item, work));
    return below + 1;
  }
  if (const auto* object = value.get_if<Object>()) {
    for (const Member& member : *object) below = std::max(below, depth_of(member.value, work));
    return below + 1;
  }
  return 0;
}

void append_json_text(Bytes& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte >= 0x20) {
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += "\\u00";
      out.push_back(hex[byte >> 4]);
      out.push_back(hex[byte & 15]);
    }
  }
  out.push_back('"');
}

void append_json(Bytes& out, const Value& value) {
  if (const auto* object = value.get_if<Object>()) {
    out.push_back('{');
    for (size_t i = 0; i < object->size(); ++i) {
      if (i > 0) out.push_back(',');
      append_json_text(out, (*object)[i].name);
      out.push_back(':');
      append_json(out, (*object)[i].value);
    }
    out.push_back('}');
  } else if (const auto* array = value.get_if<Array>()) {
    out.push_back('[');
    for (size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out.push_back(',');
      append_json(out, (*array)[i]);
    }
    out.push_back(']');
  } else if (const auto* text = value.get_if<std::string>()) {
    append_json_text(out, *text);
  } else if (const auto* integer = value.get_if<int64_t>()) {
    append_integer(out, *integer);
  } else if (const auto* natural = value.get_if<uint64_t>()) {
    append_integer(out, *natural);
  } else if (const auto* number = value.get_if<double>()) {
    append_double(out, *number);
  } else if (const auto* flag = value.get_if<bool>()) {
    out += *flag ? "true" : "false";
  } else {
    out += "null";
  }
}

}  // namespace strata::documents
