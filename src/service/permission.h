// Permission: what an operation asks of its caller, and what a caller has.
//
// Purpose:       the tables of all faces name it, their dispatchers compare it.
// Ownership:     views of the keys' names.
// Thread safety: values.
#pragma once

#include <cstdint>
#include <string_view>

namespace strata::service {

enum class Permission : uint8_t { none, read, write, admin };

// Who calls. `name` is empty for an anonymous caller (no keys are configured, or the operation is open).
struct Caller {
  std::string_view name;
  Permission permission = Permission::none;
};

}  // namespace strata::service
