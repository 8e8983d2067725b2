// FileListing: the entries of a directory, page by page.
//
// Purpose:       a directory of a million entries is listed with a page's memory.
// Ownership:     borrows the FileSystem; its pin keeps the tree.
// Thread safety: one coroutine or thread at a time.
// Invariants:    one version of the tree, whatever happens meanwhile. Order: by name; of deeper listings by the names
//                on the path, a directory's files in its place. An error is final.
#pragma once

#include <string>
#include <vector>

#include "service/file_system.h"
#include "service/file_types.h"

namespace strata::service {

struct ListFilesRequest {
  // 0: the directory's children. More, or -1 for all: files and symlinks of so many levels more, flat.
  int64_t depth = 0;
  // base/glob.h, on the name; one with a slash is matched with the path below the directory. Empty: everything.
  std::string_view glob = {};
  // Of entries; 0: no limit.
  uint64_t limit = 0;
  // Behind this name, or path below the directory where depth is not 0.
  std::string_view after = {};
};

class FileListing {
 public:
  FileListing(FileSystem& system, const FileStat& directory, const ListFilesRequest& request, FilePins::Pin pin);

  // The next entries; perhaps none, and yet not done().
  Result<std::vector<FileStat>> next(const Context& context = {});
  bool done() const { return levels_.empty(); }

 private:
  // A directory that is being walked, and the last name that was.
  struct Level {
    Hash directory;
    std::string path;
    std::string after;
  };
  struct Page {
    std::vector<Level> levels;
    std::vector<FileStat> entries;
    size_t looked_at = 0;
  };

  Result<void> begin(const files::EntryReader& reader, Page& page) const;
  Result<void> walk(const files::EntryReader& reader, Page& page) const;
  bool goes_into(const archive::ChildEntry& child, size_t level) const;
  bool wants(const archive::ChildEntry& child, const Level& level) const;

  FileSystem& system_;
  const std::string base_;
  const int64_t depth_;
  const std::string glob_;
  const std::string after_;
  const FilePins::Pin pin_;
  uint64_t left_;
  bool began_ = false;
  // The innermost last; empty at the end.
  std::vector<Level> levels_;
};

}  // namespace strata::service
