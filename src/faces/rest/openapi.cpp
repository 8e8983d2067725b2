#include "faces/rest/openapi.h"

#include <algorithm>
#include <map>
#include <vector>

#include "faces/rest/response_head.h"

namespace strata::rest {
namespace {

// A template with {name*} written as OpenAPI has it, {name}, and its parameters.
struct Path {
  std::string text;
  std::vector<std::string> parameters;
};

Path to_path(std::string_view route) {
  Path path;
  bool inside = false;
  for (char c : route) {
    if (c == '{') {
      inside = true;
      path.parameters.emplace_back();
    } else if (c == '}') {
      inside = false;
    } else if (inside && c == '*') {
      continue;
    } else if (inside) {
      path.parameters.back().push_back(c);
    }
    path.text.push_back(c);
  }
  return path;
}

void append_field(std::string& out, std::string_view name, std::string_view text) {
  append_json_string(out, name);
  out.push_back(':');
  append_json_string(out, text);
}

void append_content(std::string& out, std::string_view type, std::string_view schema) {
  out += "\"content\":{";
  append_json_string(out, type.substr(0, type.find(';')));
  out += ":{\"schema\":";
  out += schema.empty() ? "{\"type\":\"string\",\"format\":\"binary\"}" : schema;
  out += "}}";
}

void append_parameters(std::string& out, const Route& route, const Path& path) {
  std::string list;
  for (const std::string& name : path.parameters) {
    if (!list.empty()) list.push_back(',');
    list += "{";
    append_field(list, "name", name);
    list += ",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}}";
  }
  if (!route.parameters.empty()) {
    // An array: without its brackets it joins the generated ones.
    std::string_view inner = route.parameters;
    inner.remove_prefix(inner.find('[') + 1);
    inner = inner.substr(0, inner.rfind(']'));
    if (!list.empty() && !inner.empty()) list.push_back(',');
    list += inner;
  }
  if (!list.empty()) out += "\"parameters\":[" + list + "],";
}

std::vector<int> error_statuses(const Route& route) {
  std::vector<int> statuses = {400};
  if (route.permission != Permission::none) statuses.insert(statuses.end(), {401, 403});
  if (route.body != BodyKind::none) statuses.insert(statuses.end(), {413, 415});
  statuses.insert(statuses.end(), {500, 503});
  int number = 0;
  for (char c : route.error_statuses) {
    if (c >= '0' && c <= '9') {
      number = number * 10 + (c - '0');
    } else if (number != 0) {
      statuses.push_back(std::exchange(number, 0));
    }
  }
  std::ranges::sort(statuses);
  const auto repeated = std::ranges::unique(statuses);
  statuses.erase(repeated.begin(), repeated.end());
  return statuses;
}

void append_responses(std::string& out, const Route& route) {
  out += "\"responses\":{\"" + std::to_string(route.success_status) + "\":{";
  append_field(out, "description", reason_phrase(route.success_status));
  if (route.success_status != 204) {
    out.push_back(',');
    append_content(out, route.response_type,
                   route.response_schema.empty() && route.response_type == json_type ? R"({"type":"object"})"
                                                                                     : route.response_schema);
  }
  out += "}";
  for (int status : error_statuses(route)) {
    if (status == route.success_status) continue;
    out += ",\"" + std::to_string(status) + "\":{";
    append_field(out, "description", reason_phrase(status));
    out += R"(,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Error"}}}})";
  }
  out += "}";
}

void append_operation(std::string& out, const Route& route, const Path& path) {
  out += "{";
  append_field(out, "operationId", route.operation);
  out.push_back(',');
  append_field(out, "summary", route.summary);
  out += ",\"tags\":[";
  append_json_string(out, route.tag);
  out += "],";
  append_parameters(out, route, path);
  if (route.body != BodyKind::none) {
    out += "\"requestBody\":{\"required\":true,";
    const bool json = route.body == BodyKind::json;
    append_content(out, json ? json_type : bytes_type,
                   json && route.request_schema.empty() ? R"({"type":"object"})" : route.request_schema);
    out += "},";
  }
  if (route.permission == Permission::none) out += "\"security\":[],";
  append_responses(out, route);
  out += "}";
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

}  // namespace

std::string openapi_document(std::span<const Route* const> routes, std::string_view version) {
  std::map<std::string, std::vector<const Route*>> by_path;
  for (const Route* route : routes) by_path[to_path(route->path).text].push_back(route);

  std::string out = "{\"openapi\":\"3.0.3\",\"info\":{\"title\":\"Strata\",";
  append_field(out, "version", version);
  out += R"(,"description":"One database server: every model over one transactional core."},)";
  out += R"("security":[{},{"apiKey":[]},{"bearer":[]},{"basic":[]}],"paths":{)";
  bool first = true;
  for (auto& [path, operations] : by_path) {
    if (!first) out.push_back(',');
    first = false;
    append_json_string(out, path);
    out += ":{";
    std::ranges::sort(operations, {}, &Route::method);
    for (size_t i = 0; i < operations.size(); ++i) {
      if (i > 0) out.push_back(',');
      append_json_string(out, lower(method_name(operations[i]->method)));
      out.push_back(':');
      append_operation(out, *operations[i], to_path(operations[i]->path));
    }
    out += "}";
  }
  out += R"(},"components":{"schemas":{"Error":{"type":"object","required":["error"],)"
         R"("properties":{"error":{"type":"string"},"code":{"type":"integer"}}}},"securitySchemes":{)"
         R"("apiKey":{"type":"apiKey","in":"header","name":"X-API-Key"},"bearer":{"type":"http","scheme":"bearer"},)"
         R"("basic":{"type":"http","scheme":"basic"}}}})";
  return out;
}

}  // namespace strata::rest
