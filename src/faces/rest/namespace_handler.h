// What the handlers of a namespace's operations have in common.
//
// Purpose:       an operation's row names on_data<handler>; who calls and what is said first stand here once.
// Ownership:     nothing is kept.
// Thread safety: pure functions.
// Invariants:    a namespace that does not exist is the first thing to say of a request, also of one that is wrong
//                otherwise.
#pragma once

#include "faces/rest/route.h"
#include "service/records.h"

namespace strata::rest {

inline service::Context context_of(const Request& request) {
  return {.caller = request.caller().name, .deadline_steady_us = request.deadline_steady_us()};
}

// Of operations on what is in one: the parameter {namespace}.
template <Handler handler>
Result<Response> on_data(Services& services, Request& request) {
  Result<Response> result = handler(services, request);
  if (!result.ok() && http_status(result.error().code()) == 400) {
    RETURN_IF_ERROR(services.records->require_namespace(context_of(request), request.param("namespace")));
  }
  return result;
}

}  // namespace strata::rest
