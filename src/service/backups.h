// Backups: the use cases of copying a namespace away.
//
// Purpose:       files of sealed segments of the log, snapshots as files and as streams. Restoring is NamespaceLoader.
// Ownership:     borrows the database, the log, the objects and the clock, which outlive it.
// Thread safety: any thread.
// Invariants:    the copying runs on threads of its own; the caller waits, and may stop it. While a namespace is copied
//                its log is pinned, so that the records which make a snapshot whole are still there at its end. A file
//                that an answer names is complete and on disk.
// Errors:        not_found ("namespace not found: X"); those of backup_files.h; too_many_requests; operation_cancelled
//                after the stop flag was set; gone: the namespace was replaced meanwhile.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "layers/records/backup_format.h"
#include "service/backup_files.h"
#include "service/bytes_pipe.h"
#include "service/context.h"
#include "service/job_stream.h"
#include "service/log.h"
#include "service/long_jobs.h"

namespace strata::service {

class Objects;

struct BackupsOptions {
  Clock* clock = &system_clock();
  // Backups of namespace X lie below directory/X.
  std::string directory;
};

struct LogBackupRequest {
  std::string_view name_space;
  // Segments with greater numbers.
  uint64_t after_segment = 0;
  BackupPath directory;
};
struct LogBackup {
  uint64_t segment = 0;
  std::string path;
};

struct SnapshotRequest {
  std::string_view name_space;
  BackupPath path;
};
struct Snapshot {
  std::string path;
  uint64_t bytes = 0;
  // Of the state that it holds.
  records::BackupPlace place;
};

class Backups {
 public:
  Backups(const kv::Database& database, Log& log, Objects& objects, const BackupsOptions& options);
  // Stops what is under way.
  ~Backups();

  // Seals the log's last segment, then copies every sealed one that is asked for and still kept, as NNNNNNNNN.wal.
  // already_exists: a file of that name holds a segment of another log.
  Result<std::vector<LogBackup>> back_up_log(const Context& context, const LogBackupRequest& request,
                                             std::shared_ptr<StopFlag> stop);
  Result<Snapshot> back_up_snapshot(const Context& context, const SnapshotRequest& request,
                                    std::shared_ptr<StopFlag> stop);
  // The same bytes as a stream. What can be wrong at once is told at once.
  Result<std::shared_ptr<JobStream>> stream_snapshot(const Context& context, std::string_view name_space);
  void stop() { jobs_.stop(); }

 private:
  struct Copy;
  Result<std::vector<LogBackup>> copy_segments(const LogBackupRequest& request, const StopFlag& stop);
  Result<LogBackup> copy_segment(const LogBackupRequest& request, const SealedSegment& segment,
                                 const std::string& log_id, const StopFlag& stop);
  Result<void> refuse_other_log(const LogBackupRequest& request, const BackupPath& path, const std::string& log_id);
  // Everything that is committed when it ends; where that is.
  Result<Snapshot> copy_namespace(std::string_view name_space, ByteSink& sink, const StopFlag& stop);

  const kv::Database& database_;
  Log& log_;
  Objects& objects_;
  const BackupsOptions options_;
  const BackupFiles files_;
  LongJobs jobs_;
};

}  // namespace strata::service
