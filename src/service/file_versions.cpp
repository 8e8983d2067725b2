#include "service/file_versions.h"

#include <fmt/format.h>

#include <algorithm>

#include "layers/files/path.h"
#include "service/file_trees.h"
#include "service/file_writer.h"
#include "service/version_operations.h"

namespace strata::service {
namespace {

using archive::ChildEntry;
using archive::EntryKind;

bool is_older(int64_t a_ms, const std::string& a, int64_t b_ms, const std::string& b) {
  return std::tie(a_ms, a) < std::tie(b_ms, b);
}

// Whether it is the same content: of a file its chunks, of a symlink its target.
Result<bool> same_content(const files::EntryReader& reader, const ChildEntry& a, const ChildEntry& b) {
  if (a.hash == b.hash) return true;
  if (a.kind != b.kind || a.size != b.size) return false;
  if (a.kind == EntryKind::file) {
    ASSIGN_OR_RETURN(const auto first, reader.file_record(a.hash));
    ASSIGN_OR_RETURN(const auto second, reader.file_record(b.hash));
    return first.chunks == second.chunks;
  }
  ASSIGN_OR_RETURN(const auto first, reader.symlink(a.hash));
  ASSIGN_OR_RETURN(const auto second, reader.symlink(b.hash));
  return first.target == second.target;
}

// What one snapshot says about a path, given what the one before it said.
Result<std::optional<FileChange>> change_of(const files::EntryReader& reader, const files::Snapshot& snapshot,
                                            const std::optional<ChildEntry>& before,
                                            const std::optional<ChildEntry>& now, const std::string& path) {
  if (!before && !now) return std::optional<FileChange>();
  FileChange change{.snapshot = snapshot.name, .timestamp_ms = snapshot.created_at_ms, .file = {}};
  if (!now) {
    change.type = FileChangeType::deleted;
  } else if (before) {
    ASSIGN_OR_RETURN(const bool same, same_content(reader, *before, *now));
    change.type = same ? FileChangeType::unchanged : FileChangeType::modified;
  }
  ASSIGN_OR_RETURN(change.file, stat_of(reader, now ? *now : *before, path));
  return std::optional<FileChange>(std::move(change));
}

// The operation that puts what stands at the path in another version.
Result<std::unique_ptr<FileOperation>> put_again(const files::EntryReader& reader, const FileStat& found,
                                                 const FileSystemOptions& options) {
  if (found.kind == FileKind::symlink) {
    auto put = std::make_unique<PutSymlink>();
    put->path = found.path;
    put->target = found.target;
    return std::unique_ptr<FileOperation>(std::move(put));
  }
  ASSIGN_OR_RETURN(archive::FileRecord record, reader.file_record(found.hash));
  auto put = std::make_unique<PutFile>();
  put->path = found.path;
  put->content_type = std::move(record.content_type);
  put->metadata = std::move(record.metadata);
  put->chunks = std::move(record.chunks);
  put->gather_up_to = std::max(options.max_file_bytes, record.total_size);
  return std::unique_ptr<FileOperation>(std::move(put));
}

}  // namespace

std::string_view file_change_name(FileChangeType type) {
  switch (type) {
    case FileChangeType::added:
      return "added";
    case FileChangeType::modified:
      return "modified";
    case FileChangeType::unchanged:
      return "unchanged";
    case FileChangeType::deleted:
      return "deleted";
  }
  return "";
}

Result<SnapshotInfo> FileVersions::make_snapshot(const Context& context, const MakeSnapshotRequest& request) {
  RETURN_IF_ERROR(files::validate_version_name(request.name));
  if (request.metadata.size() > max_snapshot_metadata_bytes) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("metadata is longer than {} bytes", max_snapshot_metadata_bytes));
  }
  MakeSnapshot operation;
  operation.name = request.name;
  operation.metadata = request.metadata;
  RETURN_IF_ERROR(system_.writer(request.fork)->submit(context, operation));
  return std::move(operation.made);
}

Result<std::vector<SnapshotInfo>> FileVersions::snapshots(const Context& context) {
  ASSIGN_OR_RETURN(auto found, system_.read(context, [](const files::EntryReader& reader) {
    return files::read_snapshots(reader.transaction());
  }));
  std::vector<SnapshotInfo> snapshots;
  for (files::Snapshot& snapshot : found) {
    snapshots.push_back({.name = std::move(snapshot.name),
                         .root = snapshot.root,
                         .created_at_ms = snapshot.created_at_ms,
                         .metadata = {}});
  }
  std::ranges::sort(snapshots, [](const SnapshotInfo& a, const SnapshotInfo& b) {
    return is_older(a.created_at_ms, a.name, b.created_at_ms, b.name);
  });
  return snapshots;
}

Result<std::vector<SnapshotInfo>> FileVersions::with_metadata(const Context& context,
                                                              std::span<const SnapshotInfo> snapshots) {
  using Found = std::vector<SnapshotInfo>;
  return system_.read(context, [&](const files::EntryReader& reader) -> Result<Found> {
    Found found;
    for (const SnapshotInfo& snapshot : snapshots) {
      ASSIGN_OR_RETURN(auto stored, files::read_snapshot(reader.transaction(), snapshot.name));
      // Deleted meanwhile, or another one that has its name now.
      if (!stored || stored->created_at_ms != snapshot.created_at_ms) continue;
      found.push_back(snapshot);
      found.back().metadata = std::move(stored->metadata);
    }
    return found;
  });
}

Result<void> FileVersions::restore(const Context& context, std::string_view name, std::string_view fork) {
  RestoreSnapshot operation;
  operation.name = name;
  return system_.writer(fork)->submit(context, operation);
}

Result<void> FileVersions::remove_snapshot(const Context& context, std::string_view name) {
  RemoveSnapshot operation;
  operation.name = name;
  return system_.writer(files::head)->submit(context, operation);
}

Result<ForkInfo> FileVersions::make_fork(const Context& context, const ForkRequest& request) {
  RETURN_IF_ERROR(files::validate_version_name(request.name));
  MakeFork operation;
  operation.name = request.name;
  operation.base = request.base.value_or("");
  RETURN_IF_ERROR(system_.writer(files::head)->submit(context, operation));
  return std::move(operation.made);
}

Result<std::vector<ForkInfo>> FileVersions::forks(const Context& context) {
  ASSIGN_OR_RETURN(auto branches, system_.read(context, [](const files::EntryReader& reader) {
    return files::read_branches(reader.transaction());
  }));
  std::vector<ForkInfo> forks;
  for (files::Branch& branch : branches) {
    if (branch.name == files::head) continue;
    forks.push_back({.name = std::move(branch.name), .root = branch.root, .created_at_ms = branch.created_at_ms});
  }
  std::ranges::sort(forks, [](const ForkInfo& a, const ForkInfo& b) {
    return is_older(a.created_at_ms, a.name, b.created_at_ms, b.name);
  });
  return forks;
}

Result<void> FileVersions::promote_fork(const Context& context, std::string_view name) {
  PromoteFork operation;
  operation.name = name;
  if (name.empty()) return no_such_fork(name);
  // The transaction reads the fork: its writers wait, so that they do not make it conflict again and again. Writers of
  // HEAD never wait for those of a fork, so this ends.
  return system_.writer(name)->exclude(context,
                                       [&] { return system_.writer(files::head)->submit(context, operation); });
}

Result<void> FileVersions::abandon_fork(const Context& context, std::string_view name) {
  AbandonFork operation;
  operation.name = name;
  if (name.empty()) return no_such_fork(name);
  return system_.writer(name)->exclude(context,
                                       [&] { return system_.writer(files::head)->submit(context, operation); });
}

Result<void> FileVersions::promote(const Context& context, const Hash& version) {
  PromoteVersion operation;
  operation.root = version;
  return system_.writer(files::head)->submit(context, operation);
}

Result<FileVersions::Resolved> FileVersions::resolve(const Context& context, const FileTree& tree) {
  const FilePins::Pin ticket = system_.pins().enter();
  ASSIGN_OR_RETURN(const TreeRoot found,
                   system_.read(context, [&](const files::EntryReader& reader) { return find_tree(reader, tree); }));
  return Resolved{.root = found.root, .pin = system_.pins().pin(FileKind::directory, found.root)};
}

Result<FileHistory> FileVersions::history(const Context& context, std::string_view path) {
  ASSIGN_OR_RETURN(std::string canonical, files::canonical_path(path));
  if (canonical == "/") return files::path_is_root();
  // Of a version at a time, so that no transaction lasts long.
  std::vector<FilePins::Pin> pins;
  std::vector<files::Snapshot> snapshots;
  {
    const FilePins::Pin ticket = system_.pins().enter();
    ASSIGN_OR_RETURN(snapshots, system_.read(context, [](const files::EntryReader& reader) {
      return files::read_snapshots(reader.transaction());
    }));
    for (const auto& snapshot : snapshots) pins.push_back(system_.pins().pin(FileKind::directory, snapshot.root));
  }
  std::ranges::sort(snapshots, [](const files::Snapshot& a, const files::Snapshot& b) {
    return is_older(a.created_at_ms, a.name, b.created_at_ms, b.name);
  });
  std::vector<FileChange> changes;
  std::optional<ChildEntry> before;
  for (const files::Snapshot& snapshot : snapshots) {
    std::optional<ChildEntry> now;
    ASSIGN_OR_RETURN(auto change,
                     system_.read(context, [&](const files::EntryReader& reader) -> Result<std::optional<FileChange>> {
                       ASSIGN_OR_RETURN(now, files::find_path(reader, snapshot.root, canonical));
                       if (now && now->kind == EntryKind::directory) now.reset();
                       return change_of(reader, snapshot, before, now, canonical);
                     }));
    if (change) changes.push_back(*std::move(change));
    before = std::move(now);
  }
  std::ranges::reverse(changes);
  return FileHistory{.path = std::move(canonical), .changes = std::move(changes)};
}

Result<RestoredFile> FileVersions::restore_file(const Context& context, const RestoreFileRequest& request) {
  ASSIGN_OR_RETURN(const std::string path, files::canonical_written_path(request.path));
  if (!request.from.snapshot && !request.from.version) {
    return Error(ErrorCode::invalid_argument, "snapshot or version is required");
  }
  // Held until the file stands in the branch: nothing of it is collected before.
  const FilePins::Pin ticket = system_.pins().enter();
  FilePins::Pin pin;
  RestorePath operation;
  FileStat found;
  RETURN_IF_ERROR(system_.read(context, [&](const files::EntryReader& reader) -> Result<void> {
    ASSIGN_OR_RETURN(const TreeRoot tree, find_tree(reader, request.from));
    ASSIGN_OR_RETURN(const auto entry, files::find_path(reader, tree.root, path));
    if (!entry || entry->kind == EntryKind::directory) return no_such_file(path);
    ASSIGN_OR_RETURN(found, stat_of(reader, *entry, path));
    ASSIGN_OR_RETURN(operation.put, put_again(reader, found, system_.options()));
    return {};
  }));
  RETURN_IF_ERROR(system_.writer(request.from.fork)->submit(context, operation));
  RestoredFile restored{.file = {}, .auto_snapshot = std::move(operation.auto_snapshot)};
  if (found.kind == FileKind::symlink) {
    restored.file = std::move(static_cast<PutSymlink&>(*operation.put).stat);
  } else {
    restored.file = std::move(static_cast<PutFile&>(*operation.put).stat);
  }
  return restored;
}

}  // namespace strata::service
