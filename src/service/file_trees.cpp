#include "service/file_trees.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "layers/files/path.h"
#include "layers/files/versions.h"

namespace strata::service {
namespace {

using archive::ChildEntry;
using archive::EntryKind;

constexpr int max_hops = 32;

TreeRoot root_of(const files::Branch& branch) {
  return {.root = branch.root, .created_at_ms = branch.created_at_ms, .updated_at_ms = branch.changed_at_ms};
}

Result<std::optional<TreeRoot>> find_branch(const files::EntryReader& reader, std::string_view name) {
  ASSIGN_OR_RETURN(const auto branch, files::read_branch(reader.transaction(), name));
  if (!branch) return std::optional<TreeRoot>();
  return std::optional<TreeRoot>(root_of(*branch));
}

Result<TreeRoot> find_snapshot(const files::EntryReader& reader, std::string_view name) {
  if (name == "HEAD") {
    ASSIGN_OR_RETURN(const auto head, find_branch(reader, files::head));
    return *head;
  }
  ASSIGN_OR_RETURN(const auto snapshot, files::read_snapshot(reader.transaction(), name));
  if (snapshot) {
    return TreeRoot{
        .root = snapshot->root, .created_at_ms = snapshot->created_at_ms, .updated_at_ms = snapshot->created_at_ms};
  }
  // The empty name is HEAD's row, and no name of a snapshot.
  if (!name.empty()) {
    ASSIGN_OR_RETURN(const auto fork, find_branch(reader, name));
    if (fork) return *fork;
  }
  return no_such_snapshot(name);
}

Result<TreeRoot> find_version(const files::EntryReader& reader, std::string_view digits) {
  const std::optional<Hash> root = parse_hash_hex(digits);
  if (!root) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("a version is 64 hexadecimal digits, not {}", printable(digits)));
  }
  if (*root == files::empty_directory()) return TreeRoot{.root = *root};
  ASSIGN_OR_RETURN(const auto row, files::read_version_row(reader.transaction(), *root));
  if (!row) return Error(ErrorCode::not_found, fmt::format("version not found: {}", digits));
  return TreeRoot{.root = *root, .created_at_ms = row->created_at_ms, .updated_at_ms = row->created_at_ms};
}

// Where a symlink in `directory` points. "." and ".." are taken off by their words alone; above the root is the root.
Result<std::string> target_path(std::string_view directory, std::string_view target) {
  std::string path(target.starts_with('/') ? "/" : directory);
  while (!target.empty()) {
    const std::string_view part = target.substr(0, target.find('/'));
    target.remove_prefix(std::min(target.size(), part.size() + 1));
    if (part.empty() || part == ".") continue;
    path = part == ".." ? std::string(files::parent_path(path)) : files::join_path(path, part);
  }
  return files::canonical_path(path);
}

// One walk down a path until its end, a symlink, or nothing.
struct Walk {
  std::optional<ChildEntry> found;
  // Of `found`.
  std::string_view path;
  // Behind it; not empty only behind a symlink.
  std::string_view rest;
};

Result<Walk> walk(const files::EntryReader& reader, const Hash& root, std::string_view path) {
  Hash directory = root;
  for (size_t begin = 1;;) {
    const size_t end = std::min(path.find('/', begin), path.size());
    ASSIGN_OR_RETURN(auto child, files::find_child(reader, directory, path.substr(begin, end - begin)));
    if (!child) return Walk{};
    const bool is_last = end == path.size();
    if (is_last || child->kind == EntryKind::symlink) {
      return Walk{.found = std::move(child), .path = path.substr(0, end), .rest = path.substr(end)};
    }
    if (child->kind != EntryKind::directory) return Walk{};
    directory = child->hash;
    begin = end + 1;
  }
}

}  // namespace

Error no_such_fork(std::string_view name) { return {ErrorCode::not_found, "fork not found: " + printable(name)}; }
Error no_such_snapshot(std::string_view name) {
  return {ErrorCode::not_found, "snapshot not found: " + printable(name)};
}
Error no_such_file(std::string_view path) { return {ErrorCode::not_found, "not found: " + printable(path)}; }
Error file_too_large(uint64_t most_bytes) {
  return {ErrorCode::payload_too_large, fmt::format("a file has at most {} bytes", most_bytes)};
}

Result<TreeRoot> find_tree(const files::EntryReader& reader, const FileTree& tree) {
  if (tree.snapshot) return find_snapshot(reader, *tree.snapshot);
  if (tree.version) return find_version(reader, *tree.version);
  ASSIGN_OR_RETURN(const auto branch, find_branch(reader, tree.fork));
  if (!branch) return no_such_fork(tree.fork);
  return *branch;
}

FileStat stat_of(const archive::FileRecord& record, const Hash& hash) {
  return {.kind = FileKind::file,
          .path = record.path,
          .hash = hash,
          .total_size = record.total_size,
          .created_at_ms = record.created_at_ms,
          .updated_at_ms = record.updated_at_ms,
          .content_type = record.content_type,
          .target = {}};
}

Result<FileStat> stat_of(const files::EntryReader& reader, const ChildEntry& entry, std::string path) {
  FileStat stat{.kind = static_cast<FileKind>(entry.kind),
                .path = std::move(path),
                .hash = entry.hash,
                .total_size = entry.size,
                .created_at_ms = entry.created_at_ms,
                .updated_at_ms = entry.updated_at_ms,
                .content_type = entry.content_type,
                .target = {}};
  if (entry.kind == EntryKind::symlink) {
    ASSIGN_OR_RETURN(archive::SymlinkRecord record, reader.symlink(entry.hash));
    stat.target = std::move(record.target);
  }
  return stat;
}

Result<std::optional<FileStat>> find_file(const files::EntryReader& reader, const TreeRoot& tree, std::string_view path,
                                          bool follow) {
  std::string current(path);
  std::set<std::string> seen;
  for (int hops = 0;; ++hops) {
    if (current == "/") {
      return std::optional<FileStat>(FileStat{.kind = FileKind::directory,
                                              .path = current,
                                              .hash = tree.root,
                                              .total_size = 0,
                                              .created_at_ms = tree.created_at_ms,
                                              .updated_at_ms = tree.updated_at_ms,
                                              .content_type = {},
                                              .target = {}});
    }
    ASSIGN_OR_RETURN(const Walk walked, walk(reader, tree.root, current));
    if (!walked.found) return std::optional<FileStat>();
    if (walked.found->kind != EntryKind::symlink || (walked.rest.empty() && !follow)) {
      ASSIGN_OR_RETURN(FileStat stat, stat_of(reader, *walked.found, std::string(walked.path)));
      return std::optional<FileStat>(std::move(stat));
    }
    if (!seen.insert(current).second) {
      return Error(ErrorCode::invalid_argument, "symlinks form a cycle: " + printable(path));
    }
    if (hops == max_hops) {
      return Error(ErrorCode::invalid_argument,
                   fmt::format("maximum symlink depth of {} exceeded: {}", max_hops, printable(path)));
    }
    ASSIGN_OR_RETURN(const archive::SymlinkRecord link, reader.symlink(walked.found->hash));
    ASSIGN_OR_RETURN(std::string target, target_path(files::parent_path(walked.path), link.target));
    target += walked.rest;
    ASSIGN_OR_RETURN(current, files::canonical_path(target));
  }
}

}  // namespace strata::service
