// The operations on a replica itself: how far it is, and its promotion.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> replica_routes();

}  // namespace strata::rest
