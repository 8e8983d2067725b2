// File trees: which tree a request means, and what a path leads to in it.
//
// Purpose:       the one place where HEAD, forks, snapshots and version hashes are told apart and symlinks followed.
// Ownership:     values.
// Thread safety: as the reader's transaction.
// Errors:        as service/files.h says; not_found of a tree names it.
#pragma once

#include "layers/files/directory.h"
#include "service/file_types.h"

namespace strata::service {

struct TreeRoot {
  Hash root{};
  // What the root directory shows; 0 where nobody knows.
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
};
Result<TreeRoot> find_tree(const files::EntryReader& reader, const FileTree& tree);

Error no_such_fork(std::string_view name);
Error no_such_snapshot(std::string_view name);
Error no_such_file(std::string_view path);
Error file_too_large(uint64_t most_bytes);

// A canonical path. Symlinks on the way are followed, one at its end where `follow` says so; at most 32. The answer's
// path is the one that was reached. nullopt: nothing is there.
Result<std::optional<FileStat>> find_file(const files::EntryReader& reader, const TreeRoot& tree, std::string_view path,
                                          bool follow);

// Of what a directory says about a child; a symlink's target is read.
Result<FileStat> stat_of(const files::EntryReader& reader, const archive::ChildEntry& entry, std::string path);
// Of a record, for what has no place in a tree.
FileStat stat_of(const archive::FileRecord& record, const Hash& hash);

}  // namespace strata::service
