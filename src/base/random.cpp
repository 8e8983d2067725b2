#include "base/random.h"

#include <sys/random.h>

#include <cerrno>

#include "base/assert.h"

namespace strata {

Bytes secure_random_bytes(size_t count) {
  Bytes bytes(count, '\0');
  size_t done = 0;
  while (done < count) {
    const ssize_t got = getrandom(bytes.data() + done, count - done, 0);
    if (got < 0) {
      STRATA_ASSERT(errno == EINTR);
      continue;
    }
    done += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace strata
