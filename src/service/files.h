// Files: the use cases of versioned files, one path at a time.
//
// Purpose:       put, read, list and remove files and symlinks, in HEAD or a fork; read and list any version.
// Ownership:     borrows the FileSystem, which outlives it and every reader and listing.
// Thread safety: any thread; a reader or listing belongs to one at a time.
// Invariants:    a change is answered after its commit and is there whole or not at all. A reader hands out bytes whose
//                hash it has checked; what it reads stays, whatever is written, removed or collected meanwhile.
// Errors:        of every method: invalid_argument (a path that is none, a version that is no hash, a cycle of symlinks
//                or more than 32); not_found (no such path, snapshot, version or fork); corruption.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/byte_stream.h"
#include "service/context.h"
#include "service/file_listing.h"
#include "service/file_reader.h"
#include "service/file_system.h"

namespace strata::service {

struct PutFileRequest {
  std::string_view path;
  // Empty: told from the first bytes.
  std::string_view content_type = {};
  // Empty: HEAD.
  std::string_view fork = {};
  // Read to its end.
  ByteSource* body = nullptr;
  // What its sender says it has; a hint.
  std::optional<uint64_t> expected_bytes = std::nullopt;
  PathGuard guard = {};
};
struct PutSymlinkRequest {
  std::string_view path;
  // Absolute or relative to the link's directory; need not exist.
  std::string_view target;
  std::string_view fork = {};
  PathGuard guard = {};
};
struct RemoveFileRequest {
  std::string_view path;
  std::string_view fork = {};
  PathGuard guard = {};
};

struct OpenFileRequest {
  std::string_view path;
  FileTree tree = {};
  // False: a symlink at the end of the path is what is opened. Those on the way are always followed.
  bool follow = true;
};
// What was found, kept from collections while this lives. Its path is the one at the end of all symlinks.
struct OpenedFile {
  FileStat stat;
  // Of a file or a chunk; absent of others.
  std::unique_ptr<FileReader> reader;
  FilePins::Pin pin;
};

class Files {
 public:
  explicit Files(FileSystem& system);

  // What stands there now; an overwrite keeps created_at_ms. conflict: a directory stands at the path, or something
  // that is no directory in a parent's place. payload_too_large: max_file_bytes of the options.
  Result<FileStat> put(const Context& context, const PutFileRequest& request);
  // What put() would say to any body as things are now; reads none.
  Result<void> check_put(const Context& context, const PutFileRequest& request);
  // conflict as put.
  Result<FileStat> put_symlink(const Context& context, const PutSymlinkRequest& request);
  // What was removed: a file, a symlink (never its target) or an empty directory. A directory that is not empty:
  // not_found.
  Result<FileStat> remove(const Context& context, const RemoveFileRequest& request);

  Result<OpenedFile> open(const Context& context, const OpenFileRequest& request);
  // The same without a reader.
  Result<FileStat> stat(const Context& context, const OpenFileRequest& request);
  // The entry of that name (64 hexadecimal digits) wherever it stands: file, chunk, directory or symlink.
  Result<OpenedFile> open_hash(const Context& context, std::string_view hash);

  // Of an opened directory, by name. It keeps what it needs; `opened` may die.
  Result<FileListing> list(const OpenedFile& opened, const ListFilesRequest& request);

 private:
  Result<void> check_place(const Context& context, std::string_view path, const PutFileRequest& request);

  FileSystem& system_;
};

}  // namespace strata::service
