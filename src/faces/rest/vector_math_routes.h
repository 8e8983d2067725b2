// The operations on mathematics over vectors.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> vector_math_routes();

}  // namespace strata::rest
