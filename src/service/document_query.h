// DocumentQueries: documents that match, ordered, counted and summed up.
//
// Purpose:       what a face calls for a query; where the indexes that help are chosen and read.
// Ownership:     borrows the database and the clock, which outlive it. Requests are views, answers own their bytes.
// Thread safety: any thread.
// Invariants:    every document that matched from before the query began until it ended is found; each page of them is
//                read at a version of its own. Indexes change how long it takes, never what is found.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kv/database.h"
#include "layers/documents/documents.h"
#include "layers/documents/query_collector.h"
#include "service/context.h"

namespace strata::service {

using documents::AggregationResult;
using documents::AggregationType;
using documents::QueryHit;

struct QueryOrder {
  // A field's path, "_score", or "_id" for the key.
  std::string_view by;
  bool descending = false;
};
struct QueryAggregation {
  std::string_view name;
  std::string_view type;
  std::string_view field;
  int64_t size = 10;
};

struct DocumentQuery {
  std::string_view table;
  // JSON; absent: everything.
  std::optional<BytesView> full_text_search = std::nullopt;
  std::optional<BytesView> filter_query = std::nullopt;
  std::optional<BytesView> exclusion_query = std::nullopt;
  BytesView key_prefix = {};
  std::vector<std::string_view> fields = {};
  std::vector<QueryOrder> order = {};
  std::optional<BytesView> cursor = std::nullopt;
  int64_t offset = 0;
  int64_t limit = 10;
  std::vector<QueryAggregation> aggregations = {};
};

struct QueryAnswer {
  documents::QueryResult result;
  std::vector<documents::Aggregation> aggregations;
  std::optional<Bytes> next_cursor;
  // How it was found: the indexes, none for a scan of the table.
  std::vector<std::string> indexes;
  uint64_t examined = 0;
  int64_t took_us = 0;
};

class DocumentQueries {
 public:
  explicit DocumentQueries(const kv::Database& database, Clock& clock = system_clock())
      : database_(database), clock_(clock) {}

  Result<QueryAnswer> query(const Context& context, const DocumentQuery& request);

 private:
  struct Begun;
  struct Run;

  const kv::Database& database_;
  Clock& clock_;
};

}  // namespace strata::service
