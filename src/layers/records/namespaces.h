// Namespaces: the registry of names, and the numbers that keys carry instead of them.
//
// Purpose:       a name is found, made and removed in the transaction of the data it guards.
// Ownership:     values.
// Thread safety: as the transaction that is passed.
// Invariants:    a number is given out once and never again, so data found under it belongs to the namespace that the
//                number was made for, also after that name was removed and made anew.
#pragma once

#include <optional>

#include "kv/transaction.h"
#include "layers/records/keys.h"

namespace strata::records {

inline constexpr std::string_view default_namespace = "default";
inline constexpr size_t max_namespace_name_bytes = 128;

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

}  // namespace strata::records
