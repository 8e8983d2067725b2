// Collection: which entries are reachable, and removing those that are not.
//
// Purpose:       the parts of a garbage collection that know what keys mean; service/file_collector puts them into
//                transactions and decides when.
// Ownership:     a Marker owns what it has marked: 12 to 24 bytes for each entry that is reachable, 32 for a directory.
// Thread safety: one user at a time.
// Invariants:    what is reachable from a root that was added is marked once walked() and scanned() say so. An entry
//                may be marked that is not reachable, when the first 8 bytes of its hash are another's: it stays until
//                the next collection. Never the other way round: directories, whose marks decide what is walked, go by
//                16 bytes. Every call may be repeated after an error with another transaction.
// Why it is safe beside writers: docs/decisions/versioned-files.md.
#pragma once

#include <unordered_set>

#include "layers/files/versions.h"

namespace strata::files {

// A set of the first 8 bytes of hashes.
class HashMarks {
 public:
  void add(const Hash& hash);
  bool contains(const Hash& hash) const;
  size_t size() const { return size_; }

 private:
  static uint64_t prefix(const Hash& hash);
  size_t place(uint64_t value) const;
  void grow();

  // Powers of two, at most three quarters full; 0 is none, and never a prefix.
  std::vector<uint64_t> slots_;
  size_t size_ = 0;
};

struct CollectionRoots {
  std::vector<Hash> directories;
  std::vector<Hash> chunks;
  // Branches, snapshots and pinned versions.
  size_t versions = 0;
};
// What keeps entries at the transaction's version; one transaction reads all of it.
Result<CollectionRoots> read_roots(const kv::ReadTransaction& transaction);

// Rows that are not wanted any more, in pages; each returns where to go on, nullopt at the end. Marks of uploads that
// expired, in the order of their keys.
Result<std::optional<Bytes>> expire_upload_marks(kv::Transaction& transaction, int64_t now_ms, BytesView from);
// Rows of versions that nothing names and nothing pins any more.
Result<std::optional<Bytes>> forget_versions(kv::Transaction& transaction, int64_t now_ms, BytesView from);

class Marker {
 public:
  // A directory with all below it, a file with its chunks, or an entry by itself.
  void add(EntryKind kind, const Hash& hash);

  // Opens up to `steps` directories and nodes.
  Result<void> walk(const EntryReader& reader, size_t steps);
  bool walked() const { return waiting_.empty(); }
  // After the walk: looks at up to `steps` records of files, in the order of their keys, which is a scan.
  Result<void> scan_files(const EntryReader& reader, size_t steps);
  bool scanned() const { return scanned_; }

  bool is_marked(const Hash& hash) const { return marks_.contains(hash); }
  size_t marked() const { return marks_.size(); }

 private:
  struct Half {
    uint64_t first;
    uint64_t second;
    friend bool operator==(const Half&, const Half&) = default;
  };
  struct HalfHasher {
    size_t operator()(const Half& half) const { return half.first; }
  };
  static Half half_of(const Hash& hash);
  void open_later(const Hash& directory);
  Result<void> visit(const Bytes& node);
  Result<void> mark_chunks(const EntryReader& reader, const Hash& file, BytesView first_part);

  HashMarks marks_;
  // Directories and nodes that were ever waiting.
  std::unordered_set<Half, HalfHasher> seen_;
  std::vector<Hash> waiting_;
  Bytes scan_from_ = entry_data(EntryKind::file).begin;
  bool scanned_ = false;
};

struct SweptPage {
  uint64_t live = 0;
  uint64_t garbage = 0;
  // As stored.
  uint64_t garbage_bytes = 0;
  // Behind the last row that was looked at; nullopt: that was the end.
  std::optional<Bytes> next;
};
// Looks at up to max_rows index rows from `from` on and removes, unless `dry`, up to max_removed that are not marked
// and older than the collection's epoch. What somebody puts or reuses meanwhile makes the transaction conflict.
Result<SweptPage> sweep_page(EntryWriter& writer, const Marker& marker, BytesView from, size_t max_rows,
                             size_t max_removed, bool dry);

}  // namespace strata::files
