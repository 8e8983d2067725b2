// .aeordb files: a header, then entries, each with a key, a value and a hash over both.
//
// Purpose:       versions of files travel between servers, also of other makes, in the documented format.
//                docs/formats/aeor.md describes the bytes; what values mean is archive/file_records.h's.
// Ownership:     borrow their sink or source.
// Thread safety: none.
// Invariants:    the reader hands out an entry only when its lengths agree and its hash is right. Memory follows the
//                bytes that came and is bounded by the entry's kind, before and after decompression, never by a length
//                that a file claims.
// Errors:        of the reader: invalid_argument, with the place in the file, for everything that is not as it was
//                written; and the source's.
#pragma once

#include <optional>
#include <string_view>

#include "archive/file_records.h"
#include "base/byte_stream.h"

namespace strata::archive {

inline constexpr size_t aeor_header_bytes = 256;
inline constexpr size_t aeor_entry_header_bytes = 63;

enum class BackupType : uint8_t { normal = 0, full_export = 1, patch = 2 };

struct AeorHeader {
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
  // The version that the entries make up.
  Hash head{};
  uint64_t entry_count = 0;
  BackupType type = BackupType::full_export;
  // Of a patch: from which version, to which.
  Hash base{};
  Hash target{};
};

Bytes encode(const AeorHeader& header);

class AeorWriter {
 public:
  explicit AeorWriter(ByteSink& sink) : sink_(sink) {}

  // First; the count of entries is the caller's promise.
  Result<void> begin(const AeorHeader& header);
  // stored: the value as it is to stand in the file, compressed with zstd where that is said.
  Result<void> add(EntryKind kind, const Hash& key, BytesView stored, bool zstd, int64_t timestamp_ms);
  // Hands on what is still held.
  Result<void> finish();
  uint64_t entries() const { return entries_; }

 private:
  ByteSink& sink_;
  Bytes pending_;
  uint64_t entries_ = 0;
};

class AeorReader {
 public:
  explicit AeorReader(ByteSource& source) : source_(source) {}

  // First.
  Result<AeorHeader> begin();
  // The next entry whose value means something: voids, and kinds that this version does not know, are verified and
  // passed over. False: the end, with no entry less than the header promises.
  Result<bool> next();

  // Of the entry that next() found; views end with the next call.
  EntryKind kind() const { return kind_; }
  // None: not as long as a hash; rows of other programs' own tables have such keys.
  const std::optional<Hash>& key() const { return key_; }
  int64_t timestamp_ms() const { return timestamp_ms_; }
  // As it stands in the file.
  BytesView stored() const { return stored_; }
  bool is_zstd() const { return zstd_; }
  // Decompressed where it says that it is compressed.
  Result<BytesView> value();
  // As if it said so: some writers left the mark out. nullopt: it is not zstd of a value of that kind.
  std::optional<BytesView> unmarked_zstd_value();

  // An error that says where it was met.
  Error broken(std::string_view why) const;

 private:
  struct Lengths {
    uint32_t key = 0;
    uint32_t value = 0;
  };
  // The next bytes, viewed until the next take; fewer only at the end.
  Result<BytesView> take(size_t count);
  Result<BytesView> take_exactly(size_t count);
  Result<void> skip_foreign_blocks();
  Result<Lengths> read_entry_header(BytesView bytes);
  Result<void> pass_over(Lengths lengths);
  Result<void> read_entry(Lengths lengths);

  ByteSource& source_;
  Bytes buffer_;
  size_t at_ = 0;
  uint64_t position_ = 0;  // in the file, of at_
  bool ended_ = false;

  struct Block {
    uint64_t offset = 0;
    uint64_t length = 0;
  };
  Block foreign_[2];
  uint64_t promised_ = 0;
  uint64_t entries_ = 0;

  uint8_t kind_byte_ = 0;
  EntryKind kind_{};
  Hash integrity_{};
  std::optional<Hash> key_;
  int64_t timestamp_ms_ = 0;
  bool zstd_ = false;
  BytesView stored_;
  Bytes value_;
};

}  // namespace strata::archive
