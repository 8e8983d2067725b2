// OrderedValues: the distinct values of a metadata field, in order, each with the slots that have it.
//
// Purpose:       equality and ranges over one type of a field's values; part of MetadataIndex.
// Ownership:     owns keys and sets.
// Thread safety: const methods from several threads; changes alone.
// Invariants:    keys are distinct; every value has at least one slot between calls. Values keep their number while
//                they exist. Blocks hold up to max_block_values numbers in the order of their keys, and the union of
//                their slots: a range over 100,000 distinct values joins some hundred blocks, not 100,000 sets. A slot
//                has one value at most, unless `several`: then no unions are kept, and there are no ranges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "layers/vectors/metadata.h"
#include "layers/vectors/slot_bitmap.h"

namespace strata::vectors {

// The slots of one value: most values of most fields are rare, and a bitmap for each would be most of the memory.
class ValueSlots {
 public:
  void add(uint32_t slot);
  void remove(uint32_t slot);
  bool empty() const { return count_ == 0 && !many_; }
  void add_to(SlotBitmap& into, std::vector<uint32_t>& few) const;
  size_t memory_bytes() const { return many_ ? sizeof(SlotBitmap) + many_->memory_bytes() : 0; }

 private:
  static constexpr uint32_t max_few = 2;
  uint32_t count_ = 0;  // of few_
  uint32_t few_[max_few] = {};
  std::unique_ptr<SlotBitmap> many_;
};

template <class Key, class KeyView>
class OrderedValues {
 public:
  explicit OrderedValues(bool several) : several_(several) {}

  // The value's number.
  uint32_t add(KeyView key, uint32_t slot);
  void remove(uint32_t value, uint32_t slot);
  bool empty() const { return values_.size() == free_.size(); }

  void add_equal(KeyView key, SlotBitmap& into) const;
  struct Bound {
    KeyView key;
    bool inclusive;
  };
  // nullptr: no bound.
  void add_range(const Bound* low, const Bound* high, SlotBitmap& into) const;
  // Of all values for which accept(key).
  template <class Accept>
  void add_where(const Accept& accept, SlotBitmap& into) const;

  // visit(number, key) in the order of the keys.
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (const Block& block : blocks_) {
      for (const uint32_t value : block.values) visit(value, KeyView(values_[value].key));
    }
  }
  // One that sorts behind all others; add_slot gives it its slots, and finish() comes when every value has some.
  uint32_t append(KeyView key);
  void add_slot(uint32_t value, uint32_t slot) { values_[value].slots.add(slot); }
  // False: a value has no slot.
  bool finish();
  size_t size() const { return values_.size() - free_.size(); }
  size_t memory_bytes() const;

 private:
  static constexpr size_t max_block_values = 512;
  struct Value {
    Key key;
    ValueSlots slots;
  };
  struct Block {
    std::vector<uint32_t> values;
    SlotBitmap slots;
  };

  // Of the first key that is not less.
  std::pair<size_t, size_t> lower_bound(KeyView key) const;
  bool is(const Block& block, size_t at, KeyView key) const {
    return at < block.values.size() && KeyView(values_[block.values[at]].key) == key;
  }
  uint32_t make(KeyView key);
  void split(size_t block);
  void collect(const Block& block);
  void flush(std::vector<uint32_t>& few, SlotBitmap& into) const {
    std::ranges::sort(few);
    into.add_many(few);
  }

  const bool several_;
  std::vector<Value> values_;
  std::vector<uint32_t> free_;
  std::vector<Block> blocks_;  // none is empty
};

using NumberValues = OrderedValues<MetadataNumber, MetadataNumber>;
using TextValues = OrderedValues<std::string, std::string_view>;
extern template class OrderedValues<MetadataNumber, MetadataNumber>;
extern template class OrderedValues<std::string, std::string_view>;

template <class Key, class KeyView>
template <class Accept>
void OrderedValues<Key, KeyView>::add_where(const Accept& accept, SlotBitmap& into) const {
  std::vector<uint32_t> few;
  for (const Block& block : blocks_) {
    for (const uint32_t value : block.values) {
      if (accept(KeyView(values_[value].key))) values_[value].slots.add_to(into, few);
    }
  }
  flush(few, into);
}

}  // namespace strata::vectors
