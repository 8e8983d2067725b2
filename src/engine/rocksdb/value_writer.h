// ValueWriter: takes the large values out of commits, before the committer sees them.
//
// Purpose:       one thread appends the large values of all commits that wait to a value file, syncs once, puts
//                references in their place and hands the commits on. Small commits do not wait behind them.
// Ownership:     owns waiting requests until they are handed on; borrows files and committer.
// Thread safety: commit from any thread.
// Invariants:    a value is on disk before the log or the tree refers to it, whatever the commit's durability: the log
//                may reach the disk by itself at any time. The file counts as in use until the commit is answered. A
//                value that could not be written fails its commit alone: nothing of it is anywhere.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/rocksdb/committer.h"
#include "engine/rocksdb/value_files.h"

namespace strata::kv {

class ValueWriter {
 public:
  ValueWriter(ValueFiles& files, Committer& committer, const RocksdbOptions& options);
  // Hands on what waits.
  ~ValueWriter();

  // As Committer::commit, of any request.
  // With `moved_from`, one for each mutation, it is refused (not_committed) unless their keys still hold those.
  Future<Committed> commit(CommitRequest request, std::vector<ValueReference> moved_from = {});
  // Values go to another file from now on; when the future is ready.
  Future<void> seal();
  // Commits whose values are not written yet, beside those of the committer.
  size_t waiting() const;

 private:
  struct Waiting {
    CommitRequest request;
    Promise<Committed> promise;
    size_t bytes = 0;
    std::vector<ValueFiles::Use> uses;
    std::vector<ValueReference> moved_from;
    std::optional<Error> error;
  };

  bool goes_beside(const Mutation& mutation) const;
  void run();
  // False: stop. Takes what waits into group_ and `seals`.
  bool take_group(std::vector<Promise<void>>& seals);
  void write_group();
  Result<void> write_values(Waiting& waiting);

  ValueFiles& files_;
  Committer& committer_;
  const RocksdbOptions& options_;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::vector<Waiting> waiting_;
  std::vector<Promise<void>> seal_requests_;
  size_t waiting_bytes_ = 0;
  bool stopping_ = false;

  std::vector<Waiting> group_;  // the thread's own
  std::thread thread_;
};

}  // namespace strata::kv
