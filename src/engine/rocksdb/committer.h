// Committer: the commit pipeline.
//
// Purpose:       one thread takes all commits that wait, decides their conflicts in order, writes those that pass as
//                one batch, syncs once, publishes one version, and answers in order.
// Ownership:     owns waiting requests until they are answered; borrows the database, views and watches.
// Thread safety: every public method from any thread.
// Invariants:    a version is published after its batch is written, and synced where one of its commits asked for it;
//                answers come after the publication. After a failed write nothing is written any more: the kernel has
//                dropped the pages that a failed sync could not write, so that a second one would lie.
// Why batches gather, and why a core may spin: docs/decisions/commit-pipeline.md.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/rocksdb/batch_builder.h"
#include "engine/rocksdb/read_views.h"
#include "engine/rocksdb/space_reclaimer.h"
#include "engine/rocksdb/store.h"
#include "kv/conflict_history.h"
#include "kv/watches.h"

namespace strata::kv {

class Committer {
 public:
  Committer(Store& store, ReadViews& views, Watches& watches, SpaceReclaimer& reclaimer, const RocksdbOptions& options);
  // Answers what waits, syncs.
  ~Committer();

  Future<Committed> commit(CommitRequest request);
  // The same of a request that was checked, with references in place of its large values. It holds `uses` until it has
  // answered.
  // With `moved_from`, one for each mutation, it is refused (not_committed) unless their keys still hold those.
  void commit(CommitRequest request, Promise<Committed> promise, std::vector<ValueFiles::Use> uses,
              std::vector<ValueReference> moved_from);
  // Errors: key_outside_legal_range.
  static Result<void> check(const CommitRequest& request);
  // What a request takes while it waits.
  static size_t bytes_of(const CommitRequest& request);
  // Everything that was answered before is on disk when the future is ready.
  Future<void> sync();
  Result<void> health() const;
  // Fills in what the committer counts.
  void add_stats(RocksdbStats& stats) const;

 private:
  struct Waiting {
    CommitRequest request;
    Promise<Committed> promise;
    size_t bytes;
    std::vector<ValueFiles::Use> uses;
    std::vector<ValueReference> moved_from;
  };
  struct Outcome {
    std::optional<Error> error;
    uint16_t batch_order = 0;
  };

  // Nothing: it waits now.
  std::optional<Error> enqueue(Waiting& waiting);
  void run();
  // False: stop. Takes what waits into batch_.
  bool take_batch();
  void gather(std::unique_lock<std::mutex>& lock);
  void wait_for_work(std::unique_lock<std::mutex>& lock);
  void tidy_up();
  void commit_batch();
  Version next_version() const;
  Result<void> resolve(const CommitRequest& request) const;
  void resolve_batch(Version version);
  // Adds the accepted ones to the builder; those that cannot be evaluated are refused. How many are left.
  size_t build_batch(Version version);
  bool wants_sync(Durability durability) const;
  // Writes and publishes what was built; an error has stopped writes.
  Result<void> write_batch(Version version);
  bool is_sync_due() const;
  void sync_log();
  // Where it holds too many range deletions.
  void flush_memtable();
  void fire_watches(Version version);
  void answer_batch(Version version, size_t accepted);
  void stop(const rocksdb::Status& status);

  Store& store_;
  ReadViews& views_;
  Watches& watches_;
  SpaceReclaimer& reclaimer_;
  const RocksdbOptions options_;
  const int64_t opened_us_;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::vector<Waiting> waiting_;
  std::vector<Promise<void>> sync_requests_;
  size_t waiting_bytes_ = 0;
  size_t wake_at_ = 1;  // the committer sleeps until this many wait
  bool stopping_ = false;
  std::optional<Error> stopped_;
  RocksdbStats stats_;

  // The thread's own.
  ConflictHistory history_;
  BatchBuilder builder_;
  std::vector<Waiting> batch_;
  std::vector<Outcome> outcomes_;
  std::vector<Promise<void>> batch_sync_requests_;
  size_t last_batch_commits_ = 0;
  int64_t unsynced_since_us_ = 0;  // 0: all is synced
  size_t range_deletions_ = 0;     // since the memtable was last flushed on their account
  std::thread thread_;
};

}  // namespace strata::kv
