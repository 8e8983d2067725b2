// What the handlers of a collection's operations have in common.
//
// Purpose:       an operation's row names on_collection<handler>: what is said first stands here once.
// Ownership:     nothing is kept.
// Thread safety: pure functions.
// Invariants:    a collection that does not exist is the first thing to say of a request, also of one that is wrong
//                otherwise.
#pragma once

#include "base/parse_number.h"
#include "faces/rest/namespace_handler.h"
#include "faces/rest/route.h"
#include "service/vectors.h"

namespace strata::rest {

inline constexpr uint64_t vector_body_limit_bytes = 64u << 20;

// Of operations on the collection of the parameter {collection}.
template <Handler handler>
Result<Response> on_collection(Services& services, Request& request) {
  Result<Response> result = handler(services, request);
  if (!result.ok() && http_status(result.error().code()) == 400) {
    const auto found = services.vectors->collection(context_of(request), request.param("collection"));
    if (!found.ok()) return found.error();
  }
  return result;
}

inline Result<uint64_t> vector_id_of(const Request& request) {
  const auto id = parse_number<uint64_t>(request.param("id"));
  if (!id) return Error(ErrorCode::invalid_argument, "the id of a vector is an integer from 1 to 18446744073709551615");
  return *id;
}

inline Response vector_success() { return Response::json(R"({"success":true})"); }

#define STRATA_VECTOR_SUCCESS R"({"type":"object","properties":{"success":{"type":"boolean"}}})"
#define STRATA_VECTOR_FLOATS R"({"type":"array","items":{"type":"number","format":"float"}})"
#define STRATA_VECTOR_IDS R"({"type":"array","items":{"type":"integer","format":"int64","minimum":0}})"
#define STRATA_VECTOR_METADATA                                                                \
  R"({"type":"object","additionalProperties":{"anyOf":[{"type":"string"},{"type":"number"},)" \
  R"({"type":"boolean"},{"type":"array","items":{"type":"string"}}]}})"

}  // namespace strata::rest
