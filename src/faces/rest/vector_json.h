// JSON of vectors: bodies that are mostly numbers, read in one pass without a tree.
//
// Purpose:       from values of a body to the types of the service, and back to JSON.
// Ownership:     everything that is read is copied: the parser is the thread's, and a handler waits after it has read.
// Thread safety: each thread has its parser.
// Invariants:    fields that nobody asks for are skipped; of one that is given twice the last counts; null is absent.
//                Nesting is limited by the readers, which go as deep as they must and no deeper.
// Errors:        invalid_argument that names the field.
#pragma once

#include <simdjson.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "service/vector_types.h"

namespace strata::rest {

using VectorJsonValue = simdjson::ondemand::value;
// Of a field that is not null.
using VectorJsonField = std::function<Result<void>(std::string_view name, VectorJsonValue value)>;

// Names of fields without which an object is refused.
using RequiredFields = std::initializer_list<std::string_view>;

// `body` is followed by Request::body_padding_bytes readable bytes. The first error of `field` ends it.
Result<void> read_vector_json(BytesView body, RequiredFields required, const VectorJsonField& field);
// An object inside.
Result<void> read_json_fields(VectorJsonValue value, std::string_view name, RequiredFields required,
                              const VectorJsonField& field);
// Every item of an array; item(index, value).
Result<void> read_json_items(VectorJsonValue value, std::string_view name,
                             const std::function<Result<void>(size_t index, VectorJsonValue value)>& item);

// into = read: the one way a field is taken.
template <class T, class U>
Result<void> store(T& into, Result<U> read) {
  if (!read.ok()) return std::move(read).error();
  into = std::move(read).value();
  return {};
}

Result<std::string> read_json_string(VectorJsonValue value, std::string_view name);
Result<bool> read_json_bool(VectorJsonValue value, std::string_view name);
Result<float> read_json_float(VectorJsonValue value, std::string_view name);
Result<uint64_t> read_json_u64(VectorJsonValue value, std::string_view name);
Result<uint32_t> read_json_u32(VectorJsonValue value, std::string_view name);
// Finite 32-bit floats; appended to `into`.
Result<void> read_json_floats(VectorJsonValue value, std::string_view name, std::vector<float>& into);
Result<std::vector<float>> read_json_vector(VectorJsonValue value, std::string_view name);
Result<std::vector<std::vector<float>>> read_json_vectors(VectorJsonValue value, std::string_view name);
Result<std::vector<uint64_t>> read_json_ids(VectorJsonValue value, std::string_view name);
// Limits of both are the service's to check, but for the depth of a filter.
Result<service::Metadata> read_json_metadata(VectorJsonValue value);
Result<service::VectorFilter> read_json_filter(VectorJsonValue value);

// The shortest text that reads as the same float. JSON has no infinity: the largest float stands for it,
// and null for what is no number.
void append_json_float(Bytes& out, float value);
void append_json_floats(Bytes& out, std::span<const float> values);
// [[...],[...]]
void append_json_vectors(Bytes& out, const std::vector<std::vector<float>>& vectors);
// A float that is an integer keeps its ".0": it comes back as what it was.
void append_json_metadata(Bytes& out, const service::Metadata& metadata);

}  // namespace strata::rest
