#include "faces/rest/scan_routes.h"

#include <simdjson.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/parse_number.h"
#include "faces/rest/namespace_handler.h"
#include "service/records.h"

namespace strata::rest {
namespace {

// What a request asks for, with the bytes that the options view.
struct Scan {
  service::ScanRequest request;
  Bytes after;
};

Result<void> parse_scan(const Request& request, Scan& scan) {
  scan.request.name_space = request.param("namespace");
  service::ScanOptions& options = scan.request.options;
  if (const auto cursor = request.query("cursor"); cursor && !cursor->empty()) {
    // The last key of the page before, in hexadecimal: keys may be any bytes.
    std::optional<Bytes> after = decode_hex(*cursor);
    if (!after) return Error(ErrorCode::invalid_argument, "cursor must be a nextCursor that this operation answered");
    scan.after = *std::move(after);
    options.after = scan.after;
  }
  if (const auto limit = request.query("limit")) {
    const auto number = parse_number<decltype(options.limit)>(*limit);
    if (!number) return Error(ErrorCode::invalid_argument, "limit must be a number");
    options.limit = *number;
  }
  if (const auto keys_only = request.query("keysOnly")) {
    if (*keys_only != "true" && *keys_only != "false") {
      return Error(ErrorCode::invalid_argument, "keysOnly must be true or false");
    }
    options.keys_only = *keys_only == "true";
  }
  return {};
}

// "name" is text and shows U+FFFD for what is not UTF-8; such a key follows once more, exactly.
void append_key(Bytes& body, std::string_view name, BytesView key) {
  body.append("\"").append(name).append("\":");
  append_json_string(body, key);
  if (simdjson::validate_utf8(key.data(), key.size())) return;
  body.append(",\"").append(name).append("Base64\":\"");
  append_base64(body, key);
  body.push_back('"');
}

void append_version(Bytes& body, const service::Stamp& stamp) {
  body.append(",\"version\":\"").append(service::format_version(stamp)).push_back('"');
}

void append_end(Bytes& body, bool more, BytesView last_key) {
  body += "],\"nextCursor\":";
  if (!more) {
    body += "null}";
    return;
  }
  body.push_back('"');
  append_hex(body, last_key);
  body += "\"}";
}

Result<Response> scan_values(Services& services, Request& request) {
  Scan scan;
  RETURN_IF_ERROR(parse_scan(request, scan));
  if (const auto prefix = request.query("prefix")) scan.request.options.prefix = *prefix;
  ASSIGN_OR_RETURN(const service::ValuePage page, services.records->scan_values(context_of(request), scan.request));
  Bytes body = "{\"items\":[";
  const char* separator = "";
  for (const service::ScannedValue& scanned : page.values) {
    body += separator;
    body.push_back('{');
    append_key(body, "key", scanned.key);
    if (!scan.request.options.keys_only) {
      body += ",\"value\":\"";
      append_base64(body, scanned.value);
      body.push_back('"');
    }
    append_version(body, scanned.stamp);
    body.push_back('}');
    separator = ",";
  }
  append_end(body, page.more, page.more ? BytesView(page.values.back().key) : BytesView());
  return Response::json(std::move(body));
}

Result<Response> scan_rows(Services& services, Request& request) {
  Scan scan;
  RETURN_IF_ERROR(parse_scan(request, scan));
  ASSIGN_OR_RETURN(const service::RowPage page, services.records->scan_rows(context_of(request), scan.request));
  Bytes body = "{\"rows\":[";
  const char* separator = "";
  for (const service::ScannedRow& scanned : page.rows) {
    body += separator;
    body.push_back('{');
    append_key(body, "rowKey", scanned.key);
    if (!scan.request.options.keys_only) {
      body += ",\"columns\":{";
      const char* column_separator = "";
      for (const auto& column : scanned.row.columns) {
        body += column_separator;
        append_json_string(body, column.name);
        body += ":\"";
        append_base64(body, column.value);
        body.push_back('"');
        column_separator = ",";
      }
      body.push_back('}');
    }
    append_version(body, scanned.row.stamp);
    body.push_back('}');
    separator = ",";
  }
  append_end(body, page.more, page.more ? BytesView(page.rows.back().key) : BytesView());
  return Response::json(std::move(body));
}

#define STRATA_PAGE_PARAMETERS                                                              \
  R"({"name":"cursor","in":"query","schema":{"type":"string"},)"                            \
  R"("description":"nextCursor of the page before"},)"                                      \
  R"({"name":"limit","in":"query","schema":{"type":"integer","minimum":1,"maximum":10000,)" \
  R"("default":1000}},{"name":"keysOnly","in":"query","schema":{"type":"boolean","default":false}})"

constexpr Route rows[] = {
    {.method = Method::get,
     .path = "/api/v1/{namespace}/kv",
     .operation = "scanKv",
     .permission = Permission::read,
     .tag = "Key-value",
     .summary = "List values in the order of their keys, a page at a time",
     .parameters = R"([{"name":"prefix","in":"query","schema":{"type":"string"}},)" STRATA_PAGE_PARAMETERS "]",
     .response_schema = R"({"type":"object","properties":{"items":{"type":"array","items":{"type":"object",)"
                        R"("properties":{"key":{"type":"string"},"keyBase64":{"type":"string","format":"byte"},)"
                        R"("value":{"type":"string","format":"byte"},"version":{"type":"string"}}}},)"
                        R"("nextCursor":{"type":"string","nullable":true}}})",
     .error_statuses = "[404]",
     .handler = on_data<scan_values>},
    {.method = Method::get,
     .path = "/api/v1/{namespace}/row",
     .operation = "scanRows",
     .permission = Permission::read,
     .tag = "Rows",
     .summary = "List rows, those with short keys first, a page at a time",
     .parameters = "[" STRATA_PAGE_PARAMETERS "]",
     .response_schema = R"({"type":"object","properties":{"rows":{"type":"array","items":{"type":"object",)"
                        R"("properties":{"rowKey":{"type":"string"},)"
                        R"("rowKeyBase64":{"type":"string","format":"byte"},"columns":{"type":"object",)"
                        R"("additionalProperties":{"type":"string","format":"byte"}},)"
                        R"("version":{"type":"string"}}}},"nextCursor":{"type":"string","nullable":true}}})",
     .error_statuses = "[404]",
     .handler = on_data<scan_rows>},
};

}  // namespace

std::span<const Route> scan_routes() { return rows; }

}  // namespace strata::rest
