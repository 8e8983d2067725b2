// The routes of versioned files: put, read, list, delete, symlinks.
//
// Purpose:       /engine and /engine-symlink.
// Ownership:     static data.
// Thread safety: constant.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> file_routes();

}  // namespace strata::rest
