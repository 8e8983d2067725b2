// The routes of tasks: what runs in the background, how far it is, and its end.
//
// Purpose:       /admin/tasks.
// Ownership:     static data.
// Thread safety: constant.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> task_routes();

}  // namespace strata::rest
