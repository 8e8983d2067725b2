// Random: the only source of randomness, and it is seeded.
//
// Purpose:       back-off and tests draw from a generator whose seed can be replayed; what must be unguessable comes
//                from the kernel (secure_random_bytes).
// Thread safety: a Random belongs to one thread; secure_random_bytes to any.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace strata {

// SplitMix64: 64 bits of state, every seed is good, and a sequence is the same on every platform.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  // 0 .. bound-1; bound > 0.
  uint64_t below(uint64_t bound) { return next() % bound; }
  // 0 <= x < 1.
  double fraction() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  bool one_in(uint64_t n) { return below(n) == 0; }

 private:
  uint64_t state_;
};

// Bytes from the kernel's generator; the process stops if it has none.
Bytes secure_random_bytes(size_t count);

}  // namespace strata
