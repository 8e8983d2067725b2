// DirectoryImport: a directory of this machine becomes versioned files.
//
// Purpose:       walk, read, name, compress and commit with all cores; what has not changed since the last import is
//                not read again.
// Ownership:     borrows the FileSystem; owns its threads while run() runs.
// Thread safety: one run() at a time.
// Invariants:    files come in transactions of many, whole or not at all; a run that ends early leaves what was
//                committed and can be begun anew. A record's metadata says which file it was made of (its times, its
//                number and size), so that one that still is the same is known. Nothing is removed from the versioned
//                tree.
// Errors:        of run(): invalid_argument (no such directory, no path); what the engine says. A file that cannot be
//                read or stored is counted and told, and the others go on.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "service/file_batch.h"
#include "service/file_system.h"

namespace strata::service {

struct DirectoryImportRequest {
  std::string directory;
  // Where its contents come, in HEAD; made where it is not there.
  std::string path = "/";
  // 0: sixteen, or two a core where that is more.
  size_t threads = 0;
  // One that was changed less than this ago is read again the next time: it may be changed once more without a sign.
  int64_t settled_ms = 100;
};

struct DirectoryImportReport {
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t symlinks = 0;
  uint64_t unchanged = 0;
  // Sockets, devices and the like.
  uint64_t skipped = 0;
  uint64_t failed = 0;
  // Of the first that failed: what and why.
  std::vector<std::string> failures;
};

class DirectoryImport {
 public:
  static constexpr size_t max_failures_told = 20;

  DirectoryImport(FileSystem& system, DirectoryImportRequest request);
  ~DirectoryImport();

  Result<DirectoryImportReport> run(const Context& context);
  // While it runs, from any thread.
  DirectoryImportReport progress() const;

 private:
  struct Candidate;
  struct Slice;
  class ImportGroup;
  class Queue;

  Result<void> walk(const std::string& below, const std::string& path, size_t depth);
  Result<void> hand_on(const std::string& path, std::vector<Candidate> candidates);
  void work(const Context& context);
  Result<void> drop_unchanged(const Context& context, Slice& slice);
  Result<void> import_slice(const Context& context, const Slice& slice, ImportGroup& group);
  Result<void> commit(const Context& context, ImportGroup& group);
  Result<std::unique_ptr<FileOperation>> read_file(const Candidate& candidate);
  void fail(const std::string& name, std::string_view why);

  FileSystem& system_;
  const DirectoryImportRequest request_;
  mutable std::mutex mutex_;
  DirectoryImportReport report_;
  std::unique_ptr<Queue> queue_;
};

}  // namespace strata::service
