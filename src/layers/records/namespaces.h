// Namespaces: the registry of names, and the numbers that keys carry instead of them.
//
// Purpose:       a name is found, made and removed in the transaction of the data it guards.
// Ownership:     values.
// Thread safety: as the transaction that is passed.
// Invariants:    a number is given out once and never again, so data found under it belongs to the namespace that the
//                number was made for, also after that name was removed and made anew.
#pragma once

#include <optional>
#include <vector>

#include "kv/transaction.h"
#include "layers/records/keys.h"

namespace strata::records {

inline constexpr std::string_view default_namespace = "default";

// Names that can be made: letters, digits, '.', '_' and '-', the first a letter, digit or '_'; none of the reserved
// ones. The first character is restricted because a namespace's backups lie in a directory of its name.
Result<void> validate_namespace_name(std::string_view name);

Result<std::optional<Namespace>> find_namespace(const kv::ReadTransaction& transaction, std::string_view name);
struct EnsuredNamespace {
  Namespace space;
  bool created = false;
};
Result<EnsuredNamespace> ensure_namespace(kv::Transaction& transaction, std::string_view name, int64_t wall_us);
// Removes the name and everything stored under its number; false when there was none. A writer that runs at the same
// time has read the name's row, so one of the two conflicts.
Result<bool> remove_namespace(kv::Transaction& transaction, std::string_view name);

struct NamedNamespace {
  std::string name;
  Namespace space;
};
// Those whose names come behind `after`, by name, at most `limit`.
Result<std::vector<NamedNamespace>> list_namespaces(const kv::ReadTransaction& transaction, std::string_view after,
                                                    size_t limit);

// The store's own id: 16 random bytes, made by the first who asks.
inline constexpr size_t store_id_bytes = 16;
Result<Bytes> ensure_store_id(kv::Transaction& transaction, BytesView random);
// "<store id in hexadecimal>-<number of the namespace>": no other log has it, also not that of a namespace of the same
// name that is made later.
std::string format_log_id(BytesView store_id, const Namespace& space);

// A namespace without a name, to be filled by many transactions before anybody sees it. It stands in a list of its own,
// so that one that is never finished is found again.
Result<Namespace> begin_hidden_namespace(kv::Transaction& transaction, int64_t wall_us);
Result<std::vector<Namespace>> list_hidden_namespaces(const kv::ReadTransaction& transaction);
// Everything that is stored in it, and its place in the list.
// Nothing happens to one that has its name by now: whoever was not told of that must not undo it.
Result<void> drop_hidden_namespace(kv::Transaction& transaction, const Namespace& hidden);
// Points the name at it and takes it off the list. What had the name before is removed with all its data, and returned.
// not_found: it is not in the list any more.
Result<std::optional<Namespace>> reveal_namespace(kv::Transaction& transaction, const Namespace& hidden,
                                                  std::string_view name, int64_t wall_us);
// No data of any kind, and no log either.
Result<bool> is_empty(const kv::ReadTransaction& transaction, const Namespace& space);

}  // namespace strata::records
