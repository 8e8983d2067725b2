#include "faces/rest/file_upload_routes.h"

#include <fmt/format.h>

#include <algorithm>

#include "faces/rest/file_body.h"
#include "faces/rest/file_handler.h"
#include "service/file_uploads.h"

namespace strata::rest {
namespace {

Result<Response> config(Services&, Request&) {
  return Response::json(fmt::format(R"({{"hash_algorithm":"{}","chunk_size":{},"chunk_hash_prefix":"{}"}})",
                                    service::upload_hash_algorithm, service::upload_chunk_bytes,
                                    service::upload_chunk_hash_prefix));
}

void append_hashes(Bytes& body, std::span<const Hash> hashes) {
  body.push_back('[');
  for (const Hash& hash : hashes) {
    if (&hash != hashes.data()) body.push_back(',');
    body.append("\"").append(hash_hex(hash)).push_back('"');
  }
  body.push_back(']');
}

Result<Response> check(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const std::vector<Hash> hashes, parse_checked_hashes(request.body()));
  ASSIGN_OR_RETURN(const auto checked, services.file_uploads->check(context_of(request), hashes));
  Bytes body = "{\"have\":";
  append_hashes(body, checked.have);
  body += ",\"needed\":";
  append_hashes(body, checked.needed);
  body.push_back('}');
  return Response::json(std::move(body));
}

// A byte more than a chunk has at most: that is enough to refuse the rest.
Result<Bytes> read_chunk(const Request& request) {
  constexpr size_t step = 65'536;
  Bytes chunk;
  for (size_t size = 0;;) {
    chunk.resize(std::min(size + step, service::upload_chunk_bytes + 1));
    if (size == chunk.size()) return chunk;
    ASSIGN_OR_RETURN(const size_t count,
                     request.body_reader().read(std::span<char>(chunk.data() + size, chunk.size() - size)));
    size += count;
    if (count > 0) continue;
    chunk.resize(size);
    return chunk;
  }
}

Result<Response> put_chunk(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const Hash hash, parse_chunk_hash(request.param("hash")));
  ASSIGN_OR_RETURN(const Bytes chunk, read_chunk(request));
  ASSIGN_OR_RETURN(const bool created, services.file_uploads->put_chunk(context_of(request), hash, chunk));
  return Response::json(fmt::format(R"({{"status":"{}","hash":"{}"}})", created ? "created" : "exists", hash_hex(hash)),
                        created ? 201 : 200);
}

Result<Response> commit(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const std::string_view fork, written_fork_of(request));
  ASSIGN_OR_RETURN(const UploadBody upload, parse_upload(request.body()));
  ASSIGN_OR_RETURN(const auto files, services.file_uploads->commit(context_of(request), upload.files, fork));
  Bytes body = fmt::format(R"({{"committed":{},"files":[)", files.size());
  for (const service::FileStat& file : files) {
    if (&file != files.data()) body.push_back(',');
    body += "{\"path\":";
    append_json_string(body, file.path);
    body += fmt::format(",\"size\":{}}}", file.total_size);
  }
  body += "]}";
  return Response::json(std::move(body));
}

#define STRATA_HASHES_SCHEMA R"({"type":"array","items":{"type":"string"}})"

constexpr Route rows[] = {
    {.path = "/upload/config",
     .operation = "getUploadConfig",
     .permission = Permission::none,
     .tag = "Uploads",
     .summary = "How chunks are cut and hashed: BLAKE3 of the prefix and the bytes",
     .response_schema = R"({"type":"object","properties":{"hash_algorithm":{"type":"string"},"chunk_size":{"type":)"
                        R"("integer"},"chunk_hash_prefix":{"type":"string"}}})",
     .handler = config},
    {.method = Method::post,
     .path = "/upload/check",
     .operation = "checkChunks",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Uploads",
     .summary = "Which chunks are there, and stay for 24 hours; which are needed",
     .request_schema = R"({"type":"object","required":["hashes"],"properties":{"hashes":)" STRATA_HASHES_SCHEMA "}}",
     .response_schema =
         R"({"type":"object","properties":{"have":)" STRATA_HASHES_SCHEMA R"(,"needed":)" STRATA_HASHES_SCHEMA "}}",
     .handler = check},
    {.method = Method::put,
     .path = "/upload/chunks/{hash}",
     .operation = "putChunk",
     .permission = Permission::write,
     .body = BodyKind::stream,
     .body_limit_bytes = uint64_t{10} << 30,
     .tag = "Uploads",
     .summary = "Store a chunk of at most 256 KiB: 201 when it is new, else 200",
     .response_schema = R"({"type":"object","properties":{"status":{"type":"string","enum":["created","exists"]},)"
                        R"("hash":{"type":"string"}}})",
     .success_status = 201,
     .handler = put_chunk},
    {.method = Method::post,
     .path = "/upload/commit",
     .operation = "commitUpload",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Uploads",
     .summary = "Make files of chunks that are there, all of them or none",
     .parameters = "[" STRATA_FORK_PARAMETER "]",
     .request_schema =
         R"({"type":"object","required":["files"],"properties":{"files":{"type":"array","items":{"type":"object",)"
         R"("required":["path","chunk_hashes"],"properties":{"path":{"type":"string"},"content_type":{"type":)"
         R"("string"},"chunk_hashes":)" STRATA_HASHES_SCHEMA "}}}}}",
     .response_schema =
         R"({"type":"object","properties":{"committed":{"type":"integer"},"files":{"type":"array","items":{"type":)"
         R"("object","properties":{"path":{"type":"string"},"size":{"type":"integer"}}}}}})",
     .error_statuses = "[404,409]",
     .handler = commit},
};

}  // namespace

std::span<const Route> file_upload_routes() { return rows; }

}  // namespace strata::rest
