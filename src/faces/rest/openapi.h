// The OpenAPI 3.0 document of the tables of routes.
//
// Purpose:       the description clients generate code from, made of the rows that the dispatcher enforces, so that it
//                cannot say something else.
// Thread safety: pure function.
// Invariants:    the same rows give the same bytes: paths in order, verbs in order.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "faces/rest/route.h"

namespace strata::rest {

std::string openapi_document(std::span<const Route* const> routes, std::string_view version);

}  // namespace strata::rest
