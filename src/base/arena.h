// Arena: bytes that live until the arena dies, at addresses that do not move.
//
// Purpose:       a transaction copies each key and value once, here; its maps and the engine hold views.
// Ownership:     owns every byte it hands out; not copyable, movable (views stay valid).
// Thread safety: none; one owner at a time.
// Invariants:    memory is given back only as a whole.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "base/bytes.h"

namespace strata {

class Arena {
 public:
  Arena() = default;
  Arena(Arena&&) = default;
  Arena& operator=(Arena&&) = default;

  // Room for `size` bytes.
  char* allocate(size_t size) {
    if (size > left_) grow(size);
    char* at = at_;
    at_ += size;
    left_ -= size;
    return at;
  }

  BytesView copy(BytesView bytes) {
    if (bytes.empty()) return {};
    char* at = allocate(bytes.size());
    std::memcpy(at, bytes.data(), bytes.size());
    return {at, bytes.size()};
  }

  // key + "\0", the end of the range that holds `key` alone.
  BytesView copy_key_after(BytesView key) {
    char* at = allocate(key.size() + 1);
    std::memcpy(at, key.data(), key.size());
    at[key.size()] = '\0';
    return {at, key.size() + 1};
  }

  size_t bytes() const { return bytes_; }

 private:
  void grow(size_t size) {
    // Blocks double from 512 bytes to 64 KiB: a point read stays small, a bulk load allocates seldom.
    size_t block = next_block_;
    if (next_block_ < 65536) next_block_ *= 2;
    if (block < size) block = size;
    blocks_.push_back(std::unique_ptr<char[]>(new char[block]));
    at_ = blocks_.back().get();
    left_ = block;
    bytes_ += block;
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* at_ = nullptr;
  size_t left_ = 0;
  size_t next_block_ = 512;
  size_t bytes_ = 0;
};

}  // namespace strata
