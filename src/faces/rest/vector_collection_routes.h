// The operations on collections of vectors, and what keeps them in order.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> vector_collection_routes();

}  // namespace strata::rest
