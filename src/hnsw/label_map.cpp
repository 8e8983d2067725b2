#include "hnsw/label_map.h"

#include <mutex>
#include <utility>

#include "base/bytes.h"
#include "base/random.h"
#include "hnsw/graph.h"

namespace strata::hnsw {

namespace {

constexpr size_t least_table = 64;

// Clients choose labels: without a secret they could choose ones that collide.
uint64_t hash_of(uint64_t label) {
  static const uint64_t secret = read_le64(secure_random_bytes(8));
  return Random(label ^ secret).next();
}

}  // namespace

// The place of the label, or the free one where it would go. The table has a free one.
size_t LabelMap::place_of(uint64_t label) const {
  const size_t mask = table_.size() - 1;
  size_t place = hash_of(label) & mask;
  while (table_[place] != no_slot && nodes_.label(table_[place]) != label) place = (place + 1) & mask;
  return place;
}

std::optional<uint32_t> LabelMap::find(uint64_t label) const {
  const std::shared_lock lock(mutex_);
  if (table_.empty()) return std::nullopt;
  const uint32_t slot = table_[place_of(label)];
  return slot == no_slot ? std::nullopt : std::optional(slot);
}

void LabelMap::add_to(std::span<const uint64_t> labels, SlotSet& into) const {
  const std::shared_lock lock(mutex_);
  if (table_.empty()) return;
  constexpr size_t ahead = 16;
  const size_t mask = table_.size() - 1;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (i + ahead < labels.size()) __builtin_prefetch(&table_[hash_of(labels[i + ahead]) & mask]);
    const uint32_t slot = table_[place_of(labels[i])];
    if (slot < into.end()) into.insert(slot);
  }
}

std::optional<uint32_t> LabelMap::put(uint64_t label, uint32_t slot) {
  const std::lock_guard lock(mutex_);
  if ((size_ + 1) * 4 > table_.size() * 3) enlarge();
  uint32_t& entry = table_[place_of(label)];
  if (entry == no_slot) {
    entry = slot;
    ++size_;
    return std::nullopt;
  }
  return std::exchange(entry, slot);
}

std::optional<uint32_t> LabelMap::take(uint64_t label) {
  const std::lock_guard lock(mutex_);
  if (table_.empty()) return std::nullopt;
  const size_t mask = table_.size() - 1;
  size_t hole = place_of(label);
  const uint32_t slot = table_[hole];
  if (slot == no_slot) return std::nullopt;
  for (size_t next = (hole + 1) & mask; table_[next] != no_slot; next = (next + 1) & mask) {
    const size_t home = hash_of(nodes_.label(table_[next])) & mask;
    // It may move into the hole unless its home lies behind the hole.
    if (((next - home) & mask) >= ((next - hole) & mask)) {
      table_[hole] = table_[next];
      hole = next;
    }
  }
  table_[hole] = no_slot;
  --size_;
  return slot;
}

void LabelMap::enlarge() {
  std::vector<uint32_t> old(table_.empty() ? least_table : table_.size() * 2, no_slot);
  old.swap(table_);
  for (const uint32_t slot : old) {
    if (slot != no_slot) table_[place_of(nodes_.label(slot))] = slot;
  }
}

size_t LabelMap::size() const {
  const std::shared_lock lock(mutex_);
  return size_;
}

uint64_t LabelMap::bytes() const {
  const std::shared_lock lock(mutex_);
  return table_.size() * sizeof(uint32_t);
}

}  // namespace strata::hnsw
