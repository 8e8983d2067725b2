#include "layers/documents/document_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "base/json_text.h"

namespace strata::documents {

struct DocumentParser::Buffers {
  simdjson::dom::parser parser;
  // The text with the bytes behind it that simdjson may read.
  std::unique_ptr<char[]> padded;
  size_t capacity = 0;
};

namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// A parser takes about 12 bytes for each of the text; one that a large document has grown is not kept.
constexpr size_t max_kept_bytes = 1u << 20;
// Deeper than any document, so that too deep a one is told by check_value in our words.
constexpr size_t parser_depth = max_document_depth + 8;

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

Error bad_number() { return invalid("holds a number that is malformed or too large: send it as a string"); }

Error parse_error(simdjson::error_code error) {
  switch (error) {
    case simdjson::MEMALLOC:
      return Error(ErrorCode::unavailable, "out of memory");
    case simdjson::DEPTH_ERROR:
      return invalid(fmt::format("is nested deeper than {} levels", max_document_depth));
    case simdjson::NUMBER_ERROR:
      return bad_number();
    case simdjson::UTF8_ERROR:
      return invalid("is not UTF-8");
    default:
      // Newer versions tell integers beyond 64 bits apart, by a code that older ones do not have.
      if (std::string_view(simdjson::error_message(error)).find("integer") != std::string_view::npos)
        return bad_number();
      return invalid(fmt::format("is malformed JSON: {}", simdjson::error_message(error)));
  }
}

DocumentParser& thread_parser(size_t bytes) {
  thread_local std::unique_ptr<DocumentParser> kept;
  if (!kept || (kept->capacity() > max_kept_bytes && bytes <= max_kept_bytes)) {
    kept = std::make_unique<DocumentParser>();
  }
  return *kept;
}

Result<element> parse(BytesView json) { return thread_parser(json.size()).parse(json); }

Result<element> of_stored(Result<element> root) {
  if (root.ok() || root.error().code() != ErrorCode::invalid_argument) return root;
  return Error(ErrorCode::corruption, fmt::format("a stored document {}", root.error().message()));
}

Error given_twice(std::string_view name) { return invalid(fmt::format("holds the name {} twice", printable(name))); }

Result<void> refuse_repeated(simdjson::dom::object object) {
  constexpr size_t few = 16;
  std::array<std::string_view, few> first;
  std::vector<std::string_view> names;
  size_t count = 0;
  for (const auto& field : object) {
    if (count < few) {
      for (size_t i = 0; i < count; ++i) {
        if (first[i] == field.key) return given_twice(field.key);
      }
      first[count] = field.key;
    } else {
      if (names.empty()) names.assign(first.begin(), first.end());
      names.push_back(field.key);
    }
    ++count;
  }
  if (names.empty()) return {};
  std::sort(names.begin(), names.end());
  const auto repeated = std::adjacent_find(names.begin(), names.end());
  if (repeated != names.end()) return given_twice(*repeated);
  return {};
}

// What the parser does not look at. Numbers are in range: it refuses others.
Result<void> check_value(element value, size_t depth) {
  const bool is_object = value.type() == element_type::OBJECT;
  if (!is_object && value.type() != element_type::ARRAY) return {};
  if (depth > max_document_depth) return invalid(fmt::format("is nested deeper than {} levels", max_document_depth));
  if (is_object) {
    const simdjson::dom::object object = value.get_object().value_unsafe();
    RETURN_IF_ERROR(refuse_repeated(object));
    for (const auto& field : object) RETURN_IF_ERROR(check_value(field.value, depth + 1));
    return {};
  }
  const simdjson::dom::array items = value.get_array().value_unsafe();
  for (const element item : items) RETURN_IF_ERROR(check_value(item, depth + 1));
  return {};
}

}  // namespace

Result<void> validate_document_key(BytesView key, std::string_view what) {
  if (key.empty()) return invalid(fmt::format("{} is empty", what));
  if (key.size() > max_document_key_bytes) {
    return invalid(fmt::format("{} has {} bytes, at most {} are possible: {}", what, key.size(), max_document_key_bytes,
                               printable(key, 64)));
  }
  if (!simdjson::validate_utf8(key.data(), key.size())) {
    return invalid(fmt::format("{} is not UTF-8: {}", what, printable(key)));
  }
  return {};
}

Result<BytesView> minify_document(BytesView json, Arena& arena, size_t limit_bytes) {
  // Blanks may double a document; beyond that it is not worth parsing.
  if (json.size() / 4 > limit_bytes) {
    return Error(ErrorCode::payload_too_large, fmt::format("is larger than {} bytes", limit_bytes));
  }
  ASSIGN_OR_RETURN(const element root, parse(json));
  if (root.type() != element_type::OBJECT) return invalid("is not a JSON object");
  RETURN_IF_ERROR(check_value(root, 1));
  // Programs write JSON without blanks, mostly, and simdjson takes 1 us to find none in 1 KB.
  Bytes minified;
  size_t size = json.size();
  if (has_json_blanks(json)) {
    // Its last block may be written beyond what it yields.
    minified.resize(json.size() + simdjson::SIMDJSON_PADDING);
    if (simdjson::minify(json.data(), json.size(), minified.data(), size)) return invalid("is malformed JSON");
  }
  if (size > limit_bytes) {
    return Error(ErrorCode::payload_too_large, fmt::format("has {} bytes, at most {} are possible", size, limit_bytes));
  }
  if (minified.empty()) return json;
  return arena.copy(BytesView(minified).substr(0, size));
}

DocumentParser::DocumentParser() : buffers_(std::make_unique<Buffers>()) {}
DocumentParser::~DocumentParser() = default;

size_t DocumentParser::capacity() const { return buffers_->capacity; }

Result<element> DocumentParser::parse(BytesView json) {
  Buffers& buffers = *buffers_;
  if (buffers.capacity < json.size()) {
    buffers.capacity = std::max<size_t>(json.size(), 4'096);
    buffers.padded.reset(new char[buffers.capacity + simdjson::SIMDJSON_PADDING]());
  }
  if (!json.empty()) std::memcpy(buffers.padded.get(), json.data(), json.size());
  if (buffers.parser.capacity() < json.size()) {
    if (buffers.parser.allocate(buffers.capacity, parser_depth)) {
      return Error(ErrorCode::unavailable, "out of memory");
    }
  }
  element root;
  const auto error = buffers.parser.parse(buffers.padded.get(), json.size(), false).get(root);
  if (error != simdjson::SUCCESS) return parse_error(error);
  return root;
}

Result<element> parse_stored(BytesView text) { return of_stored(parse(text)); }
Result<element> parse_stored(BytesView text, DocumentParser& parser) { return of_stored(parser.parse(text)); }

Result<element> parse_json(BytesView json) {
  ASSIGN_OR_RETURN(const element root, parse(json));
  RETURN_IF_ERROR(check_value(root, 1));
  return root;
}

}  // namespace strata::documents
