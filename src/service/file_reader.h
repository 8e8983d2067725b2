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

#include <cstdint>

#include "service/file_system.h"

namespace strata::service {

class FileReader {
 public:
  uint64_t size() const { return size_; }
  // What is read from now on; all of it unless this is called. first + count <= size().
  Result<void> select(uint64_t first, uint64_t count);
  // The next piece, at most 256 KiB, empty at the end. The view lives until the next call.
  Result<BytesView> next();

 private:
  uint64_t size_ = 0;
};

}  // namespace strata::service
