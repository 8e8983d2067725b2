#include "faces/rest/object_routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/hex.h"
#include "faces/rest/byte_answer.h"
#include "faces/rest/namespace_handler.h"
#include "service/objects.h"

namespace strata::rest {
namespace {

using service::ObjectCondition;
using service::ObjectReader;

Error no_such_object(BytesView key) { return {ErrorCode::not_found, "object not found: " + printable(key)}; }

Result<BytesView> key_of_query(const Request& request) {
  const auto key = request.query("key");
  if (!key) return Error(ErrorCode::invalid_argument, "key is required: ?key=");
  return *key;
}

// One version, as X-Version or an ETag gave it, or *.
std::optional<std::string_view> version_in(const Request& request, std::string_view header) {
  std::optional<std::string_view> version = request.header(header);
  if (version && version->size() >= 2 && version->front() == '"' && version->back() == '"') {
    version = version->substr(1, version->size() - 2);
  }
  return version;
}

ObjectCondition condition_of(const Request& request) {
  return {.version = version_in(request, "if-match"), .not_version = version_in(request, "if-none-match")};
}

void add_version(Response& response, std::string_view version) {
  response.add_header("ETag", fmt::format("\"{}\"", version));
  response.add_header("X-Version", version);
}

Result<records::ObjectId> parse_object_id(BytesView text) {
  records::ObjectId id;
  const std::optional<Bytes> bytes = decode_hex(text);
  if (!bytes || bytes->size() != id.size()) {
    return Error(ErrorCode::invalid_argument, "object must be 32 lower-case hexadecimal digits");
  }
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

Result<Response> answer_object(const Request& request, ObjectReader found, bool current) {
  const auto reader = std::make_shared<ObjectReader>(std::move(found));
  const std::string version = service::format_version(reader->object().stamp);
  Response response;
  if (const auto match = request.header("if-match"); current && match && !lists_tag(*match, version, false)) {
    return Error(ErrorCode::precondition_failed, "the object has another version: " + version);
  }
  const auto none_match = request.header("if-none-match");
  if (current && none_match && lists_tag(*none_match, version, true)) {
    response.status = 304;
    response.content_type = {};
  } else {
    const ByteSelection selected = select_bytes(request, version, reader->size());
    if (selected.is_partial()) reader->select(selected.range->first, selected.range->count);
    response = answer_bytes(selected, bytes_type, stream_of(reader));
  }
  response.add_header("Accept-Ranges", "bytes");
  if (current) add_version(response, version);
  response.add_header("X-Checksum", std::to_string(reader->object().reference.checksum));
  return response;
}

Result<Response> get_object(Services& services, const Request& request, BytesView key) {
  const BytesView name_space = request.param("namespace");
  if (const auto id_text = request.query("object")) {
    ASSIGN_OR_RETURN(const records::ObjectId id, parse_object_id(*id_text));
    ASSIGN_OR_RETURN(auto found, services.objects->read_by_id(context_of(request), name_space, id));
    if (!found) return Error(ErrorCode::gone, "the object is no longer there");
    return answer_object(request, *std::move(found), false);
  }
  ASSIGN_OR_RETURN(auto found, services.objects->read(context_of(request), name_space, key));
  if (!found) return no_such_object(key);
  return answer_object(request, *std::move(found), true);
}

Result<Response> get_object_of_query(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const BytesView key, key_of_query(request));
  return get_object(services, request, key);
}

Result<Response> get_object_of_path(Services& services, Request& request) {
  return get_object(services, request, request.param("key"));
}

Result<Response> put_object(Services& services, Request& request) {
  const BytesView key = request.param("key");
  const ObjectCondition condition = condition_of(request);
  const service::Context context = context_of(request);
  // Before any bytes are asked for: a client that waits for 100 Continue sends none in vain.
  RETURN_IF_ERROR(services.objects->check(context, request.param("namespace"), key, condition));
  if (request.content_length().value_or(0) > services.objects->max_object_bytes()) {
    return Error(ErrorCode::payload_too_large,
                 fmt::format("an object has at most {} bytes here", services.objects->max_object_bytes()));
  }
  ASSIGN_OR_RETURN(const auto writer, services.objects->create(context, request.param("namespace")));
  for (;;) {
    ASSIGN_OR_RETURN(const std::span<char> room, writer->room());
    ASSIGN_OR_RETURN(const size_t count, request.body_reader().read(room));
    if (count == 0) break;
    RETURN_IF_ERROR(writer->filled(count));
  }
  const service::ObjectChange change{.key = key, .writer = writer.get(), .condition = condition};
  ASSIGN_OR_RETURN(const auto stamp, services.objects->commit(context, {.name_space = request.param("namespace"),
                                                                        .changes = std::span(&change, 1)}));
  const std::string version = service::format_version(stamp);
  Response response = Response::json(fmt::format("{{\"success\":true,\"size\":{},\"checksum\":{},\"version\":\"{}\"}}",
                                                 writer->size(), writer->checksum(), version));
  add_version(response, version);
  return response;
}

Result<Response> delete_object(Services& services, const Request& request, BytesView key) {
  const service::ObjectChange change{.key = key, .condition = condition_of(request)};
  ASSIGN_OR_RETURN(const auto stamp,
                   services.objects->commit(context_of(request), {.name_space = request.param("namespace"),
                                                                  .changes = std::span(&change, 1)}));
  static_cast<void>(stamp);
  return Response::json("{\"success\":true}");
}

Result<Response> delete_object_of_query(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const BytesView key, key_of_query(request));
  return delete_object(services, request, key);
}

Result<Response> delete_object_of_path(Services& services, Request& request) {
  return delete_object(services, request, request.param("key"));
}

#define STRATA_KEY_PARAMETER R"({"name":"key","in":"query","required":true,"schema":{"type":"string"}})"
#define STRATA_READ_PARAMETERS                                                                                    \
  R"({"name":"Range","in":"header","schema":{"type":"string"},"description":"One range of bytes"},)"              \
  R"({"name":"If-Range","in":"header","schema":{"type":"string"}},)"                                              \
  R"({"name":"If-Match","in":"header","schema":{"type":"string"}},)"                                              \
  R"({"name":"If-None-Match","in":"header","schema":{"type":"string"}},)"                                         \
  R"({"name":"object","in":"query","schema":{"type":"string"},"description":"The object of this id, as the log )" \
  R"(names it, also when the key has another one by now; 410 when it is no longer there"})"
#define STRATA_WRITE_PARAMETERS                                                                                   \
  R"({"name":"If-Match","in":"header","schema":{"type":"string"},"description":"Only if the object still has )"   \
  R"(this version; * for any. Else 412."},)"                                                                      \
  R"({"name":"If-None-Match","in":"header","schema":{"type":"string"},"description":"*: only if there is none. )" \
  R"(Else 412."})"
#define STRATA_SUCCESS_SCHEMA R"({"type":"object","properties":{"success":{"type":"boolean"}}})"

constexpr Route rows[] = {
    {.method = Method::get,
     .path = "/api/v1/{namespace}/lob",
     .operation = "getLobByQuery",
     .permission = Permission::read,
     .timeout_ms = -1,
     .tag = "Large objects",
     .summary = "Download a large object, whole or a range",
     .parameters = "[" STRATA_KEY_PARAMETER "," STRATA_READ_PARAMETERS "]",
     .response_type = bytes_type,
     .error_statuses = "[404,410,412,416]",
     .handler = on_data<get_object_of_query>},
    {.method = Method::delete_,
     .path = "/api/v1/{namespace}/lob",
     .operation = "deleteLobByQuery",
     .permission = Permission::write,
     .tag = "Large objects",
     .summary = "Delete a large object",
     .parameters = "[" STRATA_KEY_PARAMETER "," STRATA_WRITE_PARAMETERS "]",
     .response_schema = STRATA_SUCCESS_SCHEMA,
     .error_statuses = "[404,412]",
     .handler = on_data<delete_object_of_query>},
    {.method = Method::get,
     .path = "/api/v1/{namespace}/lob/{key}",
     .operation = "getLob",
     .permission = Permission::read,
     .timeout_ms = -1,
     .tag = "Large objects",
     .summary = "Download a large object, whole or a range",
     .parameters = "[" STRATA_READ_PARAMETERS "]",
     .response_type = bytes_type,
     .error_statuses = "[404,410,412,416]",
     .handler = on_data<get_object_of_path>},
    {.method = Method::put,
     .path = "/api/v1/{namespace}/lob/{key}",
     .operation = "putLob",
     .permission = Permission::write,
     .body = BodyKind::stream,
     .body_limit_bytes = records::max_object_bytes,
     .timeout_ms = -1,
     .tag = "Large objects",
     .summary = "Store a large object of any size in one request; replaces the one that has the key",
     .parameters = "[" STRATA_WRITE_PARAMETERS "]",
     .response_schema = R"({"type":"object","properties":{"success":{"type":"boolean"},"size":{"type":"integer"},)"
                        R"("checksum":{"type":"integer","description":"CRC-32 of all bytes"},)"
                        R"("version":{"type":"string"}}})",
     .error_statuses = "[404,412]",
     .handler = on_data<put_object>},
    {.method = Method::delete_,
     .path = "/api/v1/{namespace}/lob/{key}",
     .operation = "deleteLob",
     .permission = Permission::write,
     .tag = "Large objects",
     .summary = "Delete a large object",
     .parameters = "[" STRATA_WRITE_PARAMETERS "]",
     .response_schema = STRATA_SUCCESS_SCHEMA,
     .error_statuses = "[404,412]",
     .handler = on_data<delete_object_of_path>},
};

}  // namespace

std::span<const Route> object_routes() { return rows; }

}  // namespace strata::rest
