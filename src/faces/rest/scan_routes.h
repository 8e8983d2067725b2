// The routes that list what a namespace holds.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> scan_routes();

}  // namespace strata::rest
