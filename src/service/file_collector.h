// FileCollector: removes what no version needs any more, beside reads and writes.
//
// Purpose:       mark and sweep over the entries of versioned files: HEAD, forks, snapshots, imported versions and what
//                is being read or uploaded stay; the rest goes.
// Ownership:     borrows the FileSystem; owns the thread that takes up an interrupted collection.
// Thread safety: any thread.
// Invariants:    nothing reachable is ever removed. One collection at a time. One that was interrupted, by a crash too,
//                goes on where it stopped: at open(), or with the next collect().
#pragma once

#include <memory>

#include "base/result.h"
#include "service/context.h"
#include "service/file_system.h"
#include "service/tasks.h"

namespace strata::service {

struct CollectAnswer {
  uint64_t versions_scanned = 0;
  uint64_t live_entries = 0;
  uint64_t garbage_entries = 0;
  // As stored.
  uint64_t reclaimed_bytes = 0;
  int64_t duration_ms = 0;
  bool dry_run = false;
};

class FileCollector {
 public:
  explicit FileCollector(FileSystem& system);
  ~FileCollector();

  // Before requests are served: takes up an interrupted collection, in the background.
  Result<void> open();
  void stop();

  // On the calling thread, which it holds: a task's function calls this. Tells how far it is and ends soon when it is
  // cancelled. dry_run: counts what would go. conflict: another one runs, or an import does.
  Result<CollectAnswer> run(TaskProgress& progress, bool dry_run);
  // The same on a thread of its own; a coroutine waits without holding its thread.
  Result<CollectAnswer> collect(const Context& context, bool dry_run);

 private:
  FileSystem& system_;
};

}  // namespace strata::service
