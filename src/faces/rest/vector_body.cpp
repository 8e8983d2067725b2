#include "faces/rest/vector_body.h"

#include <fmt/format.h>

#include "faces/rest/vector_json.h"

namespace strata::rest {
namespace {

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

// Where the parts of a row go: a body of its own, or its place among the rows of a bulk insert.
struct RowFields {
  uint64_t& id;
  std::vector<float>& values;
  service::Metadata& metadata;
  const size_t first = values.size();  // of its values
  bool has_values = false;
  bool has_metadata = false;
};

Result<void> take_row_field(std::string_view name, VectorJsonValue value, RowFields& row) {
  if (name == "id") return store(row.id, read_json_u64(value, name));
  if (name == "values") {
    row.has_values = true;
    row.values.resize(row.first);
    return read_json_floats(value, name, row.values);
  }
  if (name == "metadata") {
    row.has_metadata = true;
    return store(row.metadata, read_json_metadata(value));
  }
  return {};
}

// A wrong value is the row's own failure; broken JSON shows itself where the array goes on.
void take_bulk_row(VectorJsonValue value, BulkBody& bulk) {
  BulkBody::Row row;
  RowFields fields{.id = row.id, .values = bulk.values, .metadata = row.metadata};
  row.first = fields.first;
  const auto read = read_json_fields(value, "the row", {"values"}, [&](std::string_view name, VectorJsonValue field) {
    return take_row_field(name, field, fields);
  });
  if (!read.ok()) {
    row.error = read.error().message();
    bulk.values.resize(row.first);
  }
  row.count = bulk.values.size() - row.first;
  bulk.rows.push_back(std::move(row));
}

Result<void> take_bulk_field(std::string_view name, VectorJsonValue value, BulkBody& bulk) {
  service::BulkOptions& options = bulk.options;
  if (name == "vectors") {
    bulk.rows.clear();
    bulk.values.clear();
    return read_json_items(value, name, [&](size_t, VectorJsonValue item) -> Result<void> {
      take_bulk_row(item, bulk);
      return {};
    });
  }
  if (name == "batch_lock_size") return store(options.batch_rows, read_json_u32(value, name));
  if (name == "defer_graph") return store(options.defer_graph, read_json_bool(value, name));
  if (name == "wal_flush_every") return store(options.sync_every, read_json_u32(value, name));
  if (name == "ef_construction") return store(options.ef_construction, read_json_u32(value, name));
  if (name == "index_mode") return store(bulk.index_mode, read_json_string(value, name));
  if (name == "skip_metadata_index") return store(options.skip_metadata_index, read_json_bool(value, name));
  if (name == "parallel_build") return store(options.parallel_build, read_json_bool(value, name));
  if (name == "checkpoint_every") return store(options.checkpoint_every, read_json_u32(value, name));
  if (name == "resume_token") return store(bulk.resume_token, read_json_string(value, name));
  return {};
}

Result<void> take_search_field(std::string_view name, VectorJsonValue value, SearchBody& search) {
  service::VectorSearchRequest& options = search.options;
  if (name == "collection") return store(search.collection, read_json_string(value, name));
  if (name == "query") return store(search.query, read_json_vector(value, name));
  if (name == "k") return store(options.k, read_json_u32(value, name));
  if (name == "filter") return store(options.filter, read_json_filter(value));
  if (name == "strategy") return store(search.strategy, read_json_string(value, name));
  if (name == "include_metadata") return store(options.include_metadata, read_json_bool(value, name));
  if (name == "include_graph") return store(options.include_graph, read_json_bool(value, name));
  if (name == "graph_threshold") return store(options.graph_threshold, read_json_float(value, name));
  if (name == "max_graph_edges") return store(options.max_graph_edges, read_json_u32(value, name));
  if (name == "ef_search") return store(options.ef_search, read_json_u32(value, name));
  return {};
}

constexpr RequiredFields query_fields = {"query", "k"};

bool is_blank(BytesView body) { return body.find_first_not_of(" \t\r\n") == BytesView::npos; }

}  // namespace

Result<CollectionBody> parse_collection(BytesView body) {
  CollectionBody parsed;
  service::MakeCollectionRequest& options = parsed.options;
  RETURN_IF_ERROR(read_vector_json(body, {"name", "dimension"}, [&](std::string_view name, VectorJsonValue value) {
    if (name == "name") return store(parsed.name, read_json_string(value, name));
    if (name == "dimension") return store(options.dimension, read_json_u64(value, name));
    if (name == "distance_metric") return store(parsed.metric, read_json_string(value, name));
    if (name == "default_threshold") return store(options.default_threshold, read_json_float(value, name));
    if (name == "max_vectors") return store(options.max_vectors, read_json_u64(value, name));
    return Result<void>();
  }));
  return parsed;
}

Result<VectorRowBody> parse_vector_row(BytesView body) {
  VectorRowBody row;
  RowFields fields{.id = row.id, .values = row.values, .metadata = row.metadata};
  RETURN_IF_ERROR(read_vector_json(
      body, {}, [&](std::string_view name, VectorJsonValue value) { return take_row_field(name, value, fields); }));
  row.has_values = fields.has_values;
  row.has_metadata = fields.has_metadata;
  return row;
}

Result<BulkBody> parse_bulk(BytesView body) {
  BulkBody bulk;
  RETURN_IF_ERROR(read_vector_json(body, {"vectors"}, [&](std::string_view name, VectorJsonValue value) {
    return take_bulk_field(name, value, bulk);
  }));
  return bulk;
}

Result<BulkFromPathBody> parse_bulk_from_path(BytesView body) {
  BulkFromPathBody parsed;
  service::BulkFromPathRequest& options = parsed.options;
  RETURN_IF_ERROR(read_vector_json(body, {"path"}, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
    if (name == "path") return store(parsed.path, read_json_string(value, name));
    if (name == "dim") return store(options.dimension, read_json_u32(value, name));
    if (name == "expected_count") return store(options.expected_count, read_json_u64(value, name));
    if (name == "total_count_hint") return store(options.total_count_hint, read_json_u64(value, name));
    if (name == "id_start") return store(options.id_start, read_json_u64(value, name));
    if (name == "ids_path") return store(parsed.ids_path, read_json_string(value, name));
    if (name == "skip_metadata_index") return store(options.skip_metadata_index, read_json_bool(value, name));
    if (name == "index_mode") return store(parsed.index_mode, read_json_string(value, name));
    if (name == "ef_construction") return store(options.ef_construction, read_json_u32(value, name));
    if (name == "chunk_size") return store(options.chunk_rows, read_json_u32(value, name));
    return {};
  }));
  return parsed;
}

Result<void> check_object(BytesView body) {
  if (is_blank(body)) return {};
  return read_vector_json(body, {}, [](std::string_view, VectorJsonValue) { return Result<void>(); });
}

Result<service::CompactRequest> parse_compact(BytesView body) {
  service::CompactRequest request;
  if (is_blank(body)) return request;
  RETURN_IF_ERROR(read_vector_json(body, {}, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
    if (name == "min_segments") return store(request.min_segments, read_json_u32(value, name));
    if (name == "remove_deleted") return store(request.remove_deleted, read_json_bool(value, name));
    return {};
  }));
  return request;
}

Result<bool> parse_optimize(BytesView body) {
  bool rebuild_graph = false;
  if (is_blank(body)) return rebuild_graph;
  RETURN_IF_ERROR(read_vector_json(body, {}, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
    if (name == "rebuild_graph") return store(rebuild_graph, read_json_bool(value, name));
    return {};
  }));
  return rebuild_graph;
}

service::VectorSearchRequest SearchBody::request() const {
  service::VectorSearchRequest made = options;
  made.collection = collection;
  made.query = query;
  made.strategy = strategy;
  return made;
}

Result<SearchBody> parse_search(BytesView body) {
  SearchBody search;
  RETURN_IF_ERROR(read_vector_json(body, query_fields, [&](std::string_view name, VectorJsonValue value) {
    return take_search_field(name, value, search);
  }));
  return search;
}

Result<std::deque<SearchBody>> parse_batch_search(BytesView body) {
  std::deque<SearchBody> queries;
  const auto query = [&](size_t index, VectorJsonValue item) -> Result<void> {
    if (index == service::max_batch_queries) {
      return invalid(fmt::format("queries has more than {} queries", service::max_batch_queries));
    }
    SearchBody& search = queries.emplace_back();
    const auto taken = read_json_fields(
        item, "a query", query_fields,
        [&](std::string_view name, VectorJsonValue value) { return take_search_field(name, value, search); });
    if (!taken.ok()) return Error(taken.error().code(), fmt::format("query {}: {}", index, taken.error().message()));
    return {};
  };
  RETURN_IF_ERROR(
      read_vector_json(body, {"queries"}, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
        if (name != "queries") return {};
        queries.clear();
        return read_json_items(value, name, query);
      }));
  return queries;
}

}  // namespace strata::rest
