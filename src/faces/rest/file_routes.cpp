#include "faces/rest/file_routes.h"

#include <fmt/format.h>

#include <memory>

#include "base/parse_number.h"
#include "base/timer.h"
#include "faces/rest/byte_answer.h"
#include "faces/rest/file_body.h"
#include "faces/rest/file_handler.h"
#include "service/files.h"

namespace strata::rest {
namespace {

using service::FileKind;
using service::FileStat;
using service::OpenedFile;

constexpr uint64_t max_file_bytes = uint64_t{10} << 30;
constexpr size_t max_glob_bytes = 1'024;
// Of a listing: what is held before it is sent.
constexpr size_t piece_bytes = 65'536;

// "" is the root.
std::string_view path_of(const Request& request, bool at_root) { return at_root ? "/" : request.param("path"); }

// If-Match and If-None-Match of a change: lists of tags, or * for whatever stands there. The request outlives it.
service::PathGuard guard_of(const Request& request) {
  const auto match = request.header("if-match");
  const auto none_match = request.header("if-none-match");
  if (!match && !none_match) return {};
  return [match, none_match](const std::optional<Hash>& standing) -> Result<void> {
    const std::string tag = standing ? hash_hex(*standing) : std::string();
    if (match && !(standing && lists_tag(*match, tag, false))) {
      return Error(ErrorCode::precondition_failed,
                   standing ? "another version stands there: " + tag : "nothing stands there");
    }
    if (none_match && standing && lists_tag(*none_match, tag, true)) {
      return Error(ErrorCode::precondition_failed, "this stands there: " + tag);
    }
    return {};
  };
}

Result<Response> put_file(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const std::string_view fork, written_fork_of(request));
  const std::string_view path = request.param("path");
  const std::string_view type = request.header("content-type").value_or("");
  RETURN_IF_ERROR(check_content_type(type));
  // Who sends a part would find the rest gone.
  if (request.header("content-range")) {
    return Error(ErrorCode::invalid_argument, "Content-Range: a file is put as a whole");
  }
  const service::PutFileRequest put{.path = path,
                                    .content_type = type,
                                    .fork = fork,
                                    .body = &request.body_reader(),
                                    .expected_bytes = request.content_length(),
                                    .guard = guard_of(request)};
  // A client that waits for 100 Continue sends no body in vain; of others this would be one more read for nothing.
  if (request.header("expect")) RETURN_IF_ERROR(services.files->check_put(context_of(request), put));
  ASSIGN_OR_RETURN(const FileStat stat, services.files->put(context_of(request), put));
  Bytes body = "{\"path\":";
  append_json_string(body, stat.path);
  body += ",\"content_type\":";
  append_text_or_null(body, stat.content_type);
  body += fmt::format(R"(,"total_size":{},"created_at":{},"updated_at":{},"hash":"{}"}})", stat.total_size,
                      stat.created_at_ms, stat.updated_at_ms, hash_hex(stat.hash));
  return Response::json(std::move(body), 201);
}

Result<Response> put_symlink(Services& services, Request& request) {
  ASSIGN_OR_RETURN(const std::string_view fork, written_fork_of(request));
  const std::string_view path = request.param("path");
  ASSIGN_OR_RETURN(const std::string target, parse_symlink(request.body()));
  ASSIGN_OR_RETURN(
      const FileStat stat,
      services.files->put_symlink(context_of(request),
                                  {.path = path, .target = target, .fork = fork, .guard = guard_of(request)}));
  Bytes body = "{\"path\":";
  append_json_string(body, stat.path);
  body += ",\"target\":";
  append_json_string(body, stat.target);
  body += fmt::format(R"(,"entry_type":{},"created_at":{},"updated_at":{},"hash":"{}"}})", static_cast<int>(stat.kind),
                      stat.created_at_ms, stat.updated_at_ms, hash_hex(stat.hash));
  return Response::json(std::move(body), 201);
}

Result<Response> write_root(Services&, Request&) {
  return Error(ErrorCode::invalid_argument, "the path is empty: the root is a directory");
}

Result<Response> delete_at(Services& services, Request& request, bool at_root) {
  ASSIGN_OR_RETURN(const std::string_view fork, written_fork_of(request));
  ASSIGN_OR_RETURN(
      const FileStat removed,
      services.files->remove(context_of(request),
                             {.path = path_of(request, at_root), .fork = fork, .guard = guard_of(request)}));
  const bool is_symlink = removed.kind == FileKind::symlink;
  Bytes body = "{\"deleted\":true,\"path\":";
  append_json_string(body, is_symlink ? without_slash(removed.path) : removed.path);
  body += is_symlink ? ",\"type\":\"symlink\"}" : "}";
  return Response::json(std::move(body));
}
Result<Response> delete_file(Services& services, Request& request) { return delete_at(services, request, false); }
Result<Response> delete_root(Services& services, Request& request) { return delete_at(services, request, true); }

// Copied with the response, as every std::function: hence what it shares.
struct ListingStream {
  // Pages between two turns of other requests on the same thread.
  static constexpr size_t pages_a_turn = 16;

  std::shared_ptr<service::FileListing> listing;
  Cancellation& cancellation;
  // What was read before the head was sent; it begins with the bracket.
  Bytes piece = "[";

  // Until the piece is full, or all is in it.
  Result<void> fill(Bytes& out) const {
    while (!listing->done() && out.size() < piece_bytes) {
      ASSIGN_OR_RETURN(const std::vector<FileStat> entries, listing->next());
      for (const FileStat& entry : entries) {
        if (out.size() > 1 || out.empty()) out.push_back(',');
        append_file_entry(out, entry);
      }
      // A page that found little took as long as any; a walk that finds nothing is as long as the directory is large.
      if (listing->done() || out.size() >= piece_bytes || !entries.empty()) continue;
      if (cancellation.requested()) return ErrorCode::operation_cancelled;
      RETURN_IF_ERROR(give_way());
    }
    return {};
  }
  Result<void> operator()(ResponseStream& stream) const {
    Bytes out = piece;
    for (size_t pages = 1; !listing->done(); ++pages) {
      RETURN_IF_ERROR(stream.write(out));
      if (cancellation.requested()) return ErrorCode::operation_cancelled;
      if (pages % pages_a_turn == 0) RETURN_IF_ERROR(give_way());
      out.clear();
      RETURN_IF_ERROR(fill(out));
    }
    RETURN_IF_ERROR(stream.write(out));
    RETURN_IF_ERROR(stream.write("]"));
    return stream.flush();
  }
};

Result<service::ListFilesRequest> listing_of(const Request& request) {
  service::ListFilesRequest listing{.glob = request.query("glob").value_or(""),
                                    .after = request.query("after").value_or("")};
  if (const auto text = request.query("depth")) {
    const auto depth = parse_number<int64_t>(*text);
    if (!depth || *depth < -1) return Error(ErrorCode::invalid_argument, "depth must be a number from -1 on");
    listing.depth = *depth;
  }
  if (const auto text = request.query("limit")) {
    const auto limit = parse_number<uint64_t>(*text);
    if (!limit) return Error(ErrorCode::invalid_argument, "limit must be a number from 0 on");
    listing.limit = *limit;
  }
  if (listing.glob.size() > max_glob_bytes) {
    return Error(ErrorCode::invalid_argument, fmt::format("glob has at most {} bytes", max_glob_bytes));
  }
  return listing;
}

Result<Response> list_directory(Services& services, Request& request, const OpenedFile& directory) {
  ASSIGN_OR_RETURN(const auto asked, listing_of(request));
  ASSIGN_OR_RETURN(auto found, services.files->list(directory, asked));
  ListingStream stream{std::make_shared<service::FileListing>(std::move(found)), request.cancellation()};
  RETURN_IF_ERROR(stream.fill(stream.piece));
  if (stream.listing->done()) return Response::json(std::move(stream.piece) + "]");
  return Response::streamed(json_type, std::move(stream));
}

// The bytes of a file or a chunk, or of the range that is asked for. A reader is absent where HEAD asks.
Result<Response> answer_file(const Request& request, const std::shared_ptr<OpenedFile>& opened) {
  const ByteSelection selected = select_bytes(request, hash_hex(opened->stat.hash), opened->stat.total_size);
  if (selected.is_partial() && opened->reader) {
    RETURN_IF_ERROR(opened->reader->select(selected.range->first, selected.range->count));
  }
  // The pins of what was opened last as long as its reader.
  Response response =
      answer_bytes(selected, {}, stream_of(std::shared_ptr<service::FileReader>(opened, opened->reader.get())));
  if (selected.is_unsatisfiable()) return response;
  response.add_header("Accept-Ranges", "bytes");
  const std::string_view type = opened->stat.content_type;
  response.add_header("Content-Type", type.empty() ? bytes_type : type);
  return response;
}

// What was found, by path or by hash, as GET and HEAD answer it.
Result<Response> answer(Services& services, Request& request, const std::shared_ptr<OpenedFile>& opened) {
  const FileStat& stat = opened->stat;
  Response response;
  // Who reads a file part by part is told that it has become another.
  if (const auto match = request.header("if-match"); match && !lists_tag(*match, hash_hex(stat.hash), false)) {
    return Error(ErrorCode::precondition_failed, "another version stands there: " + hash_hex(stat.hash));
  }
  if (const auto none_match = request.header("if-none-match");
      none_match && lists_tag(*none_match, hash_hex(stat.hash), true)) {
    response.status = 304;
    response.content_type = {};
  } else if (stat.kind == FileKind::file || stat.kind == FileKind::chunk) {
    ASSIGN_OR_RETURN(response, answer_file(request, opened));
  } else if (request.is_head()) {
    response.content_type = {};
  } else if (stat.kind == FileKind::symlink) {
    append_file_entry(response.body, stat);
  } else {
    ASSIGN_OR_RETURN(response, list_directory(services, request, *opened));
  }
  add_file_headers(response, stat);
  return response;
}

Result<Response> get_at(Services& services, Request& request, bool at_root) {
  ASSIGN_OR_RETURN(const bool no_follow, flag_of(request, "nofollow"));
  const service::OpenFileRequest asked{.path = path_of(request, at_root),
                                       .tree = tree_of(request),
                                       // HEAD tells of a link itself.
                                       .follow = !no_follow && !request.is_head()};
  const auto opened = std::make_shared<OpenedFile>();
  if (request.is_head()) {
    ASSIGN_OR_RETURN(opened->stat, services.files->stat(context_of(request), asked));
  } else {
    ASSIGN_OR_RETURN(*opened, services.files->open(context_of(request), asked));
  }
  return answer(services, request, opened);
}
Result<Response> get_file(Services& services, Request& request) { return get_at(services, request, false); }
Result<Response> get_root(Services& services, Request& request) { return get_at(services, request, true); }

Result<Response> get_by_hash(Services& services, Request& request) {
  const auto opened = std::make_shared<OpenedFile>();
  ASSIGN_OR_RETURN(*opened, services.files->open_hash(context_of(request), request.param("hash")));
  ASSIGN_OR_RETURN(Response response, answer(services, request, opened));
  response.add_header("X-Hash", hash_hex(opened->stat.hash));
  return response;
}

#define STRATA_LISTING_PARAMETERS                                                                                   \
  R"({"name":"depth","in":"query","schema":{"type":"integer","default":0},"description":"Of a directory: 0 its )"   \
  R"(children, n files and symlinks of n levels more, -1 of all, flat"},)"                                          \
  R"({"name":"glob","in":"query","schema":{"type":"string"},"description":"Of a directory: *, ?, [abc] on the )"    \
  R"(name; with a slash on the path from here"},)"                                                                  \
  R"({"name":"limit","in":"query","schema":{"type":"integer","default":0},"description":"Of a directory: entries )" \
  R"(at most; 0: all"},)"                                                                                           \
  R"({"name":"after","in":"query","schema":{"type":"string"},"description":"Of a directory: entries behind this )"  \
  R"(name, or path from here where depth is not 0"})"
#define STRATA_BYTES_PARAMETERS                                                                      \
  R"({"name":"Range","in":"header","schema":{"type":"string"},"description":"One range of bytes"},)" \
  R"({"name":"If-Range","in":"header","schema":{"type":"string"}},)"                                 \
  R"({"name":"If-Match","in":"header","schema":{"type":"string"}},)"                                 \
  R"({"name":"If-None-Match","in":"header","schema":{"type":"string"}})"
#define STRATA_CHANGE_PARAMETERS                                                                                    \
  "[" STRATA_FORK_PARAMETER                                                                                         \
  R"(,{"name":"If-Match","in":"header","schema":{"type":"string"},"description":"Only over what has one of these )" \
  R"(tags; *: over anything"},)"                                                                                    \
  R"({"name":"If-None-Match","in":"header","schema":{"type":"string"},"description":"Not over what has one of )"    \
  R"(these tags; *: over nothing"}])"
#define STRATA_GET_PARAMETERS                                                                                         \
  "[" STRATA_FORK_PARAMETER                                                                                           \
  R"(,{"name":"snapshot","in":"query","schema":{"type":"string"},"description":"As it was at a snapshot, on a fork )" \
  R"(or at HEAD; beats version"},)"                                                                                   \
  R"({"name":"version","in":"query","schema":{"type":"string"},"description":"As it was at this version hash"},)"     \
  R"({"name":"nofollow","in":"query","schema":{"type":"boolean","default":false},"description":"Of a symlink: )"      \
  R"(itself, as JSON"},)" STRATA_LISTING_PARAMETERS "," STRATA_BYTES_PARAMETERS "]"
#define STRATA_PUT_SCHEMA                                                                                             \
  R"({"type":"object","properties":{"path":{"type":"string"},"content_type":{"type":"string"},"total_size":{"type":)" \
  R"("integer"},"created_at":{"type":"integer"},"updated_at":{"type":"integer"},"hash":{"type":"string"}}})"
#define STRATA_SYMLINK_SCHEMA                                                                                   \
  R"({"type":"object","properties":{"path":{"type":"string"},"target":{"type":"string"},"entry_type":{"type":)" \
  R"("integer"},"created_at":{"type":"integer"},"updated_at":{"type":"integer"},"hash":{"type":"string"}}})"
#define STRATA_DELETED_SCHEMA                                                                               \
  R"({"type":"object","properties":{"deleted":{"type":"boolean"},"path":{"type":"string"},"type":{"type":)" \
  R"("string","enum":["symlink"]}}})"
#define STRATA_LISTING_SCHEMA \
  R"({"type":"array","items":{"type":"object","properties":{)" STRATA_FILE_ENTRY_FIELDS "}}}"

constexpr Route rows[] = {
    {.path = "/engine/",
     .also_at = "/engine",
     .operation = "listRoot",
     .permission = Permission::read,
     .timeout_ms = -1,
     .tag = "Files",
     .summary = "List the root directory",
     .parameters = STRATA_GET_PARAMETERS,
     .response_schema = STRATA_LISTING_SCHEMA,
     .error_statuses = "[404,412]",
     .handler = get_root},
    {.method = Method::put,
     .path = "/engine/",
     .also_at = "/engine",
     .operation = "putRoot",
     .permission = Permission::write,
     .tag = "Files",
     .summary = "Always 400: a file has a path",
     .handler = write_root},
    {.method = Method::delete_,
     .path = "/engine/",
     .also_at = "/engine",
     .operation = "deleteRoot",
     .permission = Permission::write,
     .tag = "Files",
     .summary = "Always 400: the root stays",
     .handler = delete_root},
    {.path = "/engine/{path*}",
     .operation = "getFile",
     .permission = Permission::read,
     .timeout_ms = -1,
     .tag = "Files",
     .summary = "Read a file, whole or a range, or list a directory, now or at any version",
     .parameters = STRATA_GET_PARAMETERS,
     .response_type = bytes_type,
     .error_statuses = "[404,412,416]",
     .handler = get_file},
    {.method = Method::put,
     .path = "/engine/{path*}",
     .operation = "putFile",
     .permission = Permission::write,
     .body = BodyKind::stream,
     .body_limit_bytes = max_file_bytes,
     .timeout_ms = -1,
     .tag = "Files",
     .summary = "Store a file; directories on the way are made",
     .parameters = STRATA_CHANGE_PARAMETERS,
     .response_schema = STRATA_PUT_SCHEMA,
     .success_status = 201,
     .error_statuses = "[404,409,412]",
     .handler = put_file},
    {.method = Method::delete_,
     .path = "/engine/{path*}",
     .operation = "deleteFile",
     .permission = Permission::write,
     .tag = "Files",
     .summary = "Delete a file, a symlink (not its target) or an empty directory",
     .parameters = STRATA_CHANGE_PARAMETERS,
     .response_schema = STRATA_DELETED_SCHEMA,
     .error_statuses = "[404,412]",
     .handler = delete_file},
    {.path = "/engine/_hash/{hash}",
     .operation = "getByHash",
     .permission = Permission::read,
     .timeout_ms = -1,
     .tag = "Files",
     .summary = "The file, chunk, directory or symlink with this hash",
     .parameters = "[" STRATA_LISTING_PARAMETERS "," STRATA_BYTES_PARAMETERS "]",
     .response_type = bytes_type,
     .error_statuses = "[404,412,416]",
     .handler = get_by_hash},
    {.method = Method::post,
     .path = "/engine-symlink/",
     .also_at = "/engine-symlink",
     .operation = "putRootSymlink",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Files",
     .summary = "Always 400: a symlink has a path",
     .handler = write_root},
    {.method = Method::post,
     .path = "/engine-symlink/{path*}",
     .operation = "putSymlink",
     .permission = Permission::write,
     .body = BodyKind::json,
     .tag = "Files",
     .summary = "Make or replace a symlink; the target need not exist",
     .parameters = STRATA_CHANGE_PARAMETERS,
     .request_schema = R"({"type":"object","required":["target"],"properties":{"target":{"type":"string"}}})",
     .response_schema = STRATA_SYMLINK_SCHEMA,
     .success_status = 201,
     .error_statuses = "[404,409,412]",
     .handler = put_symlink},
};

}  // namespace

std::span<const Route> file_routes() { return rows; }

}  // namespace strata::rest
