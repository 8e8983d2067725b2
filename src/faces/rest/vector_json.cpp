#include "faces/rest/vector_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <memory>

#include "faces/rest/request.h"
#include "faces/rest/response.h"

namespace strata::rest {
namespace {

using service::MetadataValue;
using service::VectorFilter;
using simdjson::ondemand::json_type;
using vectors::FilterKind;

// A parser that a large body has grown (5 bytes for each of the body) is not kept.
constexpr size_t max_kept_capacity = 2u << 20;

simdjson::ondemand::parser& thread_parser() {
  thread_local std::unique_ptr<simdjson::ondemand::parser> parser;
  if (!parser || parser->capacity() > max_kept_capacity) parser = std::make_unique<simdjson::ondemand::parser>();
  return *parser;
}

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

Error malformed(simdjson::error_code error) {
  if (error == simdjson::MEMALLOC) return Error(ErrorCode::unavailable, "out of memory");
  return invalid(fmt::format("malformed JSON: {}", simdjson::error_message(error)));
}

Error must_be(std::string_view name, std::string_view type) {
  return invalid(fmt::format("{} must be {}", name, type));
}

Result<void> each_field(simdjson::ondemand::object& object, RequiredFields required, const VectorJsonField& field) {
  uint64_t seen = 0;
  for (auto item : object) {
    std::string_view key;
    if (const auto error = item.unescaped_key().get(key)) return malformed(error);
    VectorJsonValue value;
    if (const auto error = item.value().get(value)) return malformed(error);
    json_type type{};
    if (const auto error = value.type().get(type)) return malformed(error);
    if (type == json_type::null) continue;
    const auto* found = std::find(required.begin(), required.end(), key);
    if (found != required.end()) seen |= uint64_t{1} << (found - required.begin());
    RETURN_IF_ERROR(field(key, value));
  }
  const auto present = static_cast<size_t>(std::countr_one(seen));
  if (present < required.size()) return invalid(fmt::format("{} is required", required.begin()[present]));
  return {};
}

// The digits and the point of a number that simdjson 3.1 reads right: of longer fractions it makes others
// (0.12345678901234567890123 becomes 4.8e-05, 11111111111111110656.0 by get_number() 0).
constexpr size_t trusted_digits = 19;

// nullopt: no number, or one beyond a double.
std::optional<double> double_of(VectorJsonValue value) {
  // With the blanks behind it.
  std::string_view text = value.raw_json_token();
  text = text.substr(0, text.find_first_of(" \t\r\n"));
  double real = 0;
  if (value.get_double().get(real)) return std::nullopt;
  if (text.size() <= trusted_digits) return real;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), real);
  // Too small to be anything but nothing: what is too large was refused above.
  if (error == std::errc::result_out_of_range) return 0.0;
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return real;
}

std::optional<float> finite_float(VectorJsonValue value) {
  const std::optional<double> real = double_of(value);
  if (!real) return std::nullopt;
  const auto rounded = static_cast<float>(*real);
  if (!std::isfinite(rounded)) return std::nullopt;
  return rounded;
}

// What JSON's types become; nullopt: null, an object, or a list that is not of strings.
std::optional<MetadataValue> read_value(VectorJsonValue value) {
  json_type type{};
  if (value.type().get(type)) return std::nullopt;
  switch (type) {
    case json_type::string: {
      std::string_view text;
      if (value.get_string().get(text)) return std::nullopt;
      return std::string(text);
    }
    case json_type::boolean: {
      bool flag = false;
      if (value.get_bool().get(flag)) return std::nullopt;
      return flag;
    }
    case json_type::number: {
      simdjson::ondemand::number_type number_type;
      if (value.get_number_type().get(number_type)) return std::nullopt;
      if (int64_t integer = 0; number_type == simdjson::ondemand::number_type::signed_integer) {
        if (value.get_int64().get(integer)) return std::nullopt;
        return integer;
      }
      // Integers beyond 64 bits with a sign are floats.
      const std::optional<double> real = double_of(value);
      if (!real) return std::nullopt;
      return *real;
    }
    case json_type::array: {
      vectors::StringList list;
      simdjson::ondemand::array array;
      if (value.get_array().get(array)) return std::nullopt;
      for (auto item : array) {
        std::string_view text;
        if (item.get_string().get(text)) return std::nullopt;
        list.emplace_back(text);
      }
      return list;
    }
    default:
      return std::nullopt;
  }
}

constexpr std::string_view value_types = "a string, a number, a boolean or an array of strings";

Result<VectorFilter> read_filter_at(VectorJsonValue value, size_t depth);

Result<void> read_values(VectorJsonValue value, VectorFilter& filter) {
  return read_json_items(value, "values in a filter", [&](size_t, VectorJsonValue item) -> Result<void> {
    auto read = read_value(item);
    if (!read) return must_be("each of values in a filter", value_types);
    filter.values.push_back(*std::move(read));
    if (filter.values.size() > vectors::max_filter_values) {
      return invalid(fmt::format("the filter has more than {} values", vectors::max_filter_values));
    }
    return {};
  });
}

// `kinds` counts what the object says it is: one of and, or, not, field.
Result<void> read_filter_field(std::string_view name, VectorJsonValue value, size_t depth, VectorFilter& filter,
                               size_t& kinds, bool& has_operator) {
  if (name == "and" || name == "or") {
    ++kinds;
    filter.kind = name == "and" ? FilterKind::all : FilterKind::any;
    return read_json_items(value, name, [&](size_t, VectorJsonValue item) -> Result<void> {
      ASSIGN_OR_RETURN(VectorFilter child, read_filter_at(item, depth + 1));
      filter.children.push_back(std::move(child));
      return {};
    });
  }
  if (name == "not") {
    ++kinds;
    filter.kind = FilterKind::negation;
    ASSIGN_OR_RETURN(VectorFilter child, read_filter_at(value, depth + 1));
    filter.children.push_back(std::move(child));
  } else if (name == "field") {
    ++kinds;
    filter.kind = FilterKind::field;
    ASSIGN_OR_RETURN(filter.field, read_json_string(value, "field in a filter"));
  } else if (name == "op") {
    ASSIGN_OR_RETURN(const std::string word, read_json_string(value, "op in a filter"));
    const auto op = vectors::filter_operator(word);
    if (!op) return invalid(fmt::format("unknown operator in a filter: {}", printable(word, 40)));
    filter.op = *op;
    has_operator = true;
  } else if (name == "value") {
    auto read = read_value(value);
    if (!read) return must_be("value in a filter", value_types);
    filter.values.insert(filter.values.begin(), *std::move(read));
  } else if (name == "values") {
    return read_values(value, filter);
  }
  return {};
}

Result<VectorFilter> read_filter_at(VectorJsonValue value, size_t depth) {
  if (depth > vectors::max_filter_depth) {
    return invalid(fmt::format("the filter is deeper than {} levels", vectors::max_filter_depth));
  }
  VectorFilter filter;
  size_t kinds = 0;
  bool has_operator = false;
  RETURN_IF_ERROR(read_json_fields(value, "filter", {}, [&](std::string_view name, VectorJsonValue field) {
    return read_filter_field(name, field, depth, filter, kinds, has_operator);
  }));
  if (kinds != 1) return invalid("a filter is one of {\"and\"}, {\"or\"}, {\"not\"} and {\"field\", \"op\"}");
  if (filter.kind == FilterKind::field && !has_operator) return invalid("op in a filter is required");
  return filter;
}

template <class Number>
void append_shortest(Bytes& out, Number value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof(text), value);
  STRATA_ASSERT(error == std::errc());
  out.append(text, end);
}

}  // namespace

Result<void> read_vector_json(BytesView body, RequiredFields required, const VectorJsonField& field) {
  simdjson::ondemand::document document;
  const auto parsed = thread_parser().iterate(body, body.size() + Request::body_padding_bytes).get(document);
  if (parsed) return malformed(parsed);
  simdjson::ondemand::object object;
  if (const auto error = document.get_object().get(object)) {
    return error == simdjson::INCORRECT_TYPE ? invalid("the body must be a JSON object") : malformed(error);
  }
  RETURN_IF_ERROR(each_field(object, required, field));
  // There is nothing where it stands now.
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) return malformed(simdjson::TRAILING_CONTENT);
  return {};
}

Result<void> read_json_fields(VectorJsonValue value, std::string_view name, RequiredFields required,
                              const VectorJsonField& field) {
  simdjson::ondemand::object object;
  if (value.get_object().get(object)) return must_be(name, "an object");
  return each_field(object, required, field);
}

Result<void> read_json_items(VectorJsonValue value, std::string_view name,
                             const std::function<Result<void>(size_t index, VectorJsonValue value)>& item) {
  simdjson::ondemand::array array;
  if (value.get_array().get(array)) return must_be(name, "an array");
  size_t index = 0;
  for (auto element : array) {
    VectorJsonValue one;
    if (const auto error = element.get(one)) return malformed(error);
    RETURN_IF_ERROR(item(index++, one));
  }
  return {};
}

Result<std::string> read_json_string(VectorJsonValue value, std::string_view name) {
  std::string_view text;
  if (value.get_string().get(text)) return must_be(name, "a string");
  return std::string(text);
}

Result<bool> read_json_bool(VectorJsonValue value, std::string_view name) {
  bool flag = false;
  if (value.get_bool().get(flag)) return must_be(name, "true or false");
  return flag;
}

Result<float> read_json_float(VectorJsonValue value, std::string_view name) {
  const auto rounded = finite_float(value);
  if (!rounded) return must_be(name, "a finite 32-bit float");
  return *rounded;
}

Result<uint64_t> read_json_u64(VectorJsonValue value, std::string_view name) {
  uint64_t number = 0;
  if (value.get_uint64().get(number)) return must_be(name, "an integer from 0 to 18446744073709551615");
  return number;
}

Result<uint32_t> read_json_u32(VectorJsonValue value, std::string_view name) {
  uint64_t number = 0;
  if (value.get_uint64().get(number) || number > UINT32_MAX) return must_be(name, "an integer from 0 to 4294967295");
  return static_cast<uint32_t>(number);
}

Result<void> read_json_floats(VectorJsonValue value, std::string_view name, std::vector<float>& into) {
  simdjson::ondemand::array array;
  if (value.get_array().get(array)) return must_be(name, "an array of numbers");
  size_t index = 0;
  for (auto element : array) {
    VectorJsonValue number;
    const auto rounded = element.get(number) ? std::nullopt : finite_float(number);
    if (!rounded) return must_be(fmt::format("{}[{}]", name, index), "a finite 32-bit float");
    into.push_back(*rounded);
    ++index;
  }
  return {};
}

Result<std::vector<float>> read_json_vector(VectorJsonValue value, std::string_view name) {
  std::vector<float> values;
  RETURN_IF_ERROR(read_json_floats(value, name, values));
  return values;
}

Result<std::vector<std::vector<float>>> read_json_vectors(VectorJsonValue value, std::string_view name) {
  std::vector<std::vector<float>> all;
  RETURN_IF_ERROR(read_json_items(value, name, [&](size_t index, VectorJsonValue item) -> Result<void> {
    return read_json_floats(item, fmt::format("{}[{}]", name, index), all.emplace_back());
  }));
  return all;
}

Result<std::vector<uint64_t>> read_json_ids(VectorJsonValue value, std::string_view name) {
  std::vector<uint64_t> ids;
  RETURN_IF_ERROR(read_json_items(value, name, [&](size_t index, VectorJsonValue item) -> Result<void> {
    ASSIGN_OR_RETURN(const uint64_t id, read_json_u64(item, fmt::format("{}[{}]", name, index)));
    ids.push_back(id);
    return {};
  }));
  return ids;
}

Result<service::Metadata> read_json_metadata(VectorJsonValue value) {
  service::Metadata metadata;
  simdjson::ondemand::object object;
  if (value.get_object().get(object)) return must_be("metadata", "an object");
  for (auto item : object) {
    std::string_view key;
    if (const auto error = item.unescaped_key().get(key)) return malformed(error);
    std::string name(key);
    VectorJsonValue field;
    if (const auto error = item.value().get(field)) return malformed(error);
    auto read = read_value(field);
    if (!read) return must_be(fmt::format("metadata.{}", printable(name, 60)), value_types);
    metadata.push_back({std::move(name), *std::move(read)});
  }
  return metadata;
}

Result<VectorFilter> read_json_filter(VectorJsonValue value) { return read_filter_at(value, 1); }

void append_json_float(Bytes& out, float value) {
  if (std::isnan(value)) {
    out += "null";
    return;
  }
  append_shortest(out, std::clamp(value, std::numeric_limits<float>::lowest(), std::numeric_limits<float>::max()));
}

void append_json_floats(Bytes& out, std::span<const float> values) {
  out.push_back('[');
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_json_float(out, values[i]);
  }
  out.push_back(']');
}

void append_json_vectors(Bytes& out, const std::vector<std::vector<float>>& vectors) {
  out.push_back('[');
  for (size_t i = 0; i < vectors.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_json_floats(out, vectors[i]);
  }
  out.push_back(']');
}

namespace {

struct MetadataAppender {
  Bytes& out;
  void operator()(const std::string& text) const { append_json_string(out, text); }
  void operator()(int64_t value) const { append_shortest(out, value); }
  void operator()(double value) const {
    const size_t begin = out.size();
    append_shortest(out, value);
    if (out.find_first_of(".e", begin) == Bytes::npos) out += ".0";
  }
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(const vectors::StringList& list) const {
    out.push_back('[');
    for (size_t i = 0; i < list.size(); ++i) {
      if (i > 0) out.push_back(',');
      append_json_string(out, list[i]);
    }
    out.push_back(']');
  }
};

}  // namespace

void append_json_metadata(Bytes& out, const service::Metadata& metadata) {
  out.push_back('{');
  for (size_t i = 0; i < metadata.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_json_string(out, metadata[i].name);
    out.push_back(':');
    std::visit(MetadataAppender{out}, metadata[i].value);
  }
  out.push_back('}');
}

}  // namespace strata::rest
