// ByteSink and ByteSource: where the bytes of a file of ours go, and where they come from.
//
// Purpose:       formats are written to a file, a response or a bucket and know none of them.
// Ownership:     interfaces.
// Thread safety: one user at a time.
#pragma once

#include <span>

#include "base/bytes.h"
#include "base/result.h"

namespace strata {

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Result<void> write(BytesView bytes) = 0;
};

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Up to into.size() bytes, at least one; 0 at the end.
  virtual Result<size_t> read(std::span<char> into) = 0;
};

}  // namespace strata
