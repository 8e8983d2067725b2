// What the handlers of a namespace's operations have in common.
//
// Purpose:       an operation's row names on_data<handler> or on_namespace<handler>; who calls, what is said first and
//                what every answer says stand here once.
// Ownership:     nothing is kept.
// Thread safety: pure functions.
// Invariants:    a namespace that does not exist is the first thing to say of a request, also of one that is wrong
//                otherwise. Every answer of a store that does not sync each commit says so, also an error.
#pragma once

#include "faces/rest/route.h"
#include "service/records.h"

namespace strata::rest {

inline service::Context context_of(const Request& request) {
  return {.caller = request.caller().name, .deadline_steady_us = request.deadline_steady_us()};
}

inline Result<Response> say_durability(const Services& services, Result<Response> result) {
  if (services.records->durability() != kv::Durability::async) return result;
  Response response = result.ok() ? *std::move(result) : error_response(result.error());
  response.add_header("X-Durability", "async");
  return response;
}

// Of operations on namespaces themselves.
template <Handler handler>
Result<Response> on_namespace(Services& services, Request& request) {
  return say_durability(services, handler(services, request));
}

// Of operations on what is in one: the parameter {namespace}.
template <Handler handler>
Result<Response> on_data(Services& services, Request& request) {
  Result<Response> result = handler(services, request);
  if (!result.ok() && http_status(result.error().code()) == 400) {
    auto exists = services.records->require_namespace(context_of(request), request.param("namespace"));
    if (!exists.ok()) result = std::move(exists).error();
  }
  return say_durability(services, std::move(result));
}

}  // namespace strata::rest
