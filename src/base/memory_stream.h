// BytesSink and BytesSource: streams that begin or end in memory.
//
// Purpose:       what is written to any stream is also kept whole, compared in tests, or read out of a larger file.
// Ownership:     a sink owns what it was given, a source borrows.
// Thread safety: one user at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/byte_stream.h"

namespace strata {

class BytesSink final : public ByteSink {
 public:
  Result<void> write(BytesView more) override {
    bytes.append(more);
    return {};
  }
  Bytes bytes;
};

// In pieces of `step` bytes at most.
class BytesSource final : public ByteSource {
 public:
  explicit BytesSource(BytesView bytes, size_t step = SIZE_MAX) : rest_(bytes), step_(step) {}
  Result<size_t> read(std::span<char> into) override {
    const size_t count = std::min({into.size(), rest_.size(), step_});
    rest_.copy(into.data(), count);
    rest_.remove_prefix(count);
    return count;
  }
  bool empty() const { return rest_.empty(); }

 private:
  BytesView rest_;
  size_t step_;
};

}  // namespace strata
