#include "faces/rest/json_document.h"

#include <fmt/format.h>

#include <memory>

namespace strata::rest {
namespace {

// A parser that a large body has grown (about 10 bytes for each of the body) is not kept.
constexpr size_t max_kept_capacity = 2u << 20;
constexpr size_t first_capacity = 4'096;

simdjson::dom::parser* thread_parser() {
  thread_local std::unique_ptr<simdjson::dom::parser> parser;
  if (!parser || parser->capacity() > max_kept_capacity) {
    parser = std::make_unique<simdjson::dom::parser>();
    if (parser->allocate(first_capacity, max_json_depth)) parser.reset();
  }
  return parser.get();
}

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

Error wrong_type(const JsonField& field, std::string_view name, std::string_view type) {
  if (!field) return invalid(fmt::format("{} is required", name));
  return invalid(fmt::format("{} must be {}", name, type));
}

}  // namespace

Result<simdjson::dom::object> parse_json_object(BytesView body) {
  simdjson::dom::parser* parser = thread_parser();
  if (!parser) return Error(ErrorCode::unavailable, "out of memory");
  simdjson::dom::element root;
  if (const auto error = parser->parse(body.data(), body.size(), false).get(root)) {
    if (error == simdjson::MEMALLOC) return Error(ErrorCode::unavailable, "out of memory");
    return invalid(fmt::format("malformed JSON: {}", simdjson::error_message(error)));
  }
  simdjson::dom::object object;
  if (root.get(object)) return invalid("the body must be a JSON object");
  return object;
}

Result<void> take_json_fields(simdjson::dom::object object, std::span<const std::string_view> names,
                              std::span<JsonField> values, std::string_view where) {
  for (const auto& [key, value] : object) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (key != names[i]) continue;
      if (values[i]) return invalid(fmt::format("{}{} is given twice", where, names[i]));
      values[i] = value;
    }
  }
  return {};
}

Result<std::string_view> json_string(const JsonField& field, std::string_view name) {
  std::string_view text;
  if (!field || field->get(text)) return wrong_type(field, name, "a string");
  return text;
}

Result<simdjson::dom::array> json_array(const JsonField& field, std::string_view name) {
  simdjson::dom::array array;
  if (!field || field->get(array)) return wrong_type(field, name, "an array");
  return array;
}

Result<simdjson::dom::object> json_object(const JsonField& field, std::string_view name) {
  simdjson::dom::object object;
  if (!field || field->get(object)) return wrong_type(field, name, "an object");
  return object;
}

}  // namespace strata::rest
