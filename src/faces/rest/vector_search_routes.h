// The operations on search.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> vector_search_routes();

}  // namespace strata::rest
