// Bodies of the document routes: from JSON to requests.
//
// Purpose:       fields and their types. What documents and operations hold is the service's to check.
// Ownership:     a body owns the names that held escapes; everything else are views of the text.
// Thread safety: pure functions.
// Errors:        invalid_argument that names the field. Fields that an operation does not know are refused.
#pragma once

#include <vector>

#include "base/arena.h"
#include "base/result.h"
#include "service/documents.h"

namespace strata::rest {

struct TableBody {
  Arena arena;
  service::TableRequest request;
};
// {"num_shards", "description", "schema", "indexes"}, all optional; an empty body asks for nothing.
Result<TableBody> parse_table(BytesView name, BytesView body);

struct BatchBody {
  Arena arena;
  std::vector<service::TableBatch> tables;
};
// {"inserts": {key: document}, "deletes": [key], "transforms": [...], "sync_level"}
Result<BatchBody> parse_table_batch(BytesView table, BytesView body);
// {"tables": {table: batch}, "sync_level"}
Result<BatchBody> parse_batch(BytesView body);

struct CommitBody {
  BatchBody batch;
  std::vector<service::DocumentRead> reads;
};
// {"read_set": [{"table", "key", "version"}], "tables": {table: batch}, "sync_level"}
Result<CommitBody> parse_commit(BytesView body);

struct MergeBody {
  Arena arena;
  std::vector<service::DocumentInsert> records;
  service::MergeRequest request;
};
// {"records": {key: document}, "last_merged_id", "dry_run", "final", "sync_level"}
Result<MergeBody> parse_merge(BytesView table, BytesView body);

struct ScanBody {
  Arena arena;
  // Without the table.
  service::DocumentScanRequest request;
  // Absent: keys alone.
  std::optional<service::Projection> fields;
};
// {"from", "to", "inclusive_from", "exclusive_to", "fields", "filter_query", "limit"}, all optional.
Result<ScanBody> parse_scan(BytesView body);

}  // namespace strata::rest
