// The routes of garbage collection, at once or as a task.
//
// Purpose:       /admin/gc and /admin/tasks/gc.
// Ownership:     static data.
// Thread safety: constant.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> file_collection_routes();

}  // namespace strata::rest
