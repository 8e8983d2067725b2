// FileStore: blobs in a directory below the root of backups.
//
// Purpose:       backups that go to a bucket or to a directory alike.
// Ownership:     a copy of what it needs; writers and readers stand alone.
// Thread safety: as BlobStore.
// Names:         without slashes.
// Invariants:    those of BackupFiles: no symbolic link is followed, and a blob under its name is complete and on disk.
#pragma once

#include "blobs/blob_store.h"
#include "service/backup_files.h"

namespace strata::service {

class FileStore final : public blobs::BlobStore {
 public:
  FileStore(BackupFiles files, BackupPath directory) : files_(std::move(files)), directory_(std::move(directory)) {}

  Result<std::unique_ptr<blobs::BlobWriter>> create(std::string_view name) override;
  Result<std::unique_ptr<ByteSource>> open(std::string_view name) override;
  Result<blobs::BlobPage> list(std::string_view prefix, std::string_view after, size_t limit) override;
  Result<void> remove(std::string_view name) override;

 private:
  Result<BackupPath> path_of(std::string_view name) const;

  const BackupFiles files_;
  const BackupPath directory_;
};

}  // namespace strata::service
