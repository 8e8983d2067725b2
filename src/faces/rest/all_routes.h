// Every table of routes of the server, in one list.
//
// Purpose:       what the program serves and the OpenAPI document describes; a new table is added here and nowhere
//                else.
// Ownership:     static data.
// Thread safety: constant.
#pragma once

#include <span>
#include <vector>

#include "faces/rest/route.h"

namespace strata::rest {

std::vector<std::span<const Route>> all_routes();

}  // namespace strata::rest
