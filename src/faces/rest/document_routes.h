// The operations on documents: batches, optimistic transactions, merge, scan and lookup.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> document_routes();

}  // namespace strata::rest
