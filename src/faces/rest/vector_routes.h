// The operations on vectors: one by one and in bulk.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> vector_routes();

}  // namespace strata::rest
