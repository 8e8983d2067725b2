#include "base/crc32.h"

#include <zlib.h>

namespace strata {

void Crc32::update(BytesView bytes) {
  // zlib takes a null pointer for a wish to begin anew.
  if (bytes.empty()) return;
  value_ = static_cast<uint32_t>(crc32_z(value_, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace strata
