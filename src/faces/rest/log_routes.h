// The routes of the log: where it ends, its records, and the list of namespaces.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> log_routes();

}  // namespace strata::rest
