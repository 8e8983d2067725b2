// LabelMap: from labels to slots.
//
// Purpose:       4 bytes an entry where a general map takes 50: the table holds slots, and the labels are read from the
//                slots themselves.
// Ownership:     owns its table.
// Thread safety: all of it, from any thread; one lock, shared by readers.
// Invariants:    linear probing, at most 3/4 full; no marks of removed entries: those behind move up.
#pragma once

#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <span>
#include <vector>

#include "hnsw/slot_set.h"

namespace strata::hnsw {

class Nodes;

class LabelMap {
 public:
  explicit LabelMap(const Nodes& nodes) : nodes_(nodes) {}

  std::optional<uint32_t> find(uint64_t label) const;
  void add_to(std::span<const uint64_t> labels, SlotSet& into) const;
  // The label of the slot is that of the node. Returns the slot that had it before.
  std::optional<uint32_t> put(uint64_t label, uint32_t slot);
  std::optional<uint32_t> take(uint64_t label);
  size_t size() const;
  uint64_t bytes() const;

 private:
  size_t place_of(uint64_t label) const;
  void enlarge();

  const Nodes& nodes_;
  mutable std::shared_mutex mutex_;
  std::vector<uint32_t> table_;
  size_t size_ = 0;
};

}  // namespace strata::hnsw
