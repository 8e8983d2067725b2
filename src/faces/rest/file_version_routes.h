// The routes of versions: snapshots, forks, restoring, the history of a file.
//
// Purpose:       /version, and /admin/snapshots.
// Ownership:     static data.
// Thread safety: constant.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> file_version_routes();

}  // namespace strata::rest
