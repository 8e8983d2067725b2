// What can be done to a branch as a whole, and to the rows that name versions (service/file_batch.h).
//
// Purpose:       snapshots, forks, restores and promotions, each in the order of the branch's other writes.
// Ownership:     an operation owns what it was told.
// Thread safety: of the request that waits, then of the leader.
// Invariants:    each is alone in its group: it needs the tree as everything before it has made it.
#pragma once

#include <memory>

#include "service/file_operations.h"
#include "service/file_versions.h"

namespace strata::service {

class MakeSnapshot final : public FileOperation {
 public:
  std::string name;
  Bytes metadata;
  SnapshotInfo made;

  size_t bytes() const override { return name.size() + metadata.size() + 1'000; }
  Result<void> apply(FileBatch& batch) override;
};

class RemoveSnapshot final : public FileOperation {
 public:
  std::string name;

  Result<void> apply(FileBatch& batch) override;
};

class RestoreSnapshot final : public FileOperation {
 public:
  std::string name;

  Result<void> apply(FileBatch& batch) override;
};

class MakeFork final : public FileOperation {
 public:
  std::string name;
  // Empty: this branch.
  std::string base;
  ForkInfo made;

  Result<void> apply(FileBatch& batch) override;
};

class PromoteFork final : public FileOperation {
 public:
  std::string name;

  Result<void> apply(FileBatch& batch) override;
};

class AbandonFork final : public FileOperation {
 public:
  std::string name;

  Result<void> apply(FileBatch& batch) override;
};

class PromoteVersion final : public FileOperation {
 public:
  Hash root{};

  Result<void> apply(FileBatch& batch) override;
};

// Makes a snapshot of what is there, then puts one path.
class RestorePath final : public FileOperation {
 public:
  std::unique_ptr<FileOperation> put;
  std::string auto_snapshot;

  size_t bytes() const override { return put->bytes() + 1'000; }
  void look_up(FileBatch& batch) override { put->look_up(batch); }
  Result<void> apply(FileBatch& batch) override;
  Result<void> write(FileBatch& batch) override { return put->write(batch); }
};

}  // namespace strata::service
