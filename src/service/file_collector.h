// FileCollector: removes what no version needs any more, beside reads and writes.
//
// Purpose:       mark and sweep over the entries of versioned files: HEAD, forks, snapshots, imported versions and what
//                is being read or uploaded stay; the rest goes.
// Ownership:     borrows the FileSystem; owns the threads of collect() and of what is taken up at open().
// Thread safety: any thread.
// Invariants:    nothing reachable is ever removed. One collection at a time. One that was interrupted, by a crash too,
//                goes on where it stopped: at open(), or with the next run().
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "base/result.h"
#include "layers/files/collect.h"
#include "service/context.h"
#include "service/file_system.h"
#include "service/long_jobs.h"
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

// Of a transaction. Reads hold nobody up; so many removals take some milliseconds of the commit that writers share.
struct FileCollectorOptions {
  size_t nodes = 1'000;
  size_t files = 20'000;
  size_t swept = 20'000;
  size_t removed = 250;
};

// Removals that overlap: while one is committed, which beside writers waits for their sync, the next rows are scanned.
class FileRemovals {
 public:
  // kept: of what was given to remove(), called for what somebody has put or reused meanwhile.
  FileRemovals(FileSystem& system, uint32_t epoch, std::function<void(const files::Garbage&)> kept)
      : system_(system), epoch_(epoch), kept_(std::move(kept)) {}
  // Waits for what is under way.
  ~FileRemovals();
  FileRemovals(const FileRemovals&) = delete;
  FileRemovals& operator=(const FileRemovals&) = delete;

  // What a scan at `version` found. conflict: another collection has begun.
  Result<void> remove(std::vector<files::Garbage> garbage, kv::Version version);
  // Until all is done.
  Result<void> finish();

 private:
  static constexpr size_t most_under_way = 1;
  struct UnderWay {
    std::vector<files::Garbage> garbage;
    kv::Transaction transaction;
    Future<void> committed;
  };
  Result<files::EntryWriter> begin(kv::Transaction& transaction) const;
  Result<void> finish_first();

  FileSystem& system_;
  const uint32_t epoch_;
  const std::function<void(const files::Garbage&)> kept_;
  std::deque<UnderWay> under_way_;
};

class FileCollector {
 public:
  explicit FileCollector(FileSystem& system, const FileCollectorOptions& options = {})
      : system_(system), options_(options) {}
  ~FileCollector() { stop(); }
  FileCollector(const FileCollector&) = delete;
  FileCollector& operator=(const FileCollector&) = delete;

  // Before requests are served: takes up an interrupted collection, in the background.
  Result<void> open();
  // Those that run end soon and go on after the next open().
  void stop();

  // On the calling thread, which it holds: a task's function calls this. Tells how far it is and ends soon when it is
  // cancelled; what is left is garbage of the next one. dry_run: counts what would go. conflict: another one runs, or
  // an import does.
  Result<CollectAnswer> run(TaskProgress& progress, bool dry_run);
  // The same on a thread of its own; a coroutine waits without holding its thread.
  Result<CollectAnswer> collect(const Context& context, bool dry_run);

  // Called between its transactions: a test does something then.
  void between_steps(std::function<void()> function) { between_steps_ = std::move(function); }

 private:
  Result<files::CollectionState> begin();
  Result<void> set_state(const files::CollectionState& state);
  Result<void> clear_rows();
  Result<void> mark(files::Marker& marker, TaskProgress& progress, CollectAnswer& answer);
  Result<void> sweep(files::CollectionState& state, files::Marker& marker, TaskProgress& progress,
                     CollectAnswer& answer);
  Result<void> check(TaskProgress& progress);

  FileSystem& system_;
  const FileCollectorOptions options_;
  std::function<void()> between_steps_;
  std::atomic<bool> stopping_{false};
  LongJobs jobs_;
};

}  // namespace strata::service
