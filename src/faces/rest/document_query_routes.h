// The table of the operations that search documents, and of indexes.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> document_query_routes();

}  // namespace strata::rest
