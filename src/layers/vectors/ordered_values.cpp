#include "layers/vectors/ordered_values.h"

#include <algorithm>

namespace strata::vectors {

void ValueSlots::add(uint32_t slot) {
  if (!many_ && count_ < max_few) {
    few_[count_++] = slot;
    return;
  }
  if (!many_) {
    many_ = std::make_unique<SlotBitmap>();
    for (uint32_t i = 0; i < count_; ++i) many_->add(few_[i]);
    count_ = 0;
  }
  many_->add(slot);
}

void ValueSlots::remove(uint32_t slot) {
  if (many_) {
    many_->remove(slot);
    if (many_->empty()) many_.reset();
    return;
  }
  for (uint32_t i = 0; i < count_; ++i) {
    if (few_[i] != slot) continue;
    few_[i] = few_[--count_];
    return;
  }
}

void ValueSlots::add_to(SlotBitmap& into, std::vector<uint32_t>& few) const {
  if (many_) into |= *many_;
  few.insert(few.end(), few_, few_ + count_);
}

template <class Key, class KeyView>
std::pair<size_t, size_t> OrderedValues<Key, KeyView>::lower_bound(KeyView key) const {
  const auto last_key = [&](const Block& block) { return KeyView(values_[block.values.back()].key); };
  const auto block = std::ranges::lower_bound(blocks_, key, std::ranges::less(), last_key);
  if (block == blocks_.end()) return {blocks_.size(), 0};
  const auto key_of = [&](uint32_t value) { return KeyView(values_[value].key); };
  const auto value = std::ranges::lower_bound(block->values, key, std::ranges::less(), key_of);
  return {static_cast<size_t>(block - blocks_.begin()), static_cast<size_t>(value - block->values.begin())};
}

template <class Key, class KeyView>
uint32_t OrderedValues<Key, KeyView>::make(KeyView key) {
  if (free_.empty()) {
    values_.push_back({Key(key), {}});
    return static_cast<uint32_t>(values_.size() - 1);
  }
  const uint32_t value = free_.back();
  free_.pop_back();
  values_[value].key = Key(key);
  return value;
}

template <class Key, class KeyView>
uint32_t OrderedValues<Key, KeyView>::add(KeyView key, uint32_t slot) {
  auto [at, inside] = lower_bound(key);
  if (at == blocks_.size()) {
    // Behind all others: in the last block.
    if (blocks_.empty()) blocks_.emplace_back();
    at = blocks_.size() - 1;
    inside = blocks_[at].values.size();
  }
  Block& block = blocks_[at];
  if (!is(block, inside, key)) {
    block.values.insert(block.values.begin() + static_cast<ptrdiff_t>(inside), make(key));
  }
  const uint32_t value = block.values[inside];
  values_[value].slots.add(slot);
  if (!several_) block.slots.add(slot);
  if (block.values.size() > max_block_values) split(at);
  return value;
}

template <class Key, class KeyView>
void OrderedValues<Key, KeyView>::split(size_t at) {
  Block upper;
  Block& lower = blocks_[at];
  const auto middle = lower.values.begin() + static_cast<ptrdiff_t>(lower.values.size() / 2);
  upper.values.assign(middle, lower.values.end());
  lower.values.erase(middle, lower.values.end());
  if (!several_) {
    std::vector<uint32_t> few;
    for (const uint32_t value : upper.values) values_[value].slots.add_to(upper.slots, few);
    flush(few, upper.slots);
    lower.slots -= upper.slots;
  }
  blocks_.insert(blocks_.begin() + static_cast<ptrdiff_t>(at) + 1, std::move(upper));
}

template <class Key, class KeyView>
void OrderedValues<Key, KeyView>::remove(uint32_t value, uint32_t slot) {
  ValueSlots& slots = values_[value].slots;
  slots.remove(slot);
  if (several_ && !slots.empty()) return;
  const auto [at, inside] = lower_bound(KeyView(values_[value].key));
  STRATA_ASSERT(at < blocks_.size() && blocks_[at].values[inside] == value);
  Block& block = blocks_[at];
  if (!several_) block.slots.remove(slot);
  if (!slots.empty()) return;
  block.values.erase(block.values.begin() + static_cast<ptrdiff_t>(inside));
  if (block.values.empty()) blocks_.erase(blocks_.begin() + static_cast<ptrdiff_t>(at));
  if constexpr (std::is_same_v<Key, std::string>) Key().swap(values_[value].key);
  free_.push_back(value);
}

template <class Key, class KeyView>
void OrderedValues<Key, KeyView>::add_equal(KeyView key, SlotBitmap& into) const {
  const auto [at, inside] = lower_bound(key);
  if (at == blocks_.size() || !is(blocks_[at], inside, key)) return;
  std::vector<uint32_t> few;
  values_[blocks_[at].values[inside]].slots.add_to(into, few);
  flush(few, into);
}

template <class Key, class KeyView>
void OrderedValues<Key, KeyView>::add_range(const Bound* low, const Bound* high, SlotBitmap& into) const {
  STRATA_ASSERT(!several_);
  // Positions of the first value inside and of the first behind.
  const auto position = [&](const Bound& bound, bool behind_equal) {
    auto found = lower_bound(bound.key);
    if (behind_equal && found.first < blocks_.size() && is(blocks_[found.first], found.second, bound.key)) {
      ++found.second;
    }
    return found;
  };
  const auto begin = low ? position(*low, !low->inclusive) : std::pair<size_t, size_t>(0, 0);
  const auto end = high ? position(*high, high->inclusive) : std::pair<size_t, size_t>(blocks_.size(), 0);
  if (begin >= end) return;
  std::vector<uint32_t> few;
  std::vector<const SlotBitmap*> whole;
  for (size_t at = begin.first; at <= end.first && at < blocks_.size(); ++at) {
    const Block& block = blocks_[at];
    const size_t from = at == begin.first ? begin.second : 0;
    const size_t to = at == end.first ? end.second : block.values.size();
    if (from == 0 && to == block.values.size()) {
      whole.push_back(&block.slots);
      continue;
    }
    for (size_t i = from; i < to; ++i) values_[block.values[i]].slots.add_to(into, few);
  }
  flush(few, into);
  into |= SlotBitmap::union_of(whole);
}

template <class Key, class KeyView>
uint32_t OrderedValues<Key, KeyView>::append(KeyView key) {
  if (blocks_.empty() || blocks_.back().values.size() >= max_block_values) blocks_.emplace_back();
  const uint32_t value = make(key);
  blocks_.back().values.push_back(value);
  return value;
}

template <class Key, class KeyView>
bool OrderedValues<Key, KeyView>::finish() {
  for (Block& block : blocks_) {
    std::vector<uint32_t> few;
    for (const uint32_t value : block.values) {
      if (values_[value].slots.empty()) return false;
      if (!several_) values_[value].slots.add_to(block.slots, few);
    }
    flush(few, block.slots);
  }
  return true;
}

template <class Key, class KeyView>
size_t OrderedValues<Key, KeyView>::memory_bytes() const {
  size_t bytes = values_.capacity() * sizeof(Value) + free_.capacity() * 4 + blocks_.capacity() * sizeof(Block);
  for (const Value& value : values_) {
    bytes += value.slots.memory_bytes();
    if constexpr (std::is_same_v<Key, std::string>) bytes += value.key.capacity() > 15 ? value.key.capacity() + 1 : 0;
  }
  for (const Block& block : blocks_) bytes += block.values.capacity() * 4 + block.slots.memory_bytes();
  return bytes;
}

template class OrderedValues<MetadataNumber, MetadataNumber>;
template class OrderedValues<std::string, std::string_view>;

}  // namespace strata::vectors
