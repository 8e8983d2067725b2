// Query strings: "status:published +tag:x -draft year:>2020" as a filter.
//
// Purpose:       what people type, in bleve's syntax: words, "phrases", field:, + and -, ~fuzzy, ^boost, /regexp/,
//                wild* cards, >, >=, < and <= before numbers and dates, backslashes before what has a meaning.
// Ownership:     the node is the caller's.
// Thread safety: pure function.
// Invariants:    items without + or - are optional where one has +, else one of them must match; items without a word
//                in them ("!!!") are dropped. A query of nothing but blanks matches nothing.
#pragma once

#include <string_view>

#include "base/result.h"
#include "layers/documents/filter_builder.h"

namespace strata::documents {

// invalid_argument: what is wrong and at which byte.
Result<FilterNode> parse_query_string(std::string_view query, FilterBuilder& builder);

}  // namespace strata::documents
