// Bodies of the records routes: from JSON to operations.
//
// Purpose:       everything that can be wrong with a body is found here, before a transaction begins: a batch with one
//                bad value stores nothing.
// Ownership:     a RecordsBody owns the bytes its operations view.
// Thread safety: pure functions (json_document.h says how).
#pragma once

#include <vector>

#include "base/arena.h"
#include "base/result.h"
#include "service/records.h"

namespace strata::rest {

struct RecordsBody {
  Arena arena;
  std::vector<service::Operation> operations;
};

// {"value": base64}
Result<RecordsBody> parse_put_value(BytesView key, BytesView body);
// {"operation": "put", "items": [{"key", "value"}]} or {"operation": "delete", "keys": [...]}
Result<RecordsBody> parse_value_batch(BytesView body);
// {"columns": {name: base64}}
Result<RecordsBody> parse_put_row(BytesView row_key, BytesView body);
// {"operation": "put", "rows": [{"rowKey", "columns"}]} or {"operation": "delete", "rows": [{"rowKey"}]}
Result<RecordsBody> parse_row_batch(BytesView body);
// Of an append to a transaction, {"key", "value": base64}; one that deletes needs no value.
Result<RecordsBody> parse_staged_value(BytesView body, bool removes);
// {"rowKey", "columns": {name: base64}}; of one that deletes, the columns to delete, or none for the whole row.
Result<RecordsBody> parse_staged_row(BytesView body, bool removes);
// {"columns": {name: anything}}; the names are copied to the arena and appended. An empty body names none.
Result<void> parse_column_names(BytesView body, Arena& arena, std::vector<service::Column>& columns);

}  // namespace strata::rest
