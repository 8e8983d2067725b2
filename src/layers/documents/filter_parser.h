// The JSON forms of filters: bleve's, as docs/documents-query.md lists them.
//
// Purpose:       filter_query, full_text_search and exclusion_query of requests become one Filter.
// Ownership:     the Filter owns what it needs; the JSON and the analyzers are read during the call alone.
// Thread safety: pure functions.
// Invariants:    a filter with anything that is not understood, a misspelt name included, is refused as a whole: a
//                filter that were half understood would answer with the wrong documents.
// Errors:        invalid_argument "filter_query.must.conjuncts[2].min: must be a number or a string".
#pragma once

#include <simdjson.h>

#include <optional>
#include <string_view>

#include "layers/documents/filter_builder.h"

namespace strata::documents {

// `where`: what the filter is called in messages.
Result<Filter> parse_filter(simdjson::dom::element filter, const FieldAnalyzers& analyzers,
                            std::string_view where = "filter_query");

// What a request selects: what the search and the filter match and the exclusion does not. Only the search scores where
// there is one. Absent parts, and null ones, select everything (exclude nothing).
struct FilterParts {
  std::optional<simdjson::dom::element> full_text_search;
  std::optional<simdjson::dom::element> filter_query;
  std::optional<simdjson::dom::element> exclusion_query;
};
Result<Filter> parse_filter_parts(const FilterParts& parts, const FieldAnalyzers& analyzers);

}  // namespace strata::documents
