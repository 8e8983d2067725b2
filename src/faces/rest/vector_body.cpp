#include "faces/rest/vector_body.h"

#include <fmt/format.h>

#include "faces/rest/vector_json.h"

namespace strata::rest {
namespace {

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

Error required(std::string_view name) { return invalid(fmt::format("{} is required", name)); }

// into = read: the one way a field is taken.
template <class T, class U>
Result<void> store(T& into, Result<U> read) {
  if (!read.ok()) return std::move(read).error();
  into = std::move(read).value();
  return {};
}

Result<void> take_row_field(std::string_view name, VectorJsonValue value, VectorRowBody& row) {
  if (name == "id") return store(row.id, read_json_u64(value, name));
  if (name == "values") {
    row.has_values = true;
    row.values.clear();
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
  row.first = bulk.values.size();
  bool has_values = false;
  const auto read = read_json_fields(value, "the row", [&](std::string_view name, VectorJsonValue field) {
    if (name == "id") return store(row.id, read_json_u64(field, name));
    if (name == "values") {
      has_values = true;
      bulk.values.resize(row.first);
      return read_json_floats(field, name, bulk.values);
    }
    if (name == "metadata") return store(row.metadata, read_json_metadata(field));
    return Result<void>();
  });
  if (!read.ok()) {
    row.error = read.error().message();
  } else if (!has_values) {
    row.error = "values is required";
  }
  if (!row.error.empty()) bulk.values.resize(row.first);
  row.count = bulk.values.size() - row.first;
  bulk.rows.push_back(std::move(row));
}

Result<void> take_bulk_field(std::string_view name, VectorJsonValue value, BulkBody& bulk, bool& has_vectors) {
  service::BulkOptions& options = bulk.options;
  if (name == "vectors") {
    has_vectors = true;
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

// Reads one query's fields by `read`, and says what is missing.
template <class Read>
Result<void> take_search(SearchBody& search, const Read& read) {
  bool has_query = false;
  bool has_k = false;
  RETURN_IF_ERROR(read([&](std::string_view name, VectorJsonValue value) {
    has_query |= name == "query";
    has_k |= name == "k";
    return take_search_field(name, value, search);
  }));
  if (!has_query) return required("query");
  if (!has_k) return required("k");
  return {};
}

bool is_blank(BytesView body) { return body.find_first_not_of(" \t\r\n") == BytesView::npos; }

}  // namespace

Result<CollectionBody> parse_collection(BytesView body) {
  CollectionBody parsed;
  bool has_name = false;
  bool has_dimension = false;
  service::MakeCollectionRequest& options = parsed.options;
  RETURN_IF_ERROR(read_vector_json(body, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
    has_name |= name == "name";
    has_dimension |= name == "dimension";
    if (name == "name") return store(parsed.name, read_json_string(value, name));
    if (name == "dimension") return store(options.dimension, read_json_u64(value, name));
    if (name == "distance_metric") return store(parsed.metric, read_json_string(value, name));
    if (name == "default_threshold") return store(options.default_threshold, read_json_float(value, name));
    if (name == "max_vectors") return store(options.max_vectors, read_json_u64(value, name));
    return {};
  }));
  if (!has_name) return required("name");
  if (!has_dimension) return required("dimension");
  return parsed;
}

Result<VectorRowBody> parse_vector_row(BytesView body) {
  VectorRowBody row;
  RETURN_IF_ERROR(read_vector_json(
      body, [&](std::string_view name, VectorJsonValue value) { return take_row_field(name, value, row); }));
  return row;
}

Result<BulkBody> parse_bulk(BytesView body) {
  BulkBody bulk;
  bool has_vectors = false;
  RETURN_IF_ERROR(read_vector_json(body, [&](std::string_view name, VectorJsonValue value) {
    return take_bulk_field(name, value, bulk, has_vectors);
  }));
  if (!has_vectors) return required("vectors");
  return bulk;
}

Result<BulkFromPathBody> parse_bulk_from_path(BytesView body) {
  BulkFromPathBody parsed;
  bool has_path = false;
  service::BulkFromPathRequest& options = parsed.options;
  RETURN_IF_ERROR(read_vector_json(body, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
    has_path |= name == "path";
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
  if (!has_path) return required("path");
  return parsed;
}

Result<void> check_object(BytesView body) {
  if (is_blank(body)) return {};
  return read_vector_json(body, [](std::string_view, VectorJsonValue) { return Result<void>(); });
}

Result<service::CompactRequest> parse_compact(BytesView body) {
  service::CompactRequest request;
  if (is_blank(body)) return request;
  RETURN_IF_ERROR(read_vector_json(body, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
    if (name == "min_segments") return store(request.min_segments, read_json_u32(value, name));
    if (name == "remove_deleted") return store(request.remove_deleted, read_json_bool(value, name));
    return {};
  }));
  return request;
}

Result<bool> parse_optimize(BytesView body) {
  bool rebuild_graph = false;
  if (is_blank(body)) return rebuild_graph;
  RETURN_IF_ERROR(read_vector_json(body, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
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
  RETURN_IF_ERROR(take_search(search, [&](const VectorJsonField& field) { return read_vector_json(body, field); }));
  return search;
}

Result<std::deque<SearchBody>> parse_batch_search(BytesView body) {
  std::deque<SearchBody> queries;
  bool has_queries = false;
  const auto query = [&](size_t index, VectorJsonValue item) -> Result<void> {
    if (index == service::max_batch_queries) {
      return invalid(fmt::format("queries has more than {} queries", service::max_batch_queries));
    }
    const auto taken = take_search(
        queries.emplace_back(), [&](const VectorJsonField& field) { return read_json_fields(item, "a query", field); });
    if (!taken.ok()) return Error(taken.error().code(), fmt::format("query {}: {}", index, taken.error().message()));
    return {};
  };
  RETURN_IF_ERROR(read_vector_json(body, [&](std::string_view name, VectorJsonValue value) -> Result<void> {
    if (name != "queries") return {};
    has_queries = true;
    queries.clear();
    return read_json_items(value, name, query);
  }));
  if (!has_queries) return required("queries");
  return queries;
}

}  // namespace strata::rest
