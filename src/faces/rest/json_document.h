// JSON bodies: strict parsing, and the few questions that handlers ask.
//
// Purpose:       one place for what is refused: anything but one JSON object, invalid UTF-8, lone surrogates, more than
//                64 levels, bytes behind the end, a field that is asked for and given twice, and wrong types, with
//                words that name the field. Fields that nobody asks for are ignored.
// Ownership:     elements and strings live in a parser of the thread until the thread parses again: a handler copies
//                what it keeps before it does anything that can wait.
// Thread safety: each thread has its parser.
#pragma once

#include <simdjson.h>

#include <array>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::rest {

inline constexpr size_t max_json_depth = 64;

// `body` is followed by simdjson::SIMDJSON_PADDING readable bytes, as Request::body() is.
Result<simdjson::dom::object> parse_json_object(BytesView body);

using JsonField = std::optional<simdjson::dom::element>;

// The values of these names, in their order. `where` goes before names in messages: "items[3]."
Result<void> take_json_fields(simdjson::dom::object object, std::span<const std::string_view> names,
                              std::span<JsonField> values, std::string_view where);
template <size_t N>
Result<std::array<JsonField, N>> json_fields(simdjson::dom::object object, const std::array<std::string_view, N>& names,
                                             std::string_view where = {}) {
  std::array<JsonField, N> values;
  RETURN_IF_ERROR(take_json_fields(object, names, values, where));
  return values;
}

// `name` as the message shall call the field.
Result<std::string_view> json_string(const JsonField& field, std::string_view name);
Result<simdjson::dom::array> json_array(const JsonField& field, std::string_view name);
Result<simdjson::dom::object> json_object(const JsonField& field, std::string_view name);

}  // namespace strata::rest
