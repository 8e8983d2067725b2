// TreeDiff: what differs between two versions.
//
// Purpose:       names that were added, changed or removed, in the order of their paths; only nodes that differ are
//                read, so that the cost is that of the change.
// Ownership:     borrows its reader and visitor.
// Thread safety: as the transaction.
// Invariants:    the same subtree on both sides is never opened. A directory comes before what is in it. Every
//                directory and node of `to` that `from` does not hold at its place is told to the visitor, before what
//                is in it.
// Errors:        not_found: a node was collected; corruption.
#pragma once

#include <functional>

#include "layers/files/directory.h"

namespace strata::files {

class TreeDiff {
 public:
  using Visitor = std::function<void(const Hash& hash, const Bytes& node, bool whole_directory)>;
  // From the empty directory everything is added.
  TreeDiff(const EntryReader& reader, const Hash& from, const Hash& to, Visitor visit_node = {});

  // False at the end and on an error: status() tells which.
  bool next();
  // Of a canonical path. One side at least is there; a directory on both sides is told only when it differs.
  const std::string& path() const { return path_; }
  const std::optional<ChildEntry>& before() const { return before_; }
  const std::optional<ChildEntry>& after() const { return after_; }
  const Result<void>& status() const { return status_; }

 private:
  // A node that was not opened yet, or an entry.
  struct Item {
    std::string first_name;
    Hash hash{};
    bool whole_directory = false;
    std::optional<ChildEntry> entry;
  };
  // The items of one directory on one side, next one last.
  using Side = std::vector<Item>;
  struct Frame {
    std::string path;
    Side from;
    Side to;
  };

  Result<void> expand(Side& side, bool visited);
  // Takes what is the same off both, and opens nodes until both ends are entries or one side is done.
  Result<void> align(Frame& frame);
  void enter(const std::string& path);

  const EntryReader* reader_;
  Visitor visit_node_;
  std::vector<Frame> frames_;
  std::string path_;
  std::optional<ChildEntry> before_;
  std::optional<ChildEntry> after_;
  Result<void> status_;
};

}  // namespace strata::files
