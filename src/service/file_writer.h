// FileWriter: the writes of one branch, one transaction at a time.
//
// Purpose:       writers that come at the same time share a transaction, the rewriting of directories and a sync:
//                whoever finds nobody writing leads and takes along all who wait. So writers of one branch never
//                conflict and nobody starves.
// Ownership:     borrows the file system.
// Thread safety: any thread; who waits suspends (base/wait.h).
// Invariants:    a group is done whole or not at all, and failing alone fails no other. Groups are done in the order in
//                which they came.
// Errors:        of submit: the group's, then nothing of it was done; too_many_requests; not_found (no such fork); what
//                the engine says, with commit_unknown_result where nobody knows.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/future.h"
#include "layers/files/versions.h"
#include "service/batch_line.h"
#include "service/file_batch.h"
#include "service/file_system.h"

namespace strata::service {

class FileWriter {
 public:
  static constexpr size_t max_waiting = 4'096;
  static constexpr size_t max_groups = 1'000;
  static constexpr size_t max_bytes = 4u << 20;

  FileWriter(FileSystem& system, std::string branch) : system_(system), branch_(std::move(branch)) {}

  Result<void> submit(const Context& context, std::span<FileOperation* const> group);
  Result<void> submit(const Context& context, FileOperation& operation) {
    FileOperation* const one = &operation;
    return submit(context, std::span(&one, 1));
  }
  // Runs `function` while nobody writes the branch here: for what reads it from another branch's transaction.
  Result<void> exclude(const Context& context, const std::function<Result<void>()>& function);

 private:
  struct Request {
    std::span<FileOperation* const> group;
    // Instead of a group.
    const std::function<Result<void>()>* function = nullptr;
    size_t bytes = 0;
    Promise<bool> woken;
    std::optional<Error> error;
  };

  Result<void> enter(const Context& context, Request& own);
  static size_t count_batch(const std::deque<Request*>& waiting);
  void execute(std::span<Request* const> batch);
  Result<void> attempt(kv::Transaction& transaction, std::span<Request* const> batch,
                       std::optional<files::Branch>& written);
  Result<void> run_groups(FileBatch& work, std::span<Request* const> batch);
  // Whether the attempt that wrote this row was committed after all.
  Result<bool> was_committed(const kv::ReadTransaction& transaction, const files::Branch& written) const;

  FileSystem& system_;
  const std::string branch_;
  BatchLine<Request> line_;
};

}  // namespace strata::service
