// Index values: what a document puts into an index, as bytes that sort as the values do.
//
// Purpose:       the one place that knows the bytes of entries, for those who write them and those who look them up.
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    a value is a tuple element: bool, double, text (a whole string), bytes (a word of one), an int (a date
//                in microseconds). Strings are cut at max_index_string_bytes, integers become doubles: what is found is
//                a candidate that the filter decides. Equal values have equal bytes, 0.0 and -0.0 included.
#pragma once

#include <simdjson.h>

#include <map>
#include <string>
#include <vector>

#include "layers/documents/index_definition.h"

namespace strata::documents {

inline constexpr size_t max_index_string_bytes = 512;

Bytes whole_string_value(std::string_view text);
Bytes word_value(std::string_view word);
Bytes number_value(double number);
Bytes boolean_value(bool truth);
Bytes date_value(int64_t date_us);

// Sorted, each once. Not for fulltext.
std::vector<Bytes> index_values(const IndexDefinition& index, simdjson::dom::element document);

struct TextTerms {
  // Each with its packed tuple element.
  std::vector<Bytes> terms;  // sorted, each once
  uint64_t length = 0;

  bool empty() const { return length == 0; }
};
TextTerms text_terms(const IndexDefinition& index, simdjson::dom::element document);
Bytes term_value(std::string_view term);

// The document's key behind the value that `entry` begins with; corruption when there is none.
Result<BytesView> key_behind_value(BytesView entry);

}  // namespace strata::documents
