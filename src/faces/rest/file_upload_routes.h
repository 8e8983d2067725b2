// The routes of uploads whose chunks the client has cut and named.
//
// Purpose:       /upload.
// Ownership:     static data.
// Thread safety: constant.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> file_upload_routes();

}  // namespace strata::rest
