// The table of the operations on transactions that span several requests.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> transaction_routes();

}  // namespace strata::rest
