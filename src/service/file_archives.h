// FileArchives: versions as .aeordb files, out and in.
//
// Purpose:       export of a version, a patch between two, import of either (docs/formats/aeor.md).
// Ownership:     borrows the FileSystem and what resolves versions, which outlive it and every stream it gave.
// Thread safety: any thread; a coroutine waits without holding its thread.
// Invariants:    a version is kept from collections while it is copied. An import shows nothing before everything that
//                its version needs is there and has been looked at; one that fails, or is killed, leaves entries that
//                nothing names, which the next collection removes.
// Errors:        not_found (no such snapshot, fork or version); invalid_argument (no hash; an archive that is damaged,
//                incomplete or hostile); conflict (a patch on another base; a collection runs); too_many_requests;
//                operation_cancelled after the stop flag was set.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "archive/aeor_file.h"
#include "service/context.h"
#include "service/file_system.h"
#include "service/file_versions.h"
#include "service/job_stream.h"
#include "service/long_jobs.h"

namespace strata::service {

struct ArchiveCounts {
  // Of the archive's entries; a record stands there twice.
  uint64_t entries = 0;
  uint64_t chunks = 0;
  uint64_t files = 0;
  uint64_t symlinks = 0;
  uint64_t directories = 0;
  // Of a patch, symlinks with the files.
  uint64_t added = 0;
  uint64_t modified = 0;
  uint64_t deleted = 0;
};

// Which version: at most one is given; neither is HEAD.
struct ExportRequest {
  // A snapshot's name, a fork's or "HEAD".
  std::optional<std::string_view> snapshot = std::nullopt;
  std::optional<std::string_view> hash = std::nullopt;
};
// Each the name of a snapshot or fork, "HEAD" or a hash.
struct DiffRequest {
  std::string_view from;
  std::optional<std::string_view> to = std::nullopt;  // absent: HEAD
};

// An archive that can be written: what is in it has been counted.
struct PlannedArchive {
  archive::AeorHeader header;
  ArchiveCounts counts;
  FilePins::Pin pins[2];
  // Of a patch: chunks that the base holds at other places.
  std::shared_ptr<const class KnownChunks> known;
};

struct ImportRequest {
  ByteSource* body = nullptr;
  // A patch on another base.
  bool force = false;
  // HEAD becomes the version, in the transaction that makes it visible.
  bool promote = false;
};
struct ImportAnswer {
  archive::BackupType type = archive::BackupType::full_export;
  uint64_t entries = 0;
  uint64_t chunks = 0;
  uint64_t files = 0;
  uint64_t directories = 0;
  uint64_t deletions = 0;
  Hash version{};
  bool promoted = false;
};

// "database", "export" or "patch".
std::string_view backup_type_name(archive::BackupType type);

class FileArchives {
 public:
  FileArchives(FileSystem& system, FileVersions& versions) : system_(system), versions_(versions) {}
  ~FileArchives() { stop(); }

  Result<PlannedArchive> plan_export(const Context& context, const ExportRequest& request, StopHandle stop);
  Result<PlannedArchive> plan_diff(const Context& context, const DiffRequest& request, StopHandle stop);
  // On the calling thread, which it holds.
  Result<void> write(const PlannedArchive& plan, ByteSink& sink, const StopFlag& stop);
  // On a thread of its own.
  Result<std::shared_ptr<JobStream>> stream(PlannedArchive plan);

  Result<ImportAnswer> import(const Context& context, const ImportRequest& request, StopHandle stop);
  // Whether these are the first bytes of an archive that a database can begin with: no patch.
  static Result<void> check_database(ByteSource& body);
  // Was HEAD ever written?
  Result<bool> has_head(const Context& context);
  // Ends what is under way.
  void stop() { jobs_.stop(); }

 private:
  Result<FileVersions::Resolved> resolve(const Context& context, std::string_view name_or_hash);
  Result<PlannedArchive> plan(PlannedArchive plan, StopHandle stop);

  FileSystem& system_;
  FileVersions& versions_;
  LongJobs jobs_;
};

}  // namespace strata::service
