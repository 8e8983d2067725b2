// What the handlers of versioned files have in common.
//
// Purpose:       which tree a request means, what a file looks like in JSON and in headers.
// Ownership:     nothing is kept; a FileTree views the request.
// Thread safety: pure functions.
// Errors:        invalid_argument that names the parameter.
#pragma once

#include <string>
#include <string_view>

#include "faces/rest/namespace_handler.h"
#include "faces/rest/route.h"
#include "service/file_types.h"

namespace strata::rest {

// ?fork=, ?snapshot=, ?version=.
service::FileTree tree_of(const Request& request);
// Of an operation that writes: ?fork=, and no version.
Result<std::string_view> written_fork_of(const Request& request);
// ?name, ?name=true and ?name=1 are true, false and 0 false.
Result<bool> flag_of(const Request& request, std::string_view name);

// What a header can carry, at most 255 bytes.
Result<void> check_content_type(std::string_view type);

// As some answers of the interface write them: without the leading slash.
inline std::string_view without_slash(std::string_view path) { return path.substr(path.starts_with('/') ? 1 : 0); }

// {"path", "name", "entry_type", "hash", "total_size", "created_at", "updated_at", "content_type"[, "target"]}
void append_file_entry(Bytes& body, const service::FileStat& stat);
// "text", or null for nothing.
void append_text_or_null(Bytes& body, std::string_view text);

// What may stand in a header: printable ASCII, all else percent-encoded, and so are '%' and a blank at the end.
std::string header_text(std::string_view text);
// ETag and the X- headers of what was found.
void add_file_headers(Response& response, const service::FileStat& stat);

#define STRATA_FILE_ENTRY_FIELDS                                                                                 \
  R"("path":{"type":"string"},"name":{"type":"string"},"entry_type":{"type":"integer","enum":[2,3,8]},"hash":{)" \
  R"("type":"string"},"total_size":{"type":"integer"},"created_at":{"type":"integer"},"updated_at":{"type":)"    \
  R"("integer"},"content_type":{"type":"string","nullable":true},"target":{"type":"string"})"
#define STRATA_FORK_PARAMETER \
  R"({"name":"fork","in":"query","schema":{"type":"string"},"description":"A fork's name; without it HEAD"})"

}  // namespace strata::rest
