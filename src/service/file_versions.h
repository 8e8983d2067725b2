// FileVersions: snapshots, forks, what HEAD is, and what became of one file.
//
// Purpose:       the use cases that name versions of the whole tree or move branches to them, all without copying.
// Ownership:     borrows the FileSystem.
// Thread safety: any thread.
// Invariants:    a change is answered after its commit. Versions that a snapshot, a fork or HEAD names stay whole.
// Errors:        of every method: invalid_argument (a name that is empty, longer than 1,024 bytes or not UTF-8);
//                not_found (no such snapshot, fork or version).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "service/context.h"
#include "service/file_system.h"
#include "service/file_types.h"

namespace strata::service {

struct SnapshotInfo {
  std::string name;
  Hash root{};
  int64_t created_at_ms = 0;
  std::string metadata;  // a JSON object
};
struct ForkInfo {
  std::string name;
  Hash root{};
  int64_t created_at_ms = 0;
};

struct MakeSnapshotRequest {
  std::string_view name;
  // A JSON object that the caller has checked; at most max_snapshot_metadata_bytes.
  std::string_view metadata = "{}";
  // Of which branch; empty: HEAD.
  std::string_view fork = {};
};
inline constexpr size_t max_snapshot_metadata_bytes = 64u << 10;

struct ForkRequest {
  std::string_view name;
  // A snapshot's name, a fork's or "HEAD"; absent: HEAD.
  std::optional<std::string_view> base = std::nullopt;
};

enum class FileChangeType : uint8_t { added, modified, unchanged, deleted };
std::string_view file_change_name(FileChangeType type);
struct FileChange {
  std::string snapshot;
  int64_t timestamp_ms = 0;  // the snapshot's
  FileChangeType type = FileChangeType::added;
  // Of the file in the snapshot; of one that is deleted there, as it was before.
  FileStat file;
};
struct FileHistory {
  std::string path;  // canonical
  std::vector<FileChange> changes;
};

struct RestoreFileRequest {
  std::string_view path;
  // snapshot or version is given; fork: the branch that is written.
  FileTree from = {};
};
struct RestoredFile {
  FileStat file;
  std::string auto_snapshot;
};

class FileVersions {
 public:
  explicit FileVersions(FileSystem& system) : system_(system) {}

  // already_exists.
  Result<SnapshotInfo> make_snapshot(const Context& context, const MakeSnapshotRequest& request);
  // Oldest first, without their metadata.
  Result<std::vector<SnapshotInfo>> snapshots(const Context& context);
  // Those of them that are still there, with it.
  Result<std::vector<SnapshotInfo>> with_metadata(const Context& context, std::span<const SnapshotInfo> snapshots);
  // The branch shows the snapshot from now on; fork: empty is HEAD.
  Result<void> restore(const Context& context, std::string_view name, std::string_view fork = {});
  Result<void> remove_snapshot(const Context& context, std::string_view name);

  // already_exists.
  Result<ForkInfo> make_fork(const Context& context, const ForkRequest& request);
  // Oldest first.
  Result<std::vector<ForkInfo>> forks(const Context& context);
  // HEAD shows what the fork shows; the fork stays.
  Result<void> promote_fork(const Context& context, std::string_view name);
  Result<void> abandon_fork(const Context& context, std::string_view name);

  // HEAD becomes this version. not_found: nothing says that it is whole; conflict: a collection runs and may be
  // clearing it.
  Result<void> promote(const Context& context, const Hash& version);
  // The version that is meant, while it is kept from collections.
  struct Resolved {
    Hash root{};
    FilePins::Pin pin;
  };
  Result<Resolved> resolve(const Context& context, const FileTree& tree);

  // Newest first, of all snapshots; no changes when the path was never a file or symlink in any. The root, which can be
  // neither, is refused as restore_file refuses it.
  Result<FileHistory> history(const Context& context, std::string_view path);
  // Makes the snapshot "pre-restore-2026-04-14T05-01-01Z" and writes the file, in one transaction.
  Result<RestoredFile> restore_file(const Context& context, const RestoreFileRequest& request);

 private:
  FileSystem& system_;
};

}  // namespace strata::service
