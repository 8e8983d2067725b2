// The table of the operations on large objects.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> object_routes();

}  // namespace strata::rest
