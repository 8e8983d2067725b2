#include "layers/records/namespaces.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace strata::records {
namespace {

constexpr char format = 1;
constexpr size_t row_bytes = 1 + 8 + 8;

// Words that other models use in the place of a namespace: /api/v1/collections is the vector model's.
constexpr std::array<std::string_view, 9> reserved_names = {"tables",       "collections", "search",  "math",   "batch",
                                                            "transactions", "backup",      "restore", "backups"};

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

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

// Serializable: two that make namespaces at the same time do not get the same number.
Result<int64_t> take_next_id(kv::Transaction& transaction) {
  const Bytes key = next_id_key();
  ASSIGN_OR_RETURN(const auto stored, transaction.get(key).get());
  if (stored && stored->size() != 8) return Error(ErrorCode::corruption, "the counter of namespaces is broken");
  const uint64_t id = stored ? read_le64(*stored) : 1;
  Bytes next;
  append_le64(next, id + 1);
  transaction.set(key, next);
  return static_cast<int64_t>(id);
}

}  // namespace

Result<void> validate_namespace_name(std::string_view name) {
  const auto is_legal = [](char c) { return is_word(c) || c == '.' || c == '-'; };
  if (name.empty() || name.size() > max_namespace_name_bytes || !is_word(name[0]) ||
      !std::all_of(name.begin(), name.end(), is_legal)) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("invalid namespace name: 1 to {} letters, digits, '.', '_' and '-', beginning with a "
                             "letter, a digit or '_'",
                             max_namespace_name_bytes));
  }
  if (std::find(reserved_names.begin(), reserved_names.end(), name) != reserved_names.end()) {
    return Error(ErrorCode::invalid_argument, fmt::format("invalid namespace name: {} is reserved", name));
  }
  return {};
}

Result<std::optional<Namespace>> find_namespace(const kv::ReadTransaction& transaction, std::string_view name) {
  // No name that is longer was ever made, and its key might not fit the engine.
  if (name.empty() || name.size() > max_namespace_name_bytes) return std::optional<Namespace>();
  ASSIGN_OR_RETURN(const auto row, transaction.get(registry_key(name)).get());
  if (!row) return std::optional<Namespace>();
  ASSIGN_OR_RETURN(const int64_t id, decode_row(*row));
  return std::optional<Namespace>(make_namespace(id));
}

Result<EnsuredNamespace> ensure_namespace(kv::Transaction& transaction, std::string_view name, int64_t wall_us) {
  RETURN_IF_ERROR(validate_namespace_name(name));
  ASSIGN_OR_RETURN(auto found, find_namespace(transaction, name));
  if (found) return EnsuredNamespace{*std::move(found), false};
  ASSIGN_OR_RETURN(const int64_t id, take_next_id(transaction));
  transaction.set(registry_key(name), encode_row(id, wall_us));
  return EnsuredNamespace{make_namespace(id), true};
}

Result<bool> remove_namespace(kv::Transaction& transaction, std::string_view name) {
  ASSIGN_OR_RETURN(const auto found, find_namespace(transaction, name));
  if (!found) return false;
  transaction.clear(registry_key(name));
  transaction.clear_prefix(found->prefix);
  return true;
}

}  // namespace strata::records
