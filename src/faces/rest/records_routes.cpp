#include "faces/rest/records_routes.h"

#include <simdjson.h>

#include <algorithm>

#include "base/base64.h"
#include "faces/rest/namespace_handler.h"
#include "faces/rest/records_body.h"
#include "service/records.h"

namespace strata::rest {
namespace {

using service::Column;
using service::Operation;
using service::OperationType;

Response success() { return Response::json("{\"success\":true}"); }

Response processed(size_t count) {
  return Response::json("{\"success\":true,\"processed\":" + std::to_string(count) + "}");
}

// If-Match: a version as X-Version gave it, also in an entity tag's quotes, or *.
std::optional<std::string_view> expected_version(const Request& request) {
  std::optional<std::string_view> version = request.header("if-match");
  if (version && version->size() >= 2 && version->front() == '"' && version->back() == '"') {
    version = version->substr(1, version->size() - 2);
  }
  return version;
}

Result<void> write(Services& services, const Request& request, std::span<const Operation> operations) {
  return services.records->write(context_of(request),
                                 {.name_space = request.param("namespace"), .operations = operations});
}

Result<void> write_value(Services& services, const Request& request, const Operation& operation) {
  return services.records->write(context_of(request), {.name_space = request.param("namespace"),
                                                       .operations = std::span(&operation, 1),
                                                       .expected_version = expected_version(request)});
}

Result<Response> put_value(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const RecordsBody parsed, parse_put_value(request.param("key"), request.body()));
  RETURN_IF_ERROR(write_value(services, request, parsed.operations[0]));
  return success();
}

Result<Response> get_value(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto stored,
                   services.records->read_value(context_of(request), request.param("namespace"), request.param("key")));
  if (!stored) return Response::json("{\"value\":\"\",\"found\":false}", 404);
  static constexpr std::string_view before = "{\"value\":\"";
  static constexpr std::string_view after = "\",\"found\":true}";
  const BytesView value = stored->value();
  Bytes body;
  body.reserve(before.size() + base64_encoded_size(value.size()) + after.size());
  body.append(before);
  append_base64(body, value);
  body.append(after);
  Response response = Response::json(std::move(body));
  response.add_header("X-Version", service::format_version(stored->stamp()));
  return response;
}

Result<Response> delete_value(Services& services, Request& request) {
  const Operation operation{.type = OperationType::delete_value, .key = request.param("key")};
  RETURN_IF_ERROR(write_value(services, request, operation));
  return success();
}

Result<Response> batch_values(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const RecordsBody parsed, parse_value_batch(request.body()));
  RETURN_IF_ERROR(write(services, request, parsed.operations));
  return processed(parsed.operations.size());
}

Result<Response> put_row(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const RecordsBody parsed, parse_put_row(request.param("rowKey"), request.body()));
  RETURN_IF_ERROR(write(services, request, parsed.operations));
  return success();
}

bool is_utf8(BytesView bytes) { return simdjson::validate_utf8(bytes.data(), bytes.size()); }

// "rowKey" is text and shows U+FFFD for what is not UTF-8; such a key follows once more, exactly.
void append_row_key(Bytes& body, BytesView row_key) {
  body += "\"rowKey\":";
  append_json_string(body, row_key);
  if (is_utf8(row_key)) return;
  body += ",\"rowKeyBase64\":\"";
  append_base64(body, row_key);
  body.push_back('"');
}

// The names of every ?columns=a,b, empty ones left out. False: the parameter is absent or empty throughout.
bool query_columns(const Request& request, std::vector<BytesView>& names) {
  bool given = false;
  for (const Parameter& parameter : request.query_parameters()) {
    if (parameter.name != "columns") continue;
    given = given || !parameter.value.empty();
    for (BytesView rest = parameter.value; !rest.empty();) {
      const BytesView name = rest.substr(0, rest.find(','));
      if (!name.empty()) names.push_back(name);
      rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    }
  }
  return given;
}

Result<Response> get_row(Services& services, Request& request) {
  std::vector<BytesView> names;
  service::ReadRowRequest read{.name_space = request.param("namespace"), .row_key = request.param("rowKey")};
  if (query_columns(request, names)) read.columns = names;
  ASSIGN_OR_RETURN(const auto row, services.records->read_row(context_of(request), read));
  Bytes body = "{";
  append_row_key(body, read.row_key);
  body += ",\"columns\":{";
  if (!row) return Response::json(body + "},\"found\":false}", 404);
  const char* separator = "";
  for (const auto& column : row->columns) {
    body += separator;
    append_json_string(body, column.name);
    body += ":\"";
    append_base64(body, column.value);
    body.push_back('"');
    separator = ",";
  }
  body += "},\"found\":true}";
  Response response = Response::json(std::move(body));
  response.add_header("X-Version", service::format_version(row->stamp));
  return response;
}

Result<Response> delete_row(Services& services, Request& request) {
  const Operation operation{.type = OperationType::delete_row, .key = request.param("rowKey")};
  RETURN_IF_ERROR(write(services, request, std::span(&operation, 1)));
  return success();
}

Result<Response> delete_columns(Services& services, Request& request) {
  std::vector<BytesView> names;
  query_columns(request, names);
  Arena arena;
  Operation operation{.type = OperationType::delete_columns, .key = request.param("rowKey")};
  for (const BytesView name : names) operation.columns.push_back({.name = name});
  RETURN_IF_ERROR(parse_column_names(request.body(), arena, operation.columns));
  if (operation.columns.empty()) {
    return Error(ErrorCode::invalid_argument, "columns is required: ?columns=a,b or {\"columns\":{\"a\":\"\"}}");
  }
  RETURN_IF_ERROR(write(services, request, std::span(&operation, 1)));
  return success();
}

Result<Response> batch_rows(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const RecordsBody parsed, parse_row_batch(request.body()));
  RETURN_IF_ERROR(write(services, request, parsed.operations));
  return processed(parsed.operations.size());
}

Result<Response> put_namespace(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const bool created,
                   services.records->ensure_namespace(context_of(request), request.param("namespace")));
  Response response = success();
  if (created) response.status = 201;
  return response;
}

Result<Response> delete_namespace(Services& services, Request& request) {
  RETURN_IF_ERROR(services.records->remove_namespace(context_of(request), request.param("namespace")));
  return success();
}

#define STRATA_SUCCESS_SCHEMA R"({"type":"object","properties":{"success":{"type":"boolean"}}})"
#define STRATA_PROCESSED_SCHEMA \
  R"({"type":"object","properties":{"success":{"type":"boolean"},"processed":{"type":"integer"}}})"
#define STRATA_COLUMNS_SCHEMA R"({"type":"object","additionalProperties":{"type":"string","format":"byte"}})"
#define STRATA_IF_MATCH                                              \
  R"([{"name":"If-Match","in":"header","schema":{"type":"string"},)" \
  R"("description":"Only if the value still has this version, the )" \
  R"(X-Version of a read; * for any value. Else 412."}])"
#define STRATA_COLUMNS_PARAMETER                                   \
  R"([{"name":"columns","in":"query","schema":{"type":"string"},)" \
  R"("description":"Names, separated by commas"}])"

constexpr Route rows[] = {
    {.method = Method::put,
     .path = "/api/v1/{namespace}",
     .operation = "putNamespace",
     .permission = Permission::admin,
     .tag = "Namespaces",
     .summary = "Create a namespace; 200 when it exists already",
     .response_schema = STRATA_SUCCESS_SCHEMA,
     .success_status = 201,
     .handler = put_namespace},
    {.method = Method::delete_,
     .path = "/api/v1/{namespace}",
     .operation = "deleteNamespace",
     .permission = Permission::admin,
     .tag = "Namespaces",
     .summary = "Delete a namespace and all its data",
     .response_schema = STRATA_SUCCESS_SCHEMA,
     .error_statuses = "[404]",
     .handler = delete_namespace},
    {.method = Method::put,
     .path = "/api/v1/{namespace}/kv/{key}",
     .operation = "putKv",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Key-value",
     .summary = "Store a value",
     .parameters = STRATA_IF_MATCH,
     .request_schema =
         R"({"type":"object","required":["value"],"properties":{"value":{"type":"string","format":"byte"}}})",
     .response_schema = STRATA_SUCCESS_SCHEMA,
     .error_statuses = "[404,412]",
     .handler = on_data<put_value>},
    {.method = Method::get,
     .path = "/api/v1/{namespace}/kv/{key}",
     .operation = "getKv",
     .permission = Permission::read,
     .tag = "Key-value",
     .summary = "Read a value; X-Version tells its version",
     .response_schema = R"({"type":"object","properties":{"value":{"type":"string","format":"byte"},)"
                        R"("found":{"type":"boolean"}}})",
     .error_statuses = "[404]",
     .handler = on_data<get_value>},
    {.method = Method::delete_,
     .path = "/api/v1/{namespace}/kv/{key}",
     .operation = "deleteKv",
     .permission = Permission::write,
     .tag = "Key-value",
     .summary = "Delete a value",
     .parameters = STRATA_IF_MATCH,
     .response_schema = STRATA_SUCCESS_SCHEMA,
     .error_statuses = "[404,412]",
     .handler = on_data<delete_value>},
    {.method = Method::post,
     .path = "/api/v1/{namespace}/kv/batch",
     .operation = "batchKv",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Key-value",
     .summary = "Store or delete many values, all or none",
     .request_schema = R"({"type":"object","required":["operation"],"properties":{)"
                       R"("operation":{"type":"string","enum":["put","delete"]},)"
                       R"("items":{"type":"array","items":{"type":"object","required":["key","value"],)"
                       R"("properties":{"key":{"type":"string"},"value":{"type":"string","format":"byte"}}}},)"
                       R"("keys":{"type":"array","items":{"type":"string"}}}})",
     .response_schema = STRATA_PROCESSED_SCHEMA,
     .error_statuses = "[404]",
     .handler = on_data<batch_values>},
    {.method = Method::put,
     .path = "/api/v1/{namespace}/row/{rowKey}",
     .operation = "putRow",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Rows",
     .summary = "Store columns of a row; its other columns stay",
     .request_schema =
         R"({"type":"object","required":["columns"],"properties":{"columns":)" STRATA_COLUMNS_SCHEMA R"(}})",
     .response_schema = STRATA_SUCCESS_SCHEMA,
     .error_statuses = "[404]",
     .handler = on_data<put_row>},
    {.method = Method::get,
     .path = "/api/v1/{namespace}/row/{rowKey}",
     .operation = "getRow",
     .permission = Permission::read,
     .tag = "Rows",
     .summary = "Read a row, whole or the named columns",
     .parameters = STRATA_COLUMNS_PARAMETER,
     .response_schema = R"({"type":"object","properties":{"rowKey":{"type":"string"},)"
                        R"("rowKeyBase64":{"type":"string","format":"byte"},)"
                        R"("columns":)" STRATA_COLUMNS_SCHEMA R"(,"found":{"type":"boolean"}}})",
     .error_statuses = "[404]",
     .handler = on_data<get_row>},
    {.method = Method::delete_,
     .path = "/api/v1/{namespace}/row/{rowKey}",
     .operation = "deleteRow",
     .permission = Permission::write,
     .tag = "Rows",
     .summary = "Delete a row",
     .response_schema = STRATA_SUCCESS_SCHEMA,
     .error_statuses = "[404]",
     .handler = on_data<delete_row>},
    {.method = Method::delete_,
     .path = "/api/v1/{namespace}/row/{rowKey}/columns",
     .operation = "deleteRowColumns",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Rows",
     .summary = "Delete columns of a row, named by the query or the body; the row stays",
     .parameters = STRATA_COLUMNS_PARAMETER,
     .request_schema = R"({"type":"object","properties":{"columns":{"type":"object"}}})",
     .response_schema = STRATA_SUCCESS_SCHEMA,
     .error_statuses = "[404]",
     .handler = on_data<delete_columns>},
    {.method = Method::post,
     .path = "/api/v1/{namespace}/row/batch",
     .operation = "batchRows",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Rows",
     .summary = "Store or delete many rows, all or none",
     .request_schema = R"({"type":"object","required":["operation","rows"],"properties":{)"
                       R"("operation":{"type":"string","enum":["put","delete"]},)"
                       R"("rows":{"type":"array","items":{"type":"object","required":["rowKey"],)"
                       R"("properties":{"rowKey":{"type":"string"},"columns":)" STRATA_COLUMNS_SCHEMA R"(}}}}})",
     .response_schema = STRATA_PROCESSED_SCHEMA,
     .error_statuses = "[404]",
     .handler = on_data<batch_rows>},
};

}  // namespace

std::span<const Route> records_routes() { return rows; }

}  // namespace strata::rest
