// The operations on the virtual graph.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> vector_graph_routes();

}  // namespace strata::rest
