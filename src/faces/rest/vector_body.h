// Bodies of the vector routes: from JSON to requests.
//
// Purpose:       fields, their types and their defaults. What they hold is the service's to check.
// Ownership:     a body owns what its request views: texts and numbers are copied.
// Thread safety: pure functions.
// Errors:        invalid_argument that names the field.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "service/vector_types.h"

namespace strata::rest {

struct CollectionBody {
  std::string name;
  std::string metric;
  service::MakeCollectionRequest request() const {
    service::MakeCollectionRequest made = options;
    made.name = name;
    made.distance_metric = metric;
    return made;
  }
  service::MakeCollectionRequest options;  // without the texts
};
Result<CollectionBody> parse_collection(BytesView body);

// {"id", "values", "metadata"}; a row of a bulk insert, and the body of an insert and of an update.
struct VectorRowBody {
  uint64_t id = 0;
  bool has_values = false;
  bool has_metadata = false;
  std::vector<float> values;
  service::Metadata metadata;
};
Result<VectorRowBody> parse_vector_row(BytesView body);

// The rows of a bulk insert one after another: 64 MiB of JSON become some 30 of numbers, and nothing is written before
// all of it is known to be JSON. A row that cannot be read keeps why.
struct BulkBody {
  struct Row {
    uint64_t id = 0;
    size_t first = 0;  // of values
    size_t count = 0;
    service::Metadata metadata;
    std::string error;
  };
  std::string index_mode = "immediate";
  std::string resume_token;
  service::BulkOptions options;  // without the texts
  std::vector<float> values;
  std::vector<Row> rows;
};
Result<BulkBody> parse_bulk(BytesView body);

struct BulkFromPathBody {
  std::string path;
  std::string ids_path;
  std::string index_mode = "immediate";
  service::BulkFromPathRequest options;  // without the texts
};
Result<BulkFromPathBody> parse_bulk_from_path(BytesView body);

Result<service::CompactRequest> parse_compact(BytesView body);
// Of a body without parameters: empty, or any JSON object.
Result<void> check_object(BytesView body);
// {"rebuild_graph": true}; an empty body asks for nothing.
Result<bool> parse_optimize(BytesView body);

struct SearchBody {
  std::string collection;
  std::vector<float> query;
  std::string strategy;
  service::VectorSearchRequest options;  // without what is above
  service::VectorSearchRequest request() const;
};
Result<SearchBody> parse_search(BytesView body);
// {"queries": [...]}; the error of a query names its index.
Result<std::deque<SearchBody>> parse_batch_search(BytesView body);

}  // namespace strata::rest
