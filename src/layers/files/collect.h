// Collection: which entries are reachable, and removing those that are not.
//
// Purpose:       the parts of a garbage collection that know what keys mean; service/file_collector puts them into
//                transactions and decides when.
// Ownership:     a Marker owns what it has marked: 8 to 16 bytes for each entry that is reachable, and about 100 for a
//                directory or node.
// Thread safety: one user at a time.
// Invariants:    what is reachable from a root that was added is marked once walked() and scanned() say so. An entry
//                may be marked that is not reachable, when the first 8 bytes of its hash are another's: it stays until
//                the next collection. Never the other way round: directories, whose marks decide what is walked, go by
//                16 bytes. Every call may be repeated after an error with another transaction.
// Why it is safe beside writers: docs/decisions/versioned-files.md.
#pragma once

#include <span>
#include <unordered_set>

#include "layers/files/hash_marks.h"
#include "layers/files/versions.h"

namespace strata::files {

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

  // Opens up to `steps` directories and nodes, level by level, each in the order of their keys: neighbours lie in one
  // block of the store.
  Result<void> walk(const EntryReader& reader, size_t steps);
  bool walked() const { return waiting_.empty() && next_level_.empty(); }
  // After the walk: looks at up to `steps` records of files, in the order of their keys, which is a scan.
  Result<void> scan_files(const EntryReader& reader, size_t steps);
  bool scanned() const { return scanned_; }

  // After the scan; fastest in the order of rows.
  bool is_marked(EntryKind kind, const Hash& hash) { return marks_of(kind).contains(hash); }
  // Until the scan has ended, what was met twice may count twice.
  size_t marked() const { return entries_.size() + chunks_.size(); }

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
  HashMarks& marks_of(EntryKind kind) { return kind == EntryKind::chunk ? chunks_ : entries_; }
  void open_later(const Hash& directory);
  Result<void> visit(const Hash& hash, BytesView node);
  Result<void> mark_chunks(const EntryReader& reader, const Hash& file, BytesView first_part);

  HashMarks chunks_;
  // All but chunks; in order before the first chunk is looked for.
  HashMarks entries_;
  // Directories and nodes that were ever waiting.
  std::unordered_set<Half, HalfHasher> seen_;
  // The last one comes first.
  std::vector<Hash> waiting_;
  std::vector<Hash> next_level_;
  Bytes scan_from_ = entry_data(EntryKind::file).begin;
  bool scanned_ = false;
};

struct Garbage {
  Hash hash{};
  EntryRow row;
};
struct ScannedRows {
  uint64_t live = 0;
  std::vector<Garbage> garbage;
  // Behind the last row that was looked at; nullopt: that was the end.
  std::optional<Bytes> next;
};
// Looks at up to max_rows index rows from `from` on: those that are not marked and not of `epoch` are garbage.
Result<ScannedRows> scan_rows(const kv::ReadTransaction& transaction, Marker& marker, uint32_t epoch, BytesView from,
                              size_t max_rows);
// Removes what a scan at the transaction's version found. What somebody has put or reused since makes the transaction
// conflict.
Result<void> remove_garbage(EntryWriter& writer, std::span<const Garbage> garbage);
// The same where the transaction has another version than the scan: looks at each again, keeps those of the
// collection's epoch, and returns them.
Result<std::vector<Garbage>> remove_what_is_still_garbage(EntryWriter& writer, std::span<const Garbage> garbage);

}  // namespace strata::files
