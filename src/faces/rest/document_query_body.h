// Bodies of the routes that search documents: from JSON to requests.
//
// Purpose:       fields and their types. What a filter holds is the service's to check.
// Ownership:     a body owns the texts that held escapes; everything else are views of the body's text.
// Thread safety: pure functions.
// Errors:        invalid_argument that names the field. Fields that an operation does not know are refused.
#pragma once

#include "base/arena.h"
#include "base/result.h"
#include "service/document_indexes.h"
#include "service/document_query.h"

namespace strata::rest {

struct QueryBody {
  Arena arena;
  service::DocumentQuery request;
  bool explain = false;
};
// {"full_text_search", "filter_query", "exclusion_query", "filter_prefix", "fields", "order_by", "limit", "offset",
// "cursor", "count", "aggregations", "explain"}, all optional; an empty body asks for everything.
Result<QueryBody> parse_query(BytesView table, BytesView body);

struct IndexBody {
  Arena arena;
  service::IndexRequest request;
};
// {"name", "field", "type", "analyzer"}
Result<IndexBody> parse_index(BytesView table, BytesView body);

}  // namespace strata::rest
