#include "faces/rest/document_table_routes.h"

#include <fmt/format.h>

#include "faces/rest/document_body.h"
#include "faces/rest/table_handler.h"

namespace strata::rest {
namespace {

void append_table(Bytes& body, const service::TableStatus& status) {
  const auto& options = status.table.options;
  body += "{\"name\":";
  append_json_string(body, status.table.name);
  body += ",\"description\":";
  append_json_string(body, options.description);
  body += fmt::format(",\"created\":\"{}\",\"shards\":{{", service::format_time(status.table.created_us));
  for (uint32_t shard = 0; shard < options.shards; ++shard) {
    body += fmt::format(R"({}"{}":{{}})", shard > 0 ? "," : "", shard);
  }
  body += "},\"schema\":";
  body += options.schema.empty() ? BytesView("{}") : BytesView(options.schema);
  body += ",\"indexes\":{";
  for (const auto& index : status.table.indexes) {
    if (body.back() != '{') body.push_back(',');
    append_json_string(body, index.name);
    body += ":{\"field\":";
    append_json_string(body, index.field.to_string());
    body += fmt::format(R"(,"type":"{}","state":"{}"}})", service::index_type_name(index.type),
                        index.state == service::IndexState::ready ? "ready" : "building");
  }
  body += fmt::format(R"(}},"storage_status":{{"disk_usage":{},"empty":{}}}}})", status.disk_bytes, status.empty);
}

void append_list(Bytes& body, std::span<const service::TableStatus> tables) {
  for (const auto& table : tables) {
    if (&table != tables.data()) body.push_back(',');
    append_table(body, table);
  }
}

Result<Response> create_table(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const TableBody parsed, parse_table(request.param("tableName"), request.body()));
  ASSIGN_OR_RETURN(const auto made, services.documents->make_table(context_of(request), parsed.request));
  Bytes body;
  append_table(body, made);
  return Response::json(std::move(body));
}

Result<Response> get_table(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto table, services.documents->table(context_of(request), request.param("tableName")));
  Bytes body;
  append_table(body, table);
  return Response::json(std::move(body));
}

// Page by page: thousands of tables with large schemas are more than an answer may hold in memory.
Result<Response> list_tables(Services& services, Request& request) {
  ASSIGN_OR_RETURN(auto tables, services.documents->tables(context_of(request), ""));
  Bytes first = "[";
  append_list(first, tables);
  if (tables.size() < service::Documents::tables_a_page) return Response::json(first + "]");
  const auto rest = [&services, first = std::move(first), after = tables.back().table.name,
                     &cancellation = request.cancellation()](ResponseStream& stream) -> Result<void> {
    RETURN_IF_ERROR(stream.write(first));
    for (std::string last = after;;) {
      ASSIGN_OR_RETURN(const auto page, services.documents->tables({}, last));
      Bytes body = page.empty() ? "" : ",";
      append_list(body, page);
      RETURN_IF_ERROR(stream.write(body));
      if (page.size() < service::Documents::tables_a_page) break;
      if (cancellation.requested()) return ErrorCode::operation_cancelled;
      last = page.back().table.name;
    }
    RETURN_IF_ERROR(stream.write("]"));
    return stream.flush();
  };
  return Response::streamed(json_type, rest);
}

Result<Response> drop_table(Services& services, Request& request) {
  RETURN_IF_ERROR(services.documents->drop_table(context_of(request), request.param("tableName")));
  Response response;
  response.status = 204;
  response.content_type = {};
  return response;
}

#define STRATA_TABLE_SCHEMA                                                                      \
  R"({"type":"object","properties":{"name":{"type":"string"},"description":{"type":"string"},)"  \
  R"("created":{"type":"string","format":"date-time"},"shards":{"type":"object"},)"              \
  R"("schema":{"type":"object"},"indexes":{"type":"object"},"storage_status":{"type":"object",)" \
  R"("properties":{"disk_usage":{"type":"integer"},"empty":{"type":"boolean"}}}}})"

constexpr Route rows[] = {
    {.method = Method::get,
     .path = "/api/v1/tables",
     .also_at = "/db/v1/tables",
     .operation = "listTables",
     .permission = Permission::read,
     .tag = "Documents",
     .summary = "The tables by name",
     .response_schema = R"({"type":"array","items":)" STRATA_TABLE_SCHEMA "}",
     .handler = list_tables},
    {.method = Method::post,
     .path = "/api/v1/tables/{tableName}",
     .also_at = "/db/v1/tables/{tableName}",
     .operation = "createTable",
     .permission = Permission::admin,
     .body = BodyKind::json,
     .tag = "Documents",
     .summary = "Make a table",
     .request_schema = R"({"type":"object","properties":{"num_shards":{"type":"integer","minimum":1,"maximum":1024},)"
                       R"("description":{"type":"string","maxLength":500},"schema":{"type":"object"},)"
                       R"("indexes":{"type":"object","additionalProperties":{"type":"object","required":["type",)"
                       R"("field"],"properties":{"type":{"type":"string","enum":["string","number","bool","date",)"
                       R"("fulltext"]},"field":{"type":"string"},"analyzer":{"type":"string"}}}}}})",
     .response_schema = STRATA_TABLE_SCHEMA,
     .handler = create_table},
    {.method = Method::get,
     .path = "/api/v1/tables/{tableName}",
     .also_at = "/db/v1/tables/{tableName}",
     .operation = "getTable",
     .permission = Permission::read,
     .tag = "Documents",
     .summary = "A table",
     .response_schema = STRATA_TABLE_SCHEMA,
     .error_statuses = "[404]",
     .handler = get_table},
    {.method = Method::delete_,
     .path = "/api/v1/tables/{tableName}",
     .also_at = "/db/v1/tables/{tableName}",
     .operation = "dropTable",
     .permission = Permission::admin,
     .tag = "Documents",
     .summary = "Drop a table and all its documents",
     .success_status = 204,
     .error_statuses = "[404]",
     .handler = drop_table},
};

}  // namespace

std::span<const Route> document_table_routes() { return rows; }

}  // namespace strata::rest
