// CRC-32 (ISO-HDLC: zlib's, gzip's, PNG's) of bytes that come in pieces.
//
// Purpose:       the checksum that large objects carry and commits answer.
// Ownership:     values.
// Thread safety: a value.
// Invariants:    the pieces' sizes do not change the result; "123456789" is 0xCBF43926.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace strata {

class Crc32 {
 public:
  void update(BytesView bytes);
  uint32_t value() const { return value_; }

 private:
  uint32_t value_ = 0;
};

}  // namespace strata
