#include "layers/records/namespaces.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/hex.h"

namespace strata::records {
namespace {

constexpr char format = 1;
constexpr size_t row_bytes = 1 + 8 + 8;

// Words that other models use in the place of a namespace: /api/v1/collections is the vector model's.
constexpr std::array<std::string_view, 9> reserved_names = {"tables",       "collections", "search",  "math",   "batch",
                                                            "transactions", "backup",      "restore", "backups"};

Bytes encode_row(int64_t id, int64_t created_us) {
  Bytes row(1, format);
  append_le64(row, static_cast<uint64_t>(id));
  append_le64(row, static_cast<uint64_t>(created_us));
  return row;
}

Result<int64_t> decode_row(BytesView row) {
  if (row.size() != row_bytes || row[0] != format) {
    return Error(ErrorCode::corruption, "a row of the registry of namespaces is broken");
  }
  const auto id = static_cast<int64_t>(read_le64(row.substr(1)));
  if (id <= 0) return Error(ErrorCode::corruption, "a row of the registry of namespaces holds an impossible number");
  return id;
}

}  // namespace

Result<void> validate_namespace_name(std::string_view name) {
  RETURN_IF_ERROR(namespace_names.validate(name));
  if (std::find(reserved_names.begin(), reserved_names.end(), name) != reserved_names.end()) {
    return Error(ErrorCode::invalid_argument, fmt::format("invalid namespace name: {} is reserved", name));
  }
  return {};
}

Result<std::optional<Namespace>> find_namespace(const kv::ReadTransaction& transaction, std::string_view name) {
  if (!namespace_names.may_exist(name)) return std::optional<Namespace>();
  ASSIGN_OR_RETURN(const auto row, transaction.get(namespace_names.name_key(name)).get());
  if (!row) return std::optional<Namespace>();
  ASSIGN_OR_RETURN(const int64_t id, decode_row(*row));
  return std::optional<Namespace>(make_namespace(id));
}

Result<EnsuredNamespace> ensure_namespace(kv::Transaction& transaction, std::string_view name, int64_t wall_us) {
  RETURN_IF_ERROR(validate_namespace_name(name));
  ASSIGN_OR_RETURN(auto found, find_namespace(transaction, name));
  if (found) return EnsuredNamespace{*std::move(found), false};
  ASSIGN_OR_RETURN(const int64_t id, namespace_names.take_number(transaction));
  transaction.set(namespace_names.name_key(name), encode_row(id, wall_us));
  return EnsuredNamespace{make_namespace(id), true};
}

Result<bool> remove_namespace(kv::Transaction& transaction, std::string_view name) {
  ASSIGN_OR_RETURN(const auto found, find_namespace(transaction, name));
  if (!found) return false;
  transaction.clear(namespace_names.name_key(name));
  transaction.clear_prefix(found->prefix);
  return true;
}

Result<std::vector<NamedNamespace>> list_namespaces(const kv::ReadTransaction& transaction, std::string_view after,
                                                    size_t limit) {
  std::vector<NamedNamespace> found;
  kv::RangeIterator rows(transaction, namespace_names.names_begin(after), namespace_names.names_end(),
                         {.limit = static_cast<int>(limit)});
  while (rows.next()) {
    ASSIGN_OR_RETURN(Bytes name, namespace_names.parse_name_key(rows.key()));
    ASSIGN_OR_RETURN(const int64_t id, decode_row(rows.value()));
    found.push_back({std::move(name), make_namespace(id)});
  }
  RETURN_IF_ERROR(rows.status());
  return found;
}

Result<Bytes> ensure_store_id(kv::Transaction& transaction, BytesView random) {
  STRATA_ASSERT(random.size() == store_id_bytes);
  ASSIGN_OR_RETURN(auto stored, transaction.get(store_id_key()).get());
  if (stored) {
    if (stored->size() != store_id_bytes) return Error(ErrorCode::corruption, "the id of the store is broken");
    return *std::move(stored);
  }
  transaction.set(store_id_key(), random);
  return Bytes(random);
}

std::string format_log_id(BytesView store_id, const Namespace& space) {
  return fmt::format("{}-{}", to_hex(store_id), space.id);
}

Result<Namespace> begin_hidden_namespace(kv::Transaction& transaction, int64_t wall_us) {
  ASSIGN_OR_RETURN(const int64_t id, namespace_names.take_number(transaction));
  transaction.set(hidden_namespace_key(id), encode_row(id, wall_us));
  return make_namespace(id);
}

Result<std::vector<Namespace>> list_hidden_namespaces(const kv::ReadTransaction& transaction) {
  const Bytes prefix = hidden_namespaces_prefix();
  std::vector<Namespace> found;
  kv::RangeIterator rows(transaction, prefix, *prefix_end(prefix), {.mode = kv::StreamingMode::want_all});
  while (rows.next()) {
    ASSIGN_OR_RETURN(const int64_t id, decode_row(rows.value()));
    if (rows.key() != hidden_namespace_key(id)) {
      return Error(ErrorCode::corruption, "a row of the list of unfinished namespaces is broken");
    }
    found.push_back(make_namespace(id));
  }
  RETURN_IF_ERROR(rows.status());
  return found;
}

Result<void> drop_hidden_namespace(kv::Transaction& transaction, const Namespace& hidden) {
  ASSIGN_OR_RETURN(const auto row, transaction.get(hidden_namespace_key(hidden.id)).get());
  if (!row) return {};
  transaction.clear(hidden_namespace_key(hidden.id));
  transaction.clear_prefix(hidden.prefix);
  return {};
}

Result<std::optional<Namespace>> reveal_namespace(kv::Transaction& transaction, const Namespace& hidden,
                                                  std::string_view name, int64_t wall_us) {
  RETURN_IF_ERROR(validate_namespace_name(name));
  ASSIGN_OR_RETURN(const auto row, transaction.get(hidden_namespace_key(hidden.id)).get());
  if (!row) return Error(ErrorCode::not_found, "the namespace that was being filled is gone");
  ASSIGN_OR_RETURN(const auto before, find_namespace(transaction, name));
  if (before) transaction.clear_prefix(before->prefix);
  transaction.set(namespace_names.name_key(name), encode_row(hidden.id, wall_us));
  transaction.clear(hidden_namespace_key(hidden.id));
  return before;
}

Result<bool> is_empty(const kv::ReadTransaction& transaction, const Namespace& space) {
  const auto end = prefix_end(space.prefix);
  STRATA_ASSERT(end.has_value());
  const kv::RangeOptions options{.limit = 1, .mode = kv::StreamingMode::exact};
  ASSIGN_OR_RETURN(const kv::RangePage page, transaction.get_range(space.prefix, *end, options).get());
  return page.rows.empty();
}

}  // namespace strata::records
