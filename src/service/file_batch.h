// FileBatch: what a transaction does to one branch.
//
// Purpose:       the operations of many requests on one tree: each sees what came before it, and the directories are
//                rewritten once for all.
// Ownership:     borrows the transaction and the cache; lives as long as one attempt.
// Thread safety: as the transaction.
// Invariants:    rows that an operation notes are written when its group succeeded.
#pragma once

#include <functional>
#include <vector>

#include "layers/files/tree.h"
#include "layers/files/versions.h"
#include "service/file_system.h"

namespace strata::service {

class FileBatch {
 public:
  FileBatch(FileSystem& system, files::EntryWriter& entries, const files::Branch& branch)
      : system_(system),
        entries_(entries),
        branch_(branch),
        now_ms_(system.now_ms()),
        tree_(entries, branch.root, now_ms_) {}

  files::EntryWriter& entries() { return entries_; }
  kv::Transaction& transaction() { return entries_.writes(); }
  files::TreeEdit& tree() { return tree_; }
  int64_t now_ms() const { return now_ms_; }
  // Of a snapshot or fork that is made.
  int64_t new_version_ms() { return system_.new_version_ms(); }
  const files::Branch& branch() const { return branch_; }

  // What the tree is so far. Nothing before can be undone from here on: for operations that are alone in their group.
  Result<Hash> root() { return tree_.finish(); }
  // The branch goes on from another version. As root().
  Result<void> move_to(const Hash& root) {
    RETURN_IF_ERROR(tree_.finish());
    tree_.reset(root);
    return {};
  }
  // For when the group has succeeded.
  void note(std::function<void(kv::Transaction&)> write) { notes_.push_back(std::move(write)); }
  // A root that somebody may ask for.
  void note_version(const Hash& root) {
    note([row = files::VersionRow{.root = root, .created_at_ms = now_ms_}](kv::Transaction& transaction) {
      files::set_version_row(transaction, row);
    });
  }

  void write_notes() {
    for (const auto& write : notes_) write(transaction());
    notes_.clear();
  }
  void drop_notes() { notes_.clear(); }

 private:
  FileSystem& system_;
  files::EntryWriter& entries_;
  const files::Branch branch_;
  const int64_t now_ms_;
  files::TreeEdit tree_;
  std::vector<std::function<void(kv::Transaction&)>> notes_;
};

// One thing to do; a group of them succeeds or fails as a whole. Its methods are called anew in every attempt.
class FileOperation {
 public:
  virtual ~FileOperation() = default;
  // What it adds to a transaction, roughly.
  virtual size_t bytes() const { return 1'000; }
  // Asks for what apply() will wait for, so that all of a batch is under way at once.
  virtual void look_up(FileBatch&) {}
  // Changes the tree; an error undoes the group.
  virtual Result<void> apply(FileBatch& batch) = 0;
  // Writes what the tree refers to now; the group has succeeded.
  virtual Result<void> write(FileBatch&) { return {}; }
};

}  // namespace strata::service
