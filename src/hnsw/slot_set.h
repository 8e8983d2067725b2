// SlotSet: a set of slots, as bits.
//
// Purpose:       which vectors a filtered search may return.
// Ownership:     owns its bits.
// Thread safety: const methods from any thread.
// Invariants:    a slot beyond `end` is not in the set and cannot be put there.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/assert.h"

namespace strata::hnsw {

class SlotSet {
 public:
  // Of slots below `end` (Index::slot_end()).
  explicit SlotSet(uint32_t end) : end_(end), words_((static_cast<size_t>(end) + 63) / 64) {}

  uint32_t end() const { return end_; }
  size_t count() const { return count_; }
  bool contains(uint32_t slot) const { return slot < end_ && (words_[slot / 64] >> (slot % 64) & 1) != 0; }

  void insert(uint32_t slot) {
    STRATA_ASSERT(slot < end_);
    uint64_t& word = words_[slot / 64];
    const uint64_t bit = uint64_t{1} << (slot % 64);
    count_ += (word & bit) == 0;
    word |= bit;
  }
  // Ascending slots, a word of bits at a time.
  void insert(std::span<const uint32_t> slots) {
    STRATA_ASSERT(slots.empty() || slots.back() < end_);
    for (size_t at = 0; at < slots.size();) {
      uint64_t& word = words_[slots[at] / 64];
      uint64_t bits = 0;
      for (const uint32_t block = slots[at] / 64; at < slots.size() && slots[at] / 64 == block; ++at) {
        bits |= uint64_t{1} << (slots[at] % 64);
      }
      count_ += static_cast<size_t>(std::popcount(bits & ~word));
      word |= bits;
    }
  }
  void erase(uint32_t slot) {
    if (!contains(slot)) return;
    words_[slot / 64] &= ~(uint64_t{1} << (slot % 64));
    --count_;
  }

  // visit(slot), ascending.
  template <class Visit>
  void for_each(Visit visit) const {
    for (size_t at = 0; at < words_.size(); ++at) {
      for (uint64_t word = words_[at]; word != 0; word &= word - 1) {
        visit(static_cast<uint32_t>(at * 64 + static_cast<size_t>(std::countr_zero(word))));
      }
    }
  }

 private:
  const uint32_t end_;
  size_t count_ = 0;
  std::vector<uint64_t> words_;
};

}  // namespace strata::hnsw
