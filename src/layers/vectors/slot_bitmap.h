// SlotBitmap: a set of slots, compressed.
//
// Purpose:       the one place that knows the bitmap library (CRoaring, whose C interface is the same from 0.2 on).
// Ownership:     owns its bitmap; an empty set owns nothing.
// Thread safety: const methods from several threads; changes alone.
// Invariants:    iteration is ascending.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace strata::vectors {

class SlotBitmap {
 public:
  SlotBitmap() = default;
  SlotBitmap(const SlotBitmap& other);
  SlotBitmap(SlotBitmap&& other) noexcept = default;
  SlotBitmap& operator=(const SlotBitmap& other);
  SlotBitmap& operator=(SlotBitmap&& other) noexcept = default;

  void add(uint32_t slot);
  // Ascending is fastest.
  void add_many(std::span<const uint32_t> slots);
  void remove(uint32_t slot);
  void clear() { bitmap_.reset(); }

  bool contains(uint32_t slot) const;
  bool empty() const;
  uint64_t count() const;

  SlotBitmap& operator|=(const SlotBitmap& other);
  SlotBitmap& operator&=(const SlotBitmap& other);
  SlotBitmap& operator-=(const SlotBitmap& other);
  // Many at once; null pointers are empty sets.
  static SlotBitmap union_of(std::span<const SlotBitmap* const> sets);
  friend bool operator==(const SlotBitmap& a, const SlotBitmap& b);

  std::vector<uint32_t> slots() const;
  // visit(slots), some hundred at a time.
  void in_pieces(const std::function<void(std::span<const uint32_t>)>& visit) const;
  size_t memory_bytes() const;

 private:
  struct Free {
    void operator()(void* bitmap) const;
  };
  std::unique_ptr<void, Free> bitmap_;  // roaring_bitmap_t, whose namespace depends on the library's version
};

}  // namespace strata::vectors
