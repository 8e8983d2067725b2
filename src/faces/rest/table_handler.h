// What the handlers of a document table's operations have in common.
//
// Purpose:       an operation's row names on_table<handler>; what is said first stands here once.
// Ownership:     nothing is kept.
// Thread safety: pure functions.
// Invariants:    a table that does not exist is the first thing to say of a request, also of one that is wrong
//                otherwise.
#pragma once

#include "faces/rest/namespace_handler.h"
#include "service/documents.h"

namespace strata::rest {

// Of operations on one: the parameter {tableName}.
template <Handler handler>
Result<Response> on_table(Services& services, Request& request) {
  Result<Response> result = handler(services, request);
  if (!result.ok() && http_status(result.error().code()) == 400) {
    RETURN_IF_ERROR(services.documents->require_table(context_of(request), request.param("tableName")));
  }
  return result;
}

}  // namespace strata::rest
