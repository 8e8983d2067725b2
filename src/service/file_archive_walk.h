// ArchiveWalk: the entries of an export or a patch, counted or written.
//
// Purpose:       the same walk twice: what it will be is known, and a version that is not whole refused, before the
//                first byte goes out.
// Ownership:     borrows the FileSystem, the known chunks and the stop flag. The caller has pinned the versions.
// Thread safety: one thread, which it holds.
// Invariants:    two walks of the same versions tell the same entries in the same order. Memory: the nodes on the path,
//                and 16 bytes and a place in a table for each of the first max_remembered chunks; beyond them a chunk
//                may be told twice.
#pragma once

#include <unordered_set>

#include "layers/files/tree_diff.h"
#include "service/file_archives.h"

namespace strata::service {

// Half of a hash is as good as all of it.
struct HashHalf {
  uint64_t a = 0;
  uint64_t b = 0;
  friend bool operator==(const HashHalf&, const HashHalf&) = default;
};
struct HashHalfHasher {
  size_t operator()(const HashHalf& half) const { return half.a; }
};

class RememberedHashes {
 public:
  static constexpr size_t max_remembered = 500'000;

  // False: it was added before. True: it was not, as far as is remembered.
  bool add(const Hash& hash);
  bool contains(const Hash& hash) const;
  void remove(const Hash& hash);
  bool empty() const { return hashes_.empty(); }
  bool full() const { return hashes_.size() >= max_remembered; }

 private:
  std::unordered_set<HashHalf, HashHalfHasher> hashes_;
};

// Chunks that whoever has the base of a patch has already.
class KnownChunks {
 public:
  RememberedHashes chunks;
};
// Of the base's files that the patch changes or removes, and of others among its first names.
Result<std::shared_ptr<const KnownChunks>> find_known_chunks(FileSystem& system, const Hash& base, const Hash& target,
                                                             const StopFlag& stop);

// A reader whose read version never gets old: entries never change, and pins keep them.
class LastingReader {
 public:
  explicit LastingReader(FileSystem& system);
  // The same object always; what was begun on it goes on.
  const files::EntryReader& get();
  // What was committed until now is seen.
  void renew();
  const files::EntryReader& address() const { return reader_; }

 private:
  FileSystem& system_;
  files::EntryReader reader_;
  int64_t since_us_ = 0;
};

class ArchiveWalk {
 public:
  // known: null for an export.
  ArchiveWalk(FileSystem& system, const archive::AeorHeader& header, const KnownChunks* known, const StopFlag& stop);

  Result<ArchiveCounts> count() { return walk(nullptr); }
  Result<ArchiveCounts> write(archive::AeorWriter& writer) { return walk(&writer); }

 private:
  Result<ArchiveCounts> walk(archive::AeorWriter* writer);
  Result<void> take(const files::TreeDiff& diff);
  Result<void> take_node(const Hash& hash, const Bytes& bytes, bool whole_directory);
  Result<void> take_record(archive::EntryKind kind, const Hash& hash, const std::string& path);
  Result<void> take_chunk(const Hash& hash);
  Result<void> take_deletion(archive::EntryKind kind, const std::string& path);
  Result<void> add(archive::EntryKind kind, const Hash& key, BytesView stored, bool zstd = false);

  const archive::AeorHeader& header_;
  const KnownChunks* const known_;
  const StopFlag& stop_;
  LastingReader reader_;
  archive::AeorWriter* writer_ = nullptr;
  ArchiveCounts counts_;
  RememberedHashes chunks_;
  RememberedHashes directories_;
  std::string path_;
};

}  // namespace strata::service
