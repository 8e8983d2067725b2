#include "faces/rest/transaction_routes.h"

#include <fmt/format.h>

#include "base/parse_number.h"
#include "faces/rest/json_document.h"
#include "faces/rest/namespace_handler.h"
#include "faces/rest/records_body.h"
#include "service/transactions.h"

namespace strata::rest {
namespace {

using service::ChangeKind;
using service::EntryType;

Response success() { return Response::json("{\"success\":true}"); }

Result<ChangeKind> parse_kind(std::string_view word) {
  if (word == "put") return ChangeKind::put;
  if (word == "update") return ChangeKind::update;
  if (word == "delete") return ChangeKind::remove;
  return Error(ErrorCode::invalid_argument, "operation must be put, update or delete");
}

Result<EntryType> parse_type(std::string_view word) {
  if (word == "kv") return EntryType::value;
  if (word == "row") return EntryType::row;
  if (word == "lob") return EntryType::object;
  return Error(ErrorCode::invalid_argument, "entryType must be kv, row or lob");
}

Result<Response> begin(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(request.body()));
  ASSIGN_OR_RETURN(const auto fields, json_fields<2>(object, {"operation", "entryType"}));
  service::BeginRequest wanted{.name_space = request.param("namespace")};
  ASSIGN_OR_RETURN(const std::string_view operation, json_string(fields[0], "operation"));
  ASSIGN_OR_RETURN(wanted.kind, parse_kind(operation));
  ASSIGN_OR_RETURN(const std::string_view type, json_string(fields[1], "entryType"));
  ASSIGN_OR_RETURN(wanted.type, parse_type(type));
  ASSIGN_OR_RETURN(const std::string id, services.transactions->begin(context_of(request), wanted));
  return Response::json("{\"txnId\":\"" + id + "\",\"success\":true}");
}

// An unknown transaction and one of another type are said before anything about the body.
template <EntryType type, Result<RecordsBody> (*parse)(BytesView body, bool removes)>
Result<Response> append(Services& services, Request& request) {
  const service::Context context = context_of(request);
  const BytesView name_space = request.param("namespace");
  const BytesView id = request.param("txnId");
  ASSIGN_OR_RETURN(const ChangeKind kind, services.transactions->kind_of(context, name_space, id, type));
  ASSIGN_OR_RETURN(const RecordsBody parsed, parse(request.body(), kind == ChangeKind::remove));
  RETURN_IF_ERROR(services.transactions->append(context, name_space, id, parsed.operations[0]));
  return success();
}

Result<std::optional<uint64_t>> offset_of(const Request& request) {
  const auto text = request.query("offset");
  if (!text) return std::optional<uint64_t>();
  const auto offset = parse_number<uint64_t>(*text);
  if (!offset) return Error(ErrorCode::invalid_argument, "offset must be a number of bytes");
  return offset;
}

Result<Response> append_object(Services& services, Request& request) {
  const service::Context context = context_of(request);
  const BytesView name_space = request.param("namespace");
  const BytesView id = request.param("txnId");
  ASSIGN_OR_RETURN(const ChangeKind kind, services.transactions->kind_of(context, name_space, id, EntryType::object));
  static_cast<void>(kind);
  const auto key = request.query("key");
  if (!key) return Error(ErrorCode::invalid_argument, "key is required: ?key=");
  ASSIGN_OR_RETURN(const auto offset, offset_of(request));
  ASSIGN_OR_RETURN(const uint64_t size,
                   services.transactions->append_object(context, name_space, id,
                                                        {.key = *key, .bytes = request.body(), .offset = offset}));
  return Response::json(fmt::format("{{\"success\":true,\"size\":{}}}", size));
}

Result<Response> commit(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto committed, services.transactions->commit(context_of(request), request.param("namespace"),
                                                                       request.param("txnId")));
  Response response;
  response.body = fmt::format("{{\"success\":true,\"checksum\":{}", committed.checksum);
  if (committed.version) {
    const std::string version = service::format_version(*committed.version);
    response.body += ",\"version\":\"" + version + "\"";
    response.add_header("X-Version", version);
  }
  response.body += "}";
  return response;
}

Result<Response> abort(Services& services, Request& request) {
  RETURN_IF_ERROR(
      services.transactions->abort(context_of(request), request.param("namespace"), request.param("txnId")));
  return success();
}

#define STRATA_SUCCESS_SCHEMA R"({"type":"object","properties":{"success":{"type":"boolean"}}})"
#define STRATA_COLUMNS_SCHEMA R"({"type":"object","additionalProperties":{"type":"string","format":"byte"}})"

constexpr Route rows[] = {
    {.method = Method::post,
     .path = "/api/v1/{namespace}/tx/begin",
     .operation = "beginTransaction",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Transactions",
     .summary = "Begin a transaction of several requests, of one type of entry",
     .request_schema = R"({"type":"object","required":["operation","entryType"],"properties":{)"
                       R"("operation":{"type":"string","enum":["put","update","delete"]},)"
                       R"("entryType":{"type":"string","enum":["kv","row","lob"]}}})",
     .response_schema = R"({"type":"object","properties":{"txnId":{"type":"string"},"success":{"type":"boolean"}}})",
     .error_statuses = "[404,429]",
     .handler = on_data<begin>},
    {.method = Method::post,
     .path = "/api/v1/{namespace}/tx/{txnId}/kv",
     .operation = "appendKv",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Transactions",
     .summary = "Add a value to a transaction of type kv; value may be absent in one that deletes",
     .request_schema = R"({"type":"object","required":["key"],"properties":{"key":{"type":"string"},)"
                       R"("value":{"type":"string","format":"byte"}}})",
     .response_schema = STRATA_SUCCESS_SCHEMA,
     .error_statuses = "[404,429]",
     .handler = on_data<append<EntryType::value, parse_staged_value>>},
    {.method = Method::post,
     .path = "/api/v1/{namespace}/tx/{txnId}/row",
     .operation = "appendRow",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Transactions",
     .summary = "Add columns of a row to a transaction of type row; one that deletes takes those named, or the row",
     .request_schema = R"({"type":"object","required":["rowKey"],"properties":{"rowKey":{"type":"string"},)"
                       R"("columns":)" STRATA_COLUMNS_SCHEMA R"(}})",
     .response_schema = STRATA_SUCCESS_SCHEMA,
     .error_statuses = "[404,429]",
     .handler = on_data<append<EntryType::row, parse_staged_row>>},
    {.method = Method::post,
     .path = "/api/v1/{namespace}/tx/{txnId}/lob",
     .operation = "appendLob",
     .permission = Permission::write,
     .body = BodyKind::bytes,
     .tag = "Transactions",
     .summary = "Add bytes to the end of a large object of a transaction of type lob",
     .parameters = R"([{"name":"key","in":"query","required":true,"schema":{"type":"string"}},)"
                   R"({"name":"offset","in":"query","schema":{"type":"integer"},"description":"Where the bytes )"
                   R"(belong: those that are there already are not added again; 409 on a gap"}])",
     .response_schema = R"({"type":"object","properties":{"success":{"type":"boolean"},"size":{"type":"integer"}}})",
     .error_statuses = "[404,409,429]",
     .handler = on_data<append_object>},
    {.method = Method::post,
     .path = "/api/v1/{namespace}/tx/{txnId}/commit",
     .operation = "commitTransaction",
     .permission = Permission::write,
     .tag = "Transactions",
     .summary = "Apply everything that was added, in one durable step",
     .response_schema = R"({"type":"object","properties":{"success":{"type":"boolean"},"checksum":{"type":"integer",)"
                        R"("description":"CRC-32 of all values in their order"},"version":{"type":"string"}}})",
     .error_statuses = "[404,409,429]",
     .handler = on_data<commit>},
    {.method = Method::post,
     .path = "/api/v1/{namespace}/tx/{txnId}/abort",
     .operation = "abortTransaction",
     .permission = Permission::write,
     .tag = "Transactions",
     .summary = "Drop a transaction and everything that was added",
     .response_schema = STRATA_SUCCESS_SCHEMA,
     .error_statuses = "[404,429]",
     .handler = on_data<abort>},
};

}  // namespace

std::span<const Route> transaction_routes() { return rows; }

}  // namespace strata::rest
