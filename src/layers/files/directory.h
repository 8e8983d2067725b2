// Directories: names in order, as a tree that depends on nothing but what is in it.
//
// Purpose:       look a name up, walk the names, change some of them; a directory of a million names has a handful of
//                nodes rewritten by a change.
// Ownership:     values; Children borrows its reader.
// Thread safety: as the transaction.
// Invariants:    below 256 children a directory is flat. From 256 on the sorted names are cut into nodes before a name
//                whose hash has its low five bits zero, and where a node is full; so are the nodes' first names, level
//                by level, until one node is left. So two directories with the same children are the same bytes,
//                whatever happened before. Directories of other writers may be cut elsewhere: they are read all the
//                same, and cut our way where they are changed.
// Errors:        not_found: a node was collected; corruption.
#pragma once

#include <span>

#include "layers/files/entries.h"

namespace strata::files {

using archive::ChildEntry;

Error malformed_directory(const Hash& hash);

// Of the directory without children: no bytes.
const Hash& empty_directory();

Result<std::optional<ChildEntry>> find_child(const EntryReader& reader, const Hash& directory, std::string_view name);

// for (Children children(reader, directory); children.next();) use(children.entry());
// RETURN_IF_ERROR(children.status());
class Children {
 public:
  // Those behind `after`; all when it is empty.
  Children(const EntryReader& reader, const Hash& directory, std::string_view after = {});

  // False at the end and on an error: status() tells which.
  bool next();
  const ChildEntry& entry() const { return entry_; }
  const Result<void>& status() const { return status_; }

 private:
  struct Level {
    std::vector<archive::NodeChild> children;
    size_t at = 0;
  };
  Result<void> open(const Hash& hash, std::string_view after);

  const EntryReader* reader_;
  std::vector<Level> levels_;
  std::shared_ptr<const Bytes> node_;
  BytesView rest_;  // of node_
  ChildEntry entry_;
  Result<void> status_;
};

struct ChildEdit {
  std::string name;
  // Absent: the name goes, if it is there.
  std::optional<ChildEntry> entry;
};
// The directory with the edits, put. edits: ascending by name, none twice; an entry has its edit's name.
Result<Hash> edit_directory(EntryWriter& writer, const Hash& directory, std::span<const ChildEdit> edits);

}  // namespace strata::files
