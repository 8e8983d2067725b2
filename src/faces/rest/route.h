// Route: one row of a face's table, one operation.
//
// Purpose:       everything the dispatcher must know and enforce about an operation stands in its row; the OpenAPI
//                document is generated from the same rows.
// Ownership:     rows are static data; every view is of a literal.
// Thread safety: constant.
// Invariants:    within one verb no two rows match the same paths with the same shape; operation ids are unique over
//                all tables (Dispatcher asserts both at start).
//
// A table:
//   const Route rows[] = {
//       {.method = Method::get, .path = "/api/v1/{namespace}/kv/{key}", .operation = "getKv",
//        .permission = Permission::read, .tag = "Key-value", .summary = "Read a value",
//        .response_schema = R"({"type":"object","properties":{"value":{"type":"string","format":"byte"}}})",
//        .handler = get_kv},
//       ...};
//   std::span<const Route> records_routes() { return rows; }
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "faces/rest/request.h"
#include "faces/rest/response.h"
#include "faces/rest/services.h"

namespace strata::rest {

enum class BodyKind : uint8_t {
  none,  // a body, where one comes, is refused with 413 above body_limit_bytes and else ignored
  json,  // read whole into Request::body(); the handler parses it. Any Content-Type is accepted: curl -d sends a form's
  bytes,   // read whole into Request::body()
  stream,  // Request::body_reader()
};

// Errors become {"error": message} with error.h's status. Never throws.
using Handler = Result<Response> (*)(Services& services, Request& request);

struct Route {
  Method method = Method::get;
  // Segments are literals, {name}, or a last {name*} that takes the rest of the path, slashes included. {name} takes
  // one segment, not an empty one. Literals win over parameters.
  std::string_view path;
  // Where it is served as well, with the same parameters; empty: nowhere else. The OpenAPI document leaves it out.
  std::string_view also_at = {};
  // Unique, camelCase: operationId and the label of the operation's metrics.
  std::string_view operation;
  Permission permission = Permission::read;
  // What needs more than the permission to read is refused by a server that follows a leader, but for these.
  bool on_replica = false;
  // Errors are {"error": message, "code": status}, as clients of the vector API read them.
  bool coded_errors = false;
  BodyKind body = BodyKind::none;
  // Of the unpacked body. Exactly this many bytes are accepted.
  uint64_t body_limit_bytes = 1'048'576;
  // Answer within; the request's cancellation is requested then. 0: the server's default, -1: never (streams).
  int64_t timeout_ms = 0;
  std::string_view tag;
  std::string_view summary;
  // OpenAPI snippets, JSON text. parameters: an array of parameter objects for query and headers (path parameters are
  // generated). Schemas: a schema object.
  std::string_view parameters;
  std::string_view request_schema;
  std::string_view response_schema;
  int success_status = 200;
  std::string_view response_type = json_type;
  // Error statuses besides those every operation has, as a JSON array: "[404,409]".
  std::string_view error_statuses;
  Handler handler = nullptr;
};

}  // namespace strata::rest
