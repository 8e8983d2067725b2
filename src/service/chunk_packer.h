// ChunkPacker: the chunks of one file, named and packed.
//
// Purpose:       each chunk's hash, and its bytes compressed where that pays.
// Ownership:     a packer knows one file's content type and what its chunks were like; chunks own their bytes.
// Thread safety: one user at a time.
// Invariants:    packing is given up for the rest of a file after some chunks that it did not make smaller.
#pragma once

#include <string_view>

#include "layers/files/entries.h"

namespace strata::service {

struct PackedChunk {
  Hash hash{};
  files::Compression compression = files::Compression::none;
  uint32_t raw_size = 0;
  Bytes stored;
};

class ChunkPacker {
 public:
  explicit ChunkPacker(std::string_view content_type);

  static Hash name(BytesView raw) { return archive::content_hash(archive::EntryKind::chunk, raw); }
  // nullopt: as it is.
  std::optional<Bytes> pack(BytesView raw);
  PackedChunk make(Bytes raw);
  // One that is not there, of that name.
  void put(files::EntryWriter& entries, const Hash& name, BytesView raw);

 private:
  // Chunks in a row that did not get smaller.
  int failures_left_;
};

}  // namespace strata::service
