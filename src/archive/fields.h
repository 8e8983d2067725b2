// Fields: what payloads of frames are made of. Integers are little-endian.
//
// Purpose:       sized bytes and numbers, appended and taken off again without a length being trusted.
// Ownership:     append_* write to the caller's bytes; Fields views them.
// Thread safety: pure functions; a Fields belongs to one thread.
// Invariants:    a Fields never reads past its view. After a failure every further take fails too, so that one check
//                at the end is enough.
#pragma once

#include "base/assert.h"
#include "base/blake3.h"
#include "base/bytes.h"

namespace strata::archive {

inline void append_le16(Bytes& out, uint16_t value) {
  out.push_back(static_cast<char>(value & 0xFF));
  out.push_back(static_cast<char>(value >> 8));
}

// At most 65,535 bytes; more is a bug.
inline void append_sized16(Bytes& out, BytesView bytes) {
  STRATA_ASSERT(bytes.size() <= UINT16_MAX);
  append_le16(out, static_cast<uint16_t>(bytes.size()));
  out.append(bytes);
}

inline void append_sized32(Bytes& out, BytesView bytes) {
  append_le32(out, static_cast<uint32_t>(bytes.size()));
  out.append(bytes);
}

class Fields {
 public:
  // Takes off the front of `rest`, which goes on where the last take ended.
  explicit Fields(BytesView& rest) : rest_(rest) {}

  bool ok() const { return ok_; }
  // Everything was there, and nothing is left.
  bool all() const { return ok_ && rest_.empty(); }

  BytesView take(size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const BytesView bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }
  uint8_t take8() {
    const BytesView bytes = take(1);
    return ok_ ? static_cast<uint8_t>(bytes[0]) : 0;
  }
  uint16_t take16() {
    const BytesView bytes = take(2);
    if (!ok_) return 0;
    return static_cast<uint16_t>(static_cast<uint8_t>(bytes[0]) | static_cast<uint8_t>(bytes[1]) << 8);
  }
  uint32_t take32() {
    const BytesView bytes = take(4);
    return ok_ ? read_le32(bytes) : 0;
  }
  uint64_t take64() {
    const BytesView bytes = take(8);
    return ok_ ? read_le64(bytes) : 0;
  }
  BytesView take_sized16() {
    const uint16_t size = take16();
    return take(size);
  }
  BytesView take_sized32() {
    const uint32_t size = take32();
    return take(size);
  }
  Hash take_hash() {
    const BytesView bytes = take(sizeof(Hash));
    return ok_ ? hash_of(bytes) : Hash{};
  }

 private:
  BytesView& rest_;
  bool ok_ = true;
};

}  // namespace strata::archive
