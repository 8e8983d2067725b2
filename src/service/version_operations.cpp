#include "service/version_operations.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "service/file_trees.h"

namespace strata::service {
namespace {

void note_snapshot(FileBatch& batch, const files::Snapshot& snapshot) {
  batch.note([snapshot](kv::Transaction& transaction) { files::set_snapshot(transaction, snapshot); });
  batch.note_version(snapshot.root);
}

// "pre-restore-2026-04-14T05-01-01Z", with a number behind it where there was one in the same second.
Result<std::string> free_snapshot_name(FileBatch& batch) {
  const std::time_t seconds = batch.now_ms() / 1000;
  const std::string name = fmt::format("pre-restore-{:%Y-%m-%dT%H-%M-%SZ}", fmt::gmtime(seconds));
  for (int number = 1;; ++number) {
    std::string numbered = number == 1 ? name : fmt::format("{}-{}", name, number);
    ASSIGN_OR_RETURN(const auto taken, files::read_snapshot(batch.transaction(), numbered));
    if (!taken) return numbered;
  }
}

}  // namespace

Result<void> MakeSnapshot::apply(FileBatch& batch) {
  ASSIGN_OR_RETURN(const auto taken, files::read_snapshot(batch.transaction(), name));
  if (taken) return Error(ErrorCode::already_exists, "snapshot already exists: " + printable(name));
  ASSIGN_OR_RETURN(const Hash root, batch.root());
  made = {.name = name, .root = root, .created_at_ms = batch.new_version_ms(), .metadata = metadata};
  note_snapshot(batch, {.name = name, .root = root, .created_at_ms = made.created_at_ms, .metadata = metadata});
  return {};
}

Result<void> RemoveSnapshot::apply(FileBatch& batch) {
  ASSIGN_OR_RETURN(const auto there, files::read_snapshot(batch.transaction(), name));
  if (!there) return no_such_snapshot(name);
  batch.note([name = name](kv::Transaction& transaction) { files::remove_snapshot(transaction, name); });
  return {};
}

Result<void> RestoreSnapshot::apply(FileBatch& batch) {
  ASSIGN_OR_RETURN(const auto there, files::read_snapshot(batch.transaction(), name));
  if (!there) return no_such_snapshot(name);
  return batch.move_to(there->root);
}

Result<void> MakeFork::apply(FileBatch& batch) {
  ASSIGN_OR_RETURN(const auto taken, files::read_branch(batch.transaction(), name));
  if (taken) return Error(ErrorCode::already_exists, "fork already exists: " + printable(name));
  Hash root{};
  if (base.empty()) {
    ASSIGN_OR_RETURN(root, batch.root());
  } else {
    ASSIGN_OR_RETURN(const TreeRoot tree, find_tree(batch.entries(), {.snapshot = base}));
    root = tree.root;
  }
  made = {.name = name, .root = root, .created_at_ms = batch.new_version_ms()};
  batch.note([fork = files::Branch{.name = name,
                                   .root = root,
                                   .created_at_ms = made.created_at_ms,
                                   .changed_at_ms = made.created_at_ms}](kv::Transaction& transaction) {
    files::set_branch(transaction, fork);
  });
  batch.note_version(root);
  return {};
}

Result<void> PromoteFork::apply(FileBatch& batch) {
  ASSIGN_OR_RETURN(const auto fork, files::read_branch(batch.transaction(), name));
  if (!fork) return no_such_fork(name);
  return batch.move_to(fork->root);
}

Result<void> AbandonFork::apply(FileBatch& batch) {
  ASSIGN_OR_RETURN(const auto fork, files::read_branch(batch.transaction(), name));
  if (!fork) return no_such_fork(name);
  batch.note([name = name](kv::Transaction& transaction) { files::remove_branch(transaction, name); });
  return {};
}

Result<void> PromoteVersion::apply(FileBatch& batch) {
  ASSIGN_OR_RETURN(const auto row, files::read_version_row(batch.transaction(), root));
  if (!row && root != files::empty_directory()) {
    return Error(ErrorCode::not_found, "version not found: " + hash_hex(root));
  }
  // While a collection runs, a root that nothing named when it began to mark may be half gone already.
  if (batch.entries().collection().running && row && row->pinned_until_ms == 0) {
    ASSIGN_OR_RETURN(const auto branches, files::read_branches(batch.transaction()));
    ASSIGN_OR_RETURN(const auto snapshots, files::read_snapshots(batch.transaction()));
    const auto named = [this](const auto& version) { return version.root == root; };
    if (std::ranges::none_of(branches, named) && std::ranges::none_of(snapshots, named)) {
      return Error(ErrorCode::conflict, "garbage collection is running, and nothing names this version");
    }
  }
  return batch.move_to(root);
}

Result<void> RestorePath::apply(FileBatch& batch) {
  ASSIGN_OR_RETURN(const Hash root, batch.root());
  ASSIGN_OR_RETURN(auto_snapshot, free_snapshot_name(batch));
  const size_t mark = batch.tree().mark();
  if (Result<void> done = put->apply(batch); !done.ok()) {
    batch.tree().roll_back(mark);
    return done;
  }
  note_snapshot(batch,
                {.name = auto_snapshot, .root = root, .created_at_ms = batch.new_version_ms(), .metadata = "{}"});
  return {};
}

}  // namespace strata::service
