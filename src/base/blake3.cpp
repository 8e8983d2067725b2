#include "base/blake3.h"

#include <blake3.h>

#include <algorithm>

#include "base/hex.h"

namespace strata {

struct Blake3::State {
  blake3_hasher hasher;
};

namespace {

// The library looks at the processor with its first block and keeps what it saw in a plain variable: the first time is
// one thread's.
void init(blake3_hasher& hasher) {
  [[maybe_unused]] static const bool has_looked = [] {
    blake3_hasher first;
    blake3_hasher_init(&first);
    uint8_t hash[BLAKE3_OUT_LEN];
    blake3_hasher_finalize(&first, hash, sizeof hash);
    return true;
  }();
  blake3_hasher_init(&hasher);
}

}  // namespace

Blake3::Blake3() : state_(std::make_unique<State>()) { init(state_->hasher); }
Blake3::~Blake3() = default;

void Blake3::update(BytesView bytes) { blake3_hasher_update(&state_->hasher, bytes.data(), bytes.size()); }

Hash Blake3::finish() const {
  Hash hash;
  blake3_hasher_finalize(&state_->hasher, hash.data(), hash.size());
  return hash;
}

Hash blake3(BytesView domain, BytesView bytes) {
  blake3_hasher hasher;
  init(hasher);
  blake3_hasher_update(&hasher, domain.data(), domain.size());
  blake3_hasher_update(&hasher, bytes.data(), bytes.size());
  Hash hash;
  blake3_hasher_finalize(&hasher, hash.data(), hash.size());
  return hash;
}

Bytes hash_hex(const Hash& hash) { return to_hex(bytes_of(hash)); }

std::optional<Hash> parse_hash_hex(BytesView text) {
  if (text.size() != 2 * sizeof(Hash)) return std::nullopt;
  Bytes lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'F' ? c + 32 : c; });
  const std::optional<Bytes> bytes = decode_hex(lower);
  if (!bytes) return std::nullopt;
  return hash_of(*bytes);
}

}  // namespace strata
