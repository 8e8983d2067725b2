#include "layers/vectors/slot_bitmap.h"

#include <roaring/roaring.h>

#include <array>
#include <new>

namespace strata::vectors {
namespace {

template <class Pointer>
roaring_bitmap_t* of(const Pointer& bitmap) {
  return static_cast<roaring_bitmap_t*>(bitmap.get());
}

// The library answers null when there is no memory; everything above it expects an exception then, as from new.
roaring_bitmap_t* checked(roaring_bitmap_t* bitmap) {
  if (!bitmap) throw std::bad_alloc();
  return bitmap;
}

}  // namespace

void SlotBitmap::Free::operator()(void* bitmap) const { roaring_bitmap_free(static_cast<roaring_bitmap_t*>(bitmap)); }

SlotBitmap::SlotBitmap(const SlotBitmap& other) {
  if (other.bitmap_) bitmap_.reset(checked(roaring_bitmap_copy(of(other.bitmap_))));
}

SlotBitmap& SlotBitmap::operator=(const SlotBitmap& other) {
  if (this != &other) *this = SlotBitmap(other);
  return *this;
}

void SlotBitmap::add(uint32_t slot) {
  if (!bitmap_) bitmap_.reset(checked(roaring_bitmap_create()));
  roaring_bitmap_add(of(bitmap_), slot);
}

void SlotBitmap::add_many(std::span<const uint32_t> slots) {
  if (slots.empty()) return;
  if (!bitmap_) bitmap_.reset(checked(roaring_bitmap_create()));
  roaring_bitmap_add_many(of(bitmap_), slots.size(), slots.data());
}

void SlotBitmap::remove(uint32_t slot) {
  if (!bitmap_) return;
  roaring_bitmap_remove(of(bitmap_), slot);
  if (roaring_bitmap_is_empty(of(bitmap_))) bitmap_.reset();
}

bool SlotBitmap::contains(uint32_t slot) const { return bitmap_ && roaring_bitmap_contains(of(bitmap_), slot); }

bool SlotBitmap::empty() const { return !bitmap_ || roaring_bitmap_is_empty(of(bitmap_)); }

uint64_t SlotBitmap::count() const { return bitmap_ ? roaring_bitmap_get_cardinality(of(bitmap_)) : 0; }

SlotBitmap& SlotBitmap::operator|=(const SlotBitmap& other) {
  if (!other.bitmap_ || this == &other) return *this;
  if (!bitmap_) return *this = other;
  roaring_bitmap_or_inplace(of(bitmap_), of(other.bitmap_));
  return *this;
}

SlotBitmap& SlotBitmap::operator&=(const SlotBitmap& other) {
  if (!bitmap_ || this == &other) return *this;
  if (other.bitmap_) {
    roaring_bitmap_and_inplace(of(bitmap_), of(other.bitmap_));
  } else {
    bitmap_.reset();
  }
  return *this;
}

SlotBitmap& SlotBitmap::operator-=(const SlotBitmap& other) {
  if (!bitmap_ || !other.bitmap_) return *this;
  if (this == &other) {
    bitmap_.reset();
  } else {
    roaring_bitmap_andnot_inplace(of(bitmap_), of(other.bitmap_));
  }
  return *this;
}

SlotBitmap SlotBitmap::union_of(std::span<const SlotBitmap* const> sets) {
  std::vector<const roaring_bitmap_t*> bitmaps;
  bitmaps.reserve(sets.size());
  for (const SlotBitmap* set : sets) {
    if (set && set->bitmap_) bitmaps.push_back(of(set->bitmap_));
  }
  SlotBitmap result;
  if (bitmaps.empty()) return result;
  result.bitmap_.reset(checked(roaring_bitmap_or_many(bitmaps.size(), bitmaps.data())));
  return result;
}

bool operator==(const SlotBitmap& a, const SlotBitmap& b) {
  if (!a.bitmap_ || !b.bitmap_) return a.empty() && b.empty();
  return roaring_bitmap_equals(of(a.bitmap_), of(b.bitmap_));
}

std::vector<uint32_t> SlotBitmap::slots() const {
  std::vector<uint32_t> all(count());
  if (!all.empty()) roaring_bitmap_to_uint32_array(of(bitmap_), all.data());
  return all;
}

void SlotBitmap::in_pieces(const std::function<void(std::span<const uint32_t>)>& visit) const {
  if (!bitmap_) return;
  std::array<uint32_t, 1'024> slots;
  roaring_uint32_iterator_t iterator;
  roaring_init_iterator(of(bitmap_), &iterator);
  for (;;) {
    const uint32_t count = roaring_read_uint32_iterator(&iterator, slots.data(), slots.size());
    if (count == 0) return;
    visit(std::span<const uint32_t>(slots.data(), count));
  }
}

size_t SlotBitmap::memory_bytes() const { return bitmap_ ? 64 + roaring_bitmap_size_in_bytes(of(bitmap_)) : 0; }

}  // namespace strata::vectors
