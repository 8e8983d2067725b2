// TreeCheck: is the tree of a version all there, and well formed?
//
// Purpose:       what came from outside is looked over before anybody can see it.
// Ownership:     borrows the FileSystem and the stop flag.
// Thread safety: one thread, which it holds.
// Invariants:    after run() every directory, node, record and chunk of the version is in the store; names are valid
//                and sorted, also across nodes; a record's path is its place; sizes agree. What the base, a version of
//                this store, holds at the same place is taken as good. Directories are made anew where a tree's nodes
//                are all missing, from the records below the path, and where flat ones are not sorted; what is made
//                anew is put. The caller holds collections off.
// Errors:        invalid_argument, saying what is wrong and where.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "layers/files/directory.h"
#include "service/file_archive_walk.h"

namespace strata::service {

// The files and symlinks of an archive under their paths' keys, in order: of two with one path the later counts.
class ArchiveRecords {
 public:
  static constexpr size_t max_records = 500'000;
  struct Record {
    archive::EntryKind kind;
    Hash hash{};
  };
  void add(archive::EntryKind kind, const Hash& hash) {
    complete_ = complete_ && records_.size() < max_records;
    if (complete_) records_.push_back({kind, hash});
  }
  // False: there were more.
  bool complete() const { return complete_; }
  const std::vector<Record>& records() const { return records_; }

 private:
  std::vector<Record> records_;
  bool complete_ = true;
};

class TreeCheck {
 public:
  // entries: of the archive; a tree that has far more places is refused.
  TreeCheck(FileSystem& system, const ArchiveRecords& records, uint64_t entries, const StopFlag& stop);

  // The version's root as it is in this store.
  Result<Hash> run(const Hash& root, const Hash& base);

 private:
  // One directory while its nodes are walked.
  struct Directory {
    const std::string& path;
    size_t depth = 0;
    // The base's children, in step.
    std::optional<files::Children> base;
    bool base_left = false;
    std::string last_name;
    bool has_names = false;
    // Children whose hash became another.
    std::vector<files::ChildEdit> edits;
    size_t nodes_found = 0;
    bool nodes_missing = false;
  };

  Result<Hash> check_directory(const std::string& path, const Hash& hash, const std::optional<Hash>& base,
                               size_t depth);
  // What lies below `lower` and up to `upper`.
  Result<void> check_node(Directory& directory, const Hash& hash, const std::string& lower, const std::string* upper,
                          size_t level);
  Result<void> check_inner(Directory& directory, std::vector<archive::NodeChild> children, const std::string& lower,
                           const std::string* upper, size_t level);
  Result<Hash> check_unsorted(Directory& directory, std::vector<archive::ChildEntry> children);
  Result<void> check_child(Directory& directory, archive::ChildEntry child);
  Result<void> check_file(const std::string& path, const archive::ChildEntry& child);
  Result<void> check_symlink(const std::string& path, const archive::ChildEntry& child);
  Result<std::optional<archive::ChildEntry>> base_child(Directory& directory, const std::string& name);
  // From the records whose paths lie below it.
  Result<Hash> rebuild(const std::string& path);
  Result<Hash> edit(const Hash& directory, std::vector<files::ChildEdit> edits);

  FileSystem& system_;
  const ArchiveRecords& records_;
  const uint64_t max_places_;
  const StopFlag& stop_;
  LastingReader reader_;
  uint64_t places_ = 0;
  uint64_t rebuilt_records_ = 0;
};

}  // namespace strata::service
