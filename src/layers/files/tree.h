// Trees: what paths lead to, below the root of a version.
//
// Purpose:       find a path, and change many paths at once: TreeEdit gathers what changes and rewrites each directory
//                once.
// Ownership:     TreeEdit borrows its writer.
// Thread safety: as the transaction.
// Invariants:    paths are canonical. What a TreeEdit answers includes what it was told before. Its memory is that of
//                the edits and of the directories on their way.
// Errors:        not_found: a node was collected; corruption; those named below.
#pragma once

#include <map>
#include <string>

#include "layers/files/directory.h"

namespace strata::files {

// Symlinks are not followed. "/" is a directory without a name. nullopt: nothing is there.
Result<std::optional<ChildEntry>> find_path(const EntryReader& reader, const Hash& root, std::string_view path);

class TreeEdit {
 public:
  // Directories that change get now_ms as their time.
  TreeEdit(EntryWriter& writer, const Hash& root, int64_t now_ms) : writer_(writer), root_(root), now_ms_(now_ms) {}

  Result<std::optional<ChildEntry>> find(std::string_view path);
  // A file or a symlink, whose name is the path's last part; missing directories are made. already_exists: a file or a
  // symlink stands in a parent's place, or a directory at the path. invalid_argument: the root.
  Result<void> put(std::string_view path, ChildEntry entry);
  // A file, a symlink or a directory without children. not_found: nothing is there, or the directory is not empty.
  Result<void> remove(std::string_view path);

  // What was done since mark() can be undone, until finish().
  size_t mark() const { return undo_.size(); }
  void roll_back(size_t mark);

  // Puts the directories that changed; the root. May go on from there.
  Result<Hash> finish();
  // Goes on from another version; nothing may be unfinished.
  void reset(const Hash& root);

 private:
  struct Directory {
    Hash base{};
    std::map<std::string, std::optional<ChildEntry>, std::less<>> edits;
  };
  struct Undo {
    Directory* directory;
    std::string name;
    // What its edits said before; absent: nothing.
    std::optional<std::optional<ChildEntry>> before;
  };
  using Directories = std::map<std::string, Directory, std::less<>>;

  // Null: there is no such directory.
  Result<Directory*> open(std::string_view path);
  Result<std::optional<ChildEntry>> find_in(const Directory& directory, std::string_view name);
  Result<Directory*> open_or_make(std::string_view path);
  Result<bool> is_empty(std::string_view path);
  void set(Directory& directory, std::string_view name, std::optional<ChildEntry> entry);

  EntryWriter& writer_;
  Hash root_;
  int64_t now_ms_;
  // By path; addresses stay.
  Directories directories_;
  std::vector<Undo> undo_;
};

}  // namespace strata::files
