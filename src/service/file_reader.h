// FileReader: the bytes of one file, or of a range of it, chunk by chunk.
//
// Purpose:       a file of any size is read with about 1 MiB of memory and no long-lived read version: chunks never
//                change.
// Ownership:     borrows the FileSystem; its pin keeps the chunks.
// Thread safety: one coroutine or thread at a time.
// Invariants:    exactly the bytes of the range, each chunk checked against its hash before a byte of it goes out, or
//                an error. An error is final.
// Errors:        corruption; what the engine says.
#pragma once

#include <optional>
#include <vector>

#include "service/file_system.h"

namespace strata::service {

class FileReader {
 public:
  // hash: of the record.
  FileReader(FileSystem& system, const Hash& hash, archive::FileRecord record, FilePins::Pin pin);
  // Of a chunk by itself.
  FileReader(FileSystem& system, const Hash& chunk, uint64_t size, FilePins::Pin pin);

  uint64_t size() const { return size_; }
  // What is read from now on; all of it unless this is called. first + count <= size().
  Result<void> select(uint64_t first, uint64_t count);
  // The next piece, at most 256 KiB, empty at the end. The view lives until the next call.
  Result<BytesView> next();

 private:
  // Of all chunks but the last, where they are not all full.
  Result<void> find_sizes();
  void ask(size_t chunk);
  Result<Bytes> fetch(size_t chunk);

  FileSystem& system_;
  const std::optional<Hash> record_;
  const std::vector<Hash> chunks_;
  const uint64_t size_;
  const FilePins::Pin pin_;
  std::vector<uint32_t> sizes_;
  size_t next_chunk_ = 0;
  uint64_t skip_ = 0;  // of its bytes
  uint64_t left_;
  Bytes current_;
  // The next chunk, asked for ahead.
  std::optional<kv::Transaction> asker_;
  std::optional<Future<std::optional<Bytes>>> ahead_;
  size_t ahead_chunk_ = 0;
};

}  // namespace strata::service
