// What can be done to one path of a branch (service/file_batch.h).
//
// Purpose:       put a file or a symlink, remove a path.
// Ownership:     an operation owns what it was told; PutFile views its session and its limit is the caller's.
// Thread safety: of the request that waits, then of the leader.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "service/chunk_packer.h"
#include "service/file_batch.h"
#include "service/file_types.h"

namespace strata::service {

// Any path, absolute or relative, of names or "." and "..".
Result<void> validate_target(std::string_view target);
// Of the change of a path where `standing` is; without a guard there is nothing to refuse.
Result<void> check_guard(const PathGuard& guard, const std::optional<archive::ChildEntry>& standing);

class PutFile final : public FileOperation {
 public:
  // A canonical path.
  std::string path;
  std::string content_type;
  Bytes metadata;
  uint64_t total_size = 0;
  std::vector<Hash> chunks;
  // The file's one chunk, which is written with it where it is not there.
  std::optional<PackedChunk> small;
  // The chunks were written and marked by this upload, whose marks go.
  std::optional<files::SessionId> session;
  // The chunks are others': each must be there, total_size is what they have, at most this.
  std::optional<uint64_t> gather_up_to;
  PathGuard guard;
  // The answer.
  FileStat stat;

  size_t bytes() const override;
  void look_up(FileBatch& batch) override;
  Result<void> apply(FileBatch& batch) override;
  Result<void> write(FileBatch& batch) override;

 private:
  Result<void> gather(FileBatch& batch);

  std::vector<Future<std::optional<Bytes>>> found_;
  Bytes record_;
};

class PutSymlink final : public FileOperation {
 public:
  std::string path;
  std::string target;
  PathGuard guard;
  FileStat stat;

  size_t bytes() const override { return path.size() + target.size() + 1'000; }
  Result<void> apply(FileBatch& batch) override;
  Result<void> write(FileBatch& batch) override;

 private:
  Bytes record_;
};

class RemovePath final : public FileOperation {
 public:
  std::string path;
  PathGuard guard;
  FileStat stat;

  Result<void> apply(FileBatch& batch) override;
};

}  // namespace strata::service
