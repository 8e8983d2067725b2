#include "base/crc32.h"

#include <libdeflate.h>

namespace strata {

// 8 to 12 GB/s by carry-less multiplication where the processor has it; zlib's tables do 3.
void Crc32::update(BytesView bytes) {
  // libdeflate takes a null pointer for a wish to begin anew.
  if (bytes.empty()) return;
  value_ = libdeflate_crc32(value_, bytes.data(), bytes.size());
}

}  // namespace strata
