// The operations on tables of documents: list, make, show, drop.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> document_table_routes();

}  // namespace strata::rest
