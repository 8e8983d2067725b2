// DocumentBackups: the use cases of copying tables of documents away and restoring them.
//
// Purpose:       where a backup lies, which tables it is of, and the tasks that copy and restore.
// Ownership:     borrows the database, the tasks and the clock, which outlive it.
// Thread safety: any thread.
// Invariants:    one backup at a time. A place is below the root of backups, or in a bucket that the server's
//                credentials open.
// Errors:        not_found (no such table, no such backup); invalid_argument (a request that is wrong, a table that
//                exists already, a damaged backup); permission_denied (a place outside the root; the bucket's);
//                conflict (there is a backup of that id); too_many_requests (another backup runs); those of
//                blob_store.h.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "blobs/blob_store.h"
#include "kv/database.h"
#include "service/backup_files.h"
#include "service/context.h"
#include "service/document_copy.h"
#include "service/file_store.h"
#include "service/long_jobs.h"

namespace strata::service {

struct DocumentBackupsOptions {
  Clock* clock = &system_clock();
  kv::Durability durability = kv::Durability::sync;
  // What file:// may lead into.
  std::string root;
  // After a restore: its indexes are to be built.
  std::function<void()> on_restored = [] {};
};

struct DocumentBackupRequest {
  std::string_view id;
  // "file:///directory" or "s3://bucket/prefix".
  std::string_view location;
  // Of a restore of one table: its name. A backup of one table is restored under any name.
  std::string_view table = {};
  // Of the operations on several: their names; empty: all.
  std::vector<std::string> tables = {};
};

struct DocumentBackup {
  std::string id;
  int64_t created_us = 0;
  std::vector<std::string> tables;
  uint64_t bytes = 0;
  // Why nothing more is known of it; empty: it is.
  std::string error;
};

class DocumentBackups {
 public:
  static constexpr size_t max_listed = 1'000;

  DocumentBackups(const kv::Database& database, Tasks& tasks, const DocumentBackupsOptions& options);
  ~DocumentBackups() { stop(); }

  // Answers when the backup is durable. It is a task meanwhile; `stop` cancels it.
  Result<void> back_up(const Context& context, const DocumentBackupRequest& request,
                       const std::shared_ptr<StopFlag>& stop);
  // The id of the task that does it. What can be wrong before any document is read is told at once.
  Result<std::string> restore(const Context& context, const DocumentBackupRequest& request,
                              const std::shared_ptr<StopFlag>& stop);
  // By id.
  Result<std::vector<DocumentBackup>> list(std::string_view location, const std::shared_ptr<StopFlag>& stop);
  void stop() { jobs_.stop(); }

 private:
  // Where blobs lie, before there is anything to do: bucket empty, a directory.
  struct Place {
    std::string bucket;
    std::string prefix;
    BackupPath directory;
  };
  Result<Place> place_of(std::string_view location) const;
  Result<std::unique_ptr<blobs::BlobStore>> open_store(const Place& place, blobs::Cancelled cancelled) const;
  Result<RestorePlan> plan_restore(const DocumentBackupRequest& request, documents::BackupManifest manifest) const;

  const kv::Database& database_;
  Tasks& tasks_;
  const DocumentBackupsOptions options_;
  const BackupFiles files_;
  std::atomic<bool> copying_ = false;
  LongJobs jobs_;
};

}  // namespace strata::service
