#include "layers/vectors/collections.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace strata::vectors {
namespace {

constexpr char format = 1;
constexpr size_t row_bytes = 1 + 8 + 8 + 8 + 4 + 1 + 4 + 8 + 1 + 4 + 4 + 1;
constexpr std::array<std::string_view, 4> metric_names = {"cosine", "euclidean", "dot_product", "manhattan"};

Error broken() { return Error(ErrorCode::corruption, "the row of a collection is broken"); }

Bytes encode(const Collection& collection) {
  const CollectionOptions& options = collection.options;
  Bytes row(1, format);
  append_le64(row, static_cast<uint64_t>(collection.number));
  append_le64(row, static_cast<uint64_t>(collection.created_us));
  append_le64(row, collection.nonce);
  append_le32(row, options.dimension);
  row.push_back(static_cast<char>(options.metric));
  append_le32(row, std::bit_cast<uint32_t>(options.default_threshold));
  append_le64(row, options.max_vectors);
  row.push_back(options.quantized ? '\1' : '\0');
  append_le32(row, options.m);
  append_le32(row, options.ef_construction);
  row.push_back(static_cast<char>(options.mode));
  return row;
}

Result<Collection> decode(std::string_view name, BytesView row) {
  if (row.size() != row_bytes || row[0] != format) return broken();
  Collection collection{.name = std::string(name)};
  collection.number = static_cast<int64_t>(read_le64(row.substr(1)));
  collection.created_us = static_cast<int64_t>(read_le64(row.substr(9)));
  collection.nonce = read_le64(row.substr(17));
  CollectionOptions& options = collection.options;
  options.dimension = read_le32(row.substr(25));
  options.metric = static_cast<Metric>(static_cast<uint8_t>(row[29]));
  options.default_threshold = std::bit_cast<float>(read_le32(row.substr(30)));
  options.max_vectors = read_le64(row.substr(34));
  options.quantized = row[42] == 1;
  options.m = read_le32(row.substr(43));
  options.ef_construction = read_le32(row.substr(47));
  options.mode = static_cast<uint8_t>(row[51]);
  if (collection.number <= 0 || static_cast<uint8_t>(row[42]) > 1 || !validate_collection_options(options).ok()) {
    return broken();
  }
  collection.prefix = collection_names.prefix(collection.number);
  return collection;
}

}  // namespace

std::string_view metric_name(Metric metric) { return metric_names[static_cast<size_t>(metric)]; }

std::optional<Metric> parse_metric(std::string_view name) {
  const auto found = std::ranges::find(metric_names, name);
  if (found == metric_names.end()) return std::nullopt;
  return static_cast<Metric>(found - metric_names.begin());
}

Result<void> validate_collection_name(std::string_view name) {
  RETURN_IF_ERROR(collection_names.validate(name));
  if (name.find('.') != name.npos) {
    return Error(ErrorCode::invalid_argument, "invalid collection name: letters, digits, '_' and '-' only");
  }
  return {};
}

Result<void> validate_collection_options(const CollectionOptions& options) {
  if (options.dimension == 0 || options.dimension > hnsw::max_dimension) {
    return Error(ErrorCode::invalid_argument, fmt::format("dimension must be 1 to {}", hnsw::max_dimension));
  }
  if (static_cast<size_t>(options.metric) >= metric_names.size()) {
    return Error(ErrorCode::invalid_argument, "unknown distance metric");
  }
  if (!std::isfinite(options.default_threshold)) {
    return Error(ErrorCode::invalid_argument, "default_threshold must be a finite number");
  }
  if (options.m < hnsw::min_m || options.m > hnsw::max_m) {
    return Error(ErrorCode::invalid_argument, fmt::format("m must be {} to {}", hnsw::min_m, hnsw::max_m));
  }
  if (options.ef_construction < 1 || options.ef_construction > hnsw::max_ef_construction) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("ef_construction must be 1 to {}", hnsw::max_ef_construction));
  }
  if (options.mode > 2) return Error(ErrorCode::invalid_argument, "unknown collection mode");
  return {};
}

Result<std::optional<Collection>> find_collection(const kv::ReadTransaction& transaction, std::string_view name) {
  if (!collection_names.may_exist(name)) return std::optional<Collection>();
  ASSIGN_OR_RETURN(const auto row, transaction.get(collection_names.name_key(name)).get());
  if (!row) return std::optional<Collection>();
  ASSIGN_OR_RETURN(Collection collection, decode(name, *row));
  return std::optional<Collection>(std::move(collection));
}

bool is_row_of(const Collection& collection, BytesView row) {
  return row.size() == row_bytes && row[0] == format &&
         read_le64(row.substr(1)) == static_cast<uint64_t>(collection.number);
}

Result<std::optional<Collection>> make_collection(kv::Transaction& transaction, std::string_view name,
                                                  const CollectionOptions& options, int64_t wall_us, uint64_t nonce) {
  ASSIGN_OR_RETURN(const auto found, find_collection(transaction, name));
  if (found) return std::optional<Collection>();
  Collection collection{.name = std::string(name), .created_us = wall_us, .nonce = nonce, .options = options};
  ASSIGN_OR_RETURN(collection.number, collection_names.take_number(transaction));
  collection.prefix = collection_names.prefix(collection.number);
  transaction.set(collection_names.name_key(name), encode(collection));
  return std::optional<Collection>(std::move(collection));
}

Result<bool> set_default_threshold(kv::Transaction& transaction, const Collection& collection, float threshold) {
  ASSIGN_OR_RETURN(auto found, find_collection(transaction, collection.name));
  if (!found || found->number != collection.number) return false;
  found->options.default_threshold = threshold;
  transaction.set(collection_names.name_key(collection.name), encode(*found));
  return true;
}

Result<std::optional<Collection>> drop_collection(kv::Transaction& transaction, std::string_view name) {
  ASSIGN_OR_RETURN(auto found, find_collection(transaction, name));
  if (!found) return std::optional<Collection>();
  transaction.clear(collection_names.name_key(name));
  transaction.clear_prefix(found->prefix);
  return found;
}

Result<std::vector<Collection>> list_collections(const kv::ReadTransaction& transaction, std::string_view after,
                                                 size_t limit) {
  std::vector<Collection> collections;
  kv::RangeIterator rows(transaction, collection_names.names_begin(after), collection_names.names_end(),
                         {.limit = static_cast<int>(limit)});
  while (rows.next()) {
    ASSIGN_OR_RETURN(const Bytes name, collection_names.parse_name_key(rows.key()));
    ASSIGN_OR_RETURN(Collection collection, decode(name, rows.value()));
    collections.push_back(std::move(collection));
  }
  RETURN_IF_ERROR(rows.status());
  return collections;
}

}  // namespace strata::vectors
