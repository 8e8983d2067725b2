// BLAKE3-256: the names of content.
//
// Purpose:       the one hash that versioned files and their archives are built on.
// Ownership:     a Blake3 holds its state, about 2 KiB; nothing is kept of what it is given.
// Thread safety: a Blake3 belongs to one thread; the functions are pure.
// Invariants:    blake3(domain, bytes) is the hash of domain followed by bytes, as pieces of any size give it.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>

#include "base/bytes.h"

namespace strata {

using Hash = std::array<uint8_t, 32>;

class Blake3 {
 public:
  Blake3();
  ~Blake3();
  Blake3(const Blake3&) = delete;
  Blake3& operator=(const Blake3&) = delete;

  void update(BytesView bytes);
  // May be asked while more comes.
  Hash finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A domain keeps what is hashed for one purpose apart from the same bytes hashed for another.
Hash blake3(BytesView domain, BytesView bytes);

inline BytesView bytes_of(const Hash& hash) { return {reinterpret_cast<const char*>(hash.data()), hash.size()}; }
// The caller has checked that there are 32 bytes.
inline Hash hash_of(BytesView bytes) {
  Hash hash;
  std::memcpy(hash.data(), bytes.data(), hash.size());
  return hash;
}
// 64 digits; read in capitals too.
Bytes hash_hex(const Hash& hash);
std::optional<Hash> parse_hash_hex(BytesView text);

// A hash is as good as random: its first bytes will do.
struct HashHasher {
  size_t operator()(const Hash& hash) const {
    size_t first = 0;
    std::memcpy(&first, hash.data(), sizeof first);
    return first;
  }
};

}  // namespace strata
