// The routes of namespaces, values and rows.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> records_routes();

}  // namespace strata::rest
