// Routes of archives: versions of files as .aeordb files.
//
// Purpose:       /admin/export, /admin/diff, /admin/import, /admin/promote.
// Ownership:     static rows.
// Thread safety: pure.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> file_archive_routes();

}  // namespace strata::rest
