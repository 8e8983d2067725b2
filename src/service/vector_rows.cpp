#include "service/vector_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/vector_checks.h"
#include "service/vector_math.h"

namespace strata::service {
namespace {

constexpr size_t page_bytes = 4u << 20;
// Reads that are under way at once.
constexpr size_t reads_at_once = 128;

Result<void> check_size(uint64_t count, size_t dimension) {
  if (count <= max_math_bytes / sizeof(float) / dimension) return {};
  return Error(ErrorCode::payload_too_large,
               fmt::format("{} vectors of dimension {} are more than one computation takes", count, dimension));
}

}  // namespace

Result<vectors::Collection> find_vector_collection(const kv::Database& database, std::string_view name) {
  if (!vectors::validate_collection_name(name).ok()) return no_such_collection(name);
  ASSIGN_OR_RETURN(auto found, database.read([&](const kv::ReadTransaction& transaction) {
    return vectors::find_collection(transaction, name);
  }));
  if (!found) return no_such_collection(name);
  return *std::move(found);
}

Result<uint64_t> count_vectors(const kv::Database& database, const vectors::Collection& collection) {
  return database.read([&](const kv::ReadTransaction& transaction) -> Result<uint64_t> {
    ASSIGN_OR_RETURN(const auto counters, vectors::read_counters(transaction, collection));
    return counters.count;
  });
}

Result<VectorRows> load_vectors(const kv::Database& database, const vectors::Collection& collection,
                                std::span<const uint64_t> ids, const RowsCheck& check) {
  using vectors::VectorEntity;
  VectorRows loaded{.dimension = collection.options.dimension};
  RETURN_IF_ERROR(check_size(ids.size(), loaded.dimension));
  loaded.values.reserve(ids.size() * loaded.dimension);
  for (size_t begin = 0; begin < ids.size(); begin += reads_at_once) {
    RETURN_IF_ERROR(check());
    const auto some = ids.subspan(begin, std::min(reads_at_once, ids.size() - begin));
    const size_t before = loaded.values.size();
    RETURN_IF_ERROR(database.read([&](const kv::ReadTransaction& transaction) -> Result<void> {
      loaded.values.resize(before);
      std::vector<Future<std::optional<Bytes>>> reads;
      for (const uint64_t id : some) {
        reads.push_back(transaction.get(vectors::entity_key(collection.prefix, VectorEntity::vector, id)));
      }
      for (size_t i = 0; i < some.size(); ++i) {
        ASSIGN_OR_RETURN(const auto stored, reads[i].get());
        if (!stored) return no_such_vector(some[i]);
        ASSIGN_OR_RETURN(const auto values, vectors::finish_values(transaction, collection, some[i], *stored));
        loaded.values.insert(loaded.values.end(), values.begin(), values.end());
      }
      return {};
    }));
  }
  loaded.ids.assign(ids.begin(), ids.end());
  return loaded;
}

Result<void> visit_vectors(const kv::Database& database, const vectors::Collection& collection, const RowsCheck& check,
                           const std::function<Result<void>(const VectorRows& page)>& visit) {
  VectorRows page{.dimension = collection.options.dimension};
  for (uint64_t from = 0;;) {
    RETURN_IF_ERROR(check());
    ASSIGN_OR_RETURN(const auto rows, database.read([&](const kv::ReadTransaction& transaction) {
      return vectors::read_vectors_from(transaction, collection, from, page_bytes);
    }));
    if (rows.empty()) return {};
    page.ids.clear();
    page.values.clear();
    for (const vectors::StoredRow& row : rows) {
      page.ids.push_back(row.id);
      page.values.insert(page.values.end(), row.values.begin(), row.values.end());
    }
    RETURN_IF_ERROR(visit(page));
    if (page.ids.back() == UINT64_MAX) return {};
    from = page.ids.back() + 1;
  }
}

Result<VectorRows> load_all_vectors(const kv::Database& database, const vectors::Collection& collection,
                                    const RowsCheck& check) {
  VectorRows all{.dimension = collection.options.dimension};
  ASSIGN_OR_RETURN(const uint64_t count, count_vectors(database, collection));
  RETURN_IF_ERROR(check_size(count, all.dimension));
  all.values.reserve(count * all.dimension);
  RETURN_IF_ERROR(visit_vectors(database, collection, check, [&](const VectorRows& page) -> Result<void> {
    RETURN_IF_ERROR(check_size(all.ids.size() + page.ids.size(), all.dimension));
    all.ids.insert(all.ids.end(), page.ids.begin(), page.ids.end());
    all.values.insert(all.values.end(), page.values.begin(), page.values.end());
    return {};
  }));
  return all;
}

}  // namespace strata::service
