// FileListing: the entries of a directory, page by page.
//
// Purpose:       a directory of a million entries is listed with a page's memory.
// Ownership:     borrows the FileSystem; its pin keeps the tree.
// Thread safety: one coroutine or thread at a time.
// Invariants:    one version of the tree, whatever happens meanwhile. Order: by name; of deeper listings by the names
//                on the path. An error is final.
#pragma once

#include <string>
#include <vector>

#include "service/file_system.h"
#include "service/file_types.h"

namespace strata::service {

class FileListing {
 public:
  FileListing(FileSystem& system, const FileStat& directory, FilePins::Pin pin);

  // The next entries; perhaps none, and yet not done().
  Result<std::vector<FileStat>> next();
  bool done() const { return done_; }

 private:
  bool done_ = false;
};

}  // namespace strata::service
