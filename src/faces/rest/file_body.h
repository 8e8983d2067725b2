// Bodies of the routes of versioned files: from JSON to requests.
//
// Purpose:       fields and their types. What they hold is the service's to check.
// Ownership:     a body owns its texts.
// Thread safety: pure functions.
// Errors:        invalid_argument that names the field. null counts as absent; fields that nobody asks for are ignored,
//                since clients of other servers send them.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "service/file_uploads.h"

namespace strata::rest {

// {"target"}
Result<std::string> parse_symlink(BytesView body);

// {"name"}
Result<std::string> parse_version_name(BytesView body);

// {"name", "metadata"}
struct SnapshotBody {
  std::string name;
  std::string metadata = "{}";
};
Result<SnapshotBody> parse_snapshot(BytesView body);

// {"name", "base"}
struct ForkBody {
  std::string name;
  std::optional<std::string> base;
};
Result<ForkBody> parse_fork(BytesView body);

// {"snapshot", "version"}, one of them at least.
struct RestoreFileBody {
  std::optional<std::string> snapshot;
  std::optional<std::string> version;
};
Result<RestoreFileBody> parse_restore_file(BytesView body);

// {"hashes"}
Result<std::vector<Hash>> parse_checked_hashes(BytesView body);
// 64 hexadecimal digits.
Result<Hash> parse_chunk_hash(BytesView text);

// {"files": [{"path", "content_type", "chunk_hashes" or "chunks"}]}
struct UploadBody {
  std::deque<std::string> texts;
  std::vector<service::UploadedFile> files;
};
Result<UploadBody> parse_upload(BytesView body);

// {"dry_run"}; an empty body asks for nothing.
Result<bool> parse_collection_task(BytesView body);

}  // namespace strata::rest
