#include "faces/rest/log_routes.h"

#include <fmt/format.h>

#include "base/timer.h"
#include "faces/rest/log_json.h"
#include "faces/rest/log_query.h"
#include "faces/rest/namespace_handler.h"
#include "service/log.h"

namespace strata::rest {
namespace {

constexpr uint64_t default_list_limit = 1'000;
constexpr uint64_t max_list_limit = 10'000;

Response answer(const service::LogStatus& status, Bytes body) {
  Response response = Response::json(std::move(body));
  response.add_header("X-Log-Id", status.log_id);
  return response;
}

// {"namespace":"...",
Bytes begin_with_namespace(const Request& request) {
  Bytes body = "{\"namespace\":";
  append_json_string(body, request.param("namespace"));
  body.push_back(',');
  return body;
}

Result<Response> get_offset(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto status, services.log->status(context_of(request), request.param("namespace")));
  Bytes body = begin_with_namespace(request);
  body += fmt::format("\"segmentId\":{},\"offset\":{}}}", status.end.position.segment, status.end.position.offset);
  return answer(status, std::move(body));
}

Result<Response> get_stats(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto status, services.log->status(context_of(request), request.param("namespace")));
  Bytes body = begin_with_namespace(request);
  body += fmt::format("\"opsReceived\":{},\"opsFlushed\":{},\"currentSegment\":{},\"currentOffset\":{},",
                      status.end.totals.operations, status.durable_operations, status.end.position.segment,
                      status.end.position.offset);
  body += "\"lastFlushTime\":";
  if (status.durable_us == 0) {
    body += "null}";
  } else {
    body.push_back('"');
    append_time(body, status.durable_us, false);
    body += "\"}";
  }
  return answer(status, std::move(body));
}

Result<Response> get_checkpoint(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const auto status, services.log->status(context_of(request), request.param("namespace")));
  const records::LogCheckpoint checkpoint = status.checkpoint.value_or(records::LogCheckpoint());
  Bytes body = begin_with_namespace(request);
  body += fmt::format("\"recordProcessed\":{},\"segmentId\":{},\"offset\":{}}}", checkpoint.totals.records,
                      checkpoint.position.segment, checkpoint.position.offset);
  return answer(status, std::move(body));
}

Result<LogQuery> query_of(const Request& request) {
  return parse_log_query({.after_segment = request.query("after_segment"),
                          .after_offset = request.query("after_offset"),
                          .limit = request.query("limit"),
                          .follow = request.query("follow"),
                          .log = request.query("log"),
                          .accept = request.header("accept"),
                          .last_event_id = request.header("last-event-id")});
}

// What one answer streams. Copied by std::function, hence the shared reader.
struct LogStream {
  std::shared_ptr<service::LogReader> reader;
  LogQuery query;
  Cancellation& cancellation;

  // Waits for more. False: nobody wants it.
  bool wait() const {
    Future<void> change = reader->changed();
    cancellation.on_request(change.cancel_handle());
    // Cancelled or not: what matters is whether anybody asks for more.
    static_cast<void>(change.get().ok());
    cancellation.on_request({});
    return !cancellation.requested();
  }

  Result<void> operator()(ResponseStream& stream) const {
    LogJson json(stream, query.events);
    uint64_t left = query.limit > 0 ? query.limit : UINT64_MAX;
    while (left > 0) {
      const size_t most = static_cast<size_t>(std::min<uint64_t>(left, UINT32_MAX));
      const auto batch = reader->next({}, {.records = most});
      if (!batch.ok()) {
        // The namespace is gone: a stream that has no end of its own ends, one that has would look whole.
        if (query.follow && batch.error().code() == ErrorCode::not_found) return json.flush();
        return batch.error();
      }
      if (batch->entries.empty()) {
        RETURN_IF_ERROR(json.flush());
        if (!query.follow || !wait()) return {};
        continue;
      }
      for (const service::LogEntry& entry : batch->entries) RETURN_IF_ERROR(json.write(entry));
      left -= batch->entries.size();
      if (cancellation.requested()) return ErrorCode::operation_cancelled;
      if (batch->page.more) RETURN_IF_ERROR(give_way());
    }
    return json.flush();
  }
};

Result<Response> get_log(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const LogQuery query, query_of(request));
  ASSIGN_OR_RETURN(auto reader, services.log->read(context_of(request), {.name_space = request.param("namespace"),
                                                                         .after = query.after,
                                                                         .log_id = query.log_id}));
  const std::string log_id = services.log->log_id(reader.space());
  Response response = Response::streamed(
      query.events ? event_stream_type : ndjson_type,
      LogStream{std::make_shared<service::LogReader>(std::move(reader)), query, request.cancellation()});
  response.add_header("X-Log-Id", log_id);
  response.add_header("Cache-Control", "no-store");
  return response;
}

Result<Response> list_namespaces(Services& services, Request& request) {
  uint64_t limit = default_list_limit;
  if (const auto text = request.query("limit")) {
    ASSIGN_OR_RETURN(limit, parse_number(*text, "limit"));
    if (limit == 0 || limit > max_list_limit) {
      return Error(ErrorCode::invalid_argument, fmt::format("limit must be from 1 to {}", max_list_limit));
    }
  }
  ASSIGN_OR_RETURN(const auto list, services.log->list_namespaces(context_of(request),
                                                                  request.query("after").value_or(BytesView()), limit));
  Bytes body = "{\"namespaces\":[";
  const char* separator = "";
  for (const auto& entry : list.entries) {
    body += separator;
    body += "{\"name\":";
    append_json_string(body, entry.name);
    body += ",\"logId\":";
    append_json_string(body, entry.log_id);
    body.push_back('}');
    separator = ",";
  }
  body += list.more ? "],\"more\":true}" : "],\"more\":false}";
  return Response::json(std::move(body));
}

#define STRATA_POSITION_FIELDS(segment, offset) \
  R"(")" segment R"(":{"type":"integer"},")" offset R"(":{"type":"integer"})"
#define STRATA_NUMBER_PARAMETER(name, description) \
  R"({"name":")" name R"(","in":"query","schema":{"type":"integer","minimum":0},"description":")" description R"("})"

constexpr std::string_view record_schema = R"({"type":"object","properties":{)" STRATA_POSITION_FIELDS(
    "segmentId",
    "offset") R"(,"lsn":{"type":"integer"},"timestamp":{"type":"string","format":"date-time"},"version":{"type":"string"},)"
              R"("ops":{"type":"array","items":{"type":"object","properties":{"op":{"type":"string","enum":["put","delete",)"
              R"("put_row","delete_row","delete_columns","put_lob","delete_lob"]},"key":{"type":"string"},)"
              R"("keyBase64":{"type":"string","format":"byte"},"value":{"type":"string","format":"byte"},)"
              R"("columns":{"type":"object","additionalProperties":{"type":"string","format":"byte"}},)"
              R"("columnsBase64":{"type":"object","additionalProperties":{"type":"string","format":"byte"}},)"
              R"("size":{"type":"integer"},"checksum":{"type":"integer"},"object":{"type":"string"}}}}}})";

constexpr Route rows[] = {
    {.method = Method::get,
     .path = "/api/v1",
     .operation = "listNamespaces",
     .permission = Permission::read,
     .tag = "Namespaces",
     .summary = "The namespaces by name, with the ids of their logs",
     .parameters = R"([{"name":"after","in":"query","schema":{"type":"string"},)"
                   R"("description":"Names behind this one"},)"
                   R"({"name":"limit","in":"query","schema":{"type":"integer","minimum":1,"maximum":10000,)"
                   R"("default":1000}}])",
     .response_schema = R"({"type":"object","properties":{"namespaces":{"type":"array","items":{"type":"object",)"
                        R"("properties":{"name":{"type":"string"},"logId":{"type":"string"}}}},)"
                        R"("more":{"type":"boolean"}}})",
     .handler = list_namespaces},
    {.method = Method::get,
     .path = "/api/v1/{namespace}/offset",
     .operation = "getOffset",
     .permission = Permission::read,
     .tag = "Log",
     .summary = "The position of the log's last record; X-Log-Id tells which log it is",
     .response_schema = R"({"type":"object","properties":{"namespace":{"type":"string"},)" STRATA_POSITION_FIELDS(
         "segmentId", "offset") R"(}})",
     .error_statuses = "[404]",
     .handler = on_data<get_offset>},
    {.method = Method::get,
     .path = "/api/v1/{namespace}/stats",
     .operation = "getStats",
     .permission = Permission::read,
     .tag = "Log",
     .summary = "How many operations were written, and how many of them are durable",
     .response_schema =
         R"({"type":"object","properties":{"namespace":{"type":"string"},)"
         R"("opsReceived":{"type":"integer"},"opsFlushed":{"type":"integer"},)" STRATA_POSITION_FIELDS(
             "currentSegment",
             "currentOffset") R"(,"lastFlushTime":{"type":"string","format":"date-time","nullable":true}}})",
     .error_statuses = "[404]",
     .handler = on_data<get_stats>},
    {.method = Method::get,
     .path = "/api/v1/{namespace}/checkpoint",
     .operation = "getCheckpoint",
     .permission = Permission::read,
     .tag = "Log",
     .summary = "The position up to which the log was last looked at and stored",
     .response_schema =
         R"({"type":"object","properties":{"namespace":{"type":"string"},)"
         R"("recordProcessed":{"type":"integer"},)" STRATA_POSITION_FIELDS("segmentId", "offset") R"(}})",
     .error_statuses = "[404]",
     .handler = on_data<get_checkpoint>},
    {.method = Method::get,
     .path = "/api/v1/{namespace}/log",
     .operation = "getLog",
     .permission = Permission::read,
     .timeout_ms = -1,
     .tag = "Log",
     .summary = "Records of the log behind a position: NDJSON, or events where Accept names text/event-stream",
     .parameters =
         "[" STRATA_NUMBER_PARAMETER("after_segment", "Records behind this position; absent: all that are kept") "," STRATA_NUMBER_PARAMETER(
             "after_offset",
             "Absent: 0, the segment's start") "," STRATA_NUMBER_PARAMETER("limit",
                                                                           "At most so many records") R"(,{"name":"follow","in":"query","schema":{"type":"boolean"},)"
                                                                                                      R"("description":"Go on at the log's end; events do by themselves"},)"
                                                                                                      R"({"name":"log","in":"query","schema":{"type":"string"},)"
                                                                                                      R"("description":"410 if the namespace has another log than this X-Log-Id"},)"
                                                                                                      R"({"name":"Last-Event-ID","in":"header","schema":{"type":"string"},)"
                                                                                                      R"("description":"segment:offset; events only, counts before the query"}])",
     .response_schema = record_schema,
     .response_type = ndjson_type,
     .error_statuses = "[404,410]",
     .handler = on_data<get_log>},
};

}  // namespace

std::span<const Route> log_routes() { return rows; }

}  // namespace strata::rest
