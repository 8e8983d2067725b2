#include "base/blake3.h"

#include <blake3.h>

#include <algorithm>

#include "base/hex.h"

namespace strata {

struct Blake3::State {
  blake3_hasher hasher;
};

Blake3::Blake3() : state_(std::make_unique<State>()) { blake3_hasher_init(&state_->hasher); }
Blake3::~Blake3() = default;

void Blake3::update(BytesView bytes) { blake3_hasher_update(&state_->hasher, bytes.data(), bytes.size()); }

Hash Blake3::finish() const {
  Hash hash;
  blake3_hasher_finalize(&state_->hasher, hash.data(), hash.size());
  return hash;
}

Hash blake3(BytesView domain, BytesView bytes) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
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
