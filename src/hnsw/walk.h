// Walk: from an entry point to the nodes that are nearest to a query.
//
// Purpose:       the searches of the graph: greedy descent, the walk that keeps the best ef in one sorted array, and
//                the walks that keep only what a gate lets through.
// Ownership:     borrows; buffers are the thread's and are kept between calls.
// Thread safety: any thread that is inside an epoch of the index.
// Invariants:    a node's distance is computed once a walk.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "hnsw/graph.h"
#include "hnsw/slot_set.h"
#include "hnsw/store.h"

namespace strata::hnsw {

struct Near {
  float distance = 0;
  uint32_t slot = no_slot;
  friend bool operator<(const Near& a, const Near& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.slot < b.slot;
  }
};

// Which slots a walk has seen. Clearing costs what was seen, not what there is.
class Visited {
 public:
  void begin(uint64_t end);
  // False: it was seen before, or is not below `end`: it came while the walk was under way.
  bool see(uint32_t slot) {
    if (slot >= end_) return false;
    uint64_t& word = words_[slot / 64];
    const uint64_t bit = uint64_t{1} << (slot % 64);
    if ((word & bit) != 0) return false;
    if (word == 0) touched_.push_back(slot / 64);
    word |= bit;
    return true;
  }
  bool seen(uint32_t slot) const { return slot >= end_ || (words_[slot / 64] >> (slot % 64) & 1) != 0; }

 private:
  uint64_t end_ = 0;
  std::vector<uint64_t> words_;
  std::vector<uint32_t> touched_;
};

// What a walk may keep: what is linkable (for an insert), or the set that is allowed. Of a set, slots that died since
// are left to the caller: to look at each node's state costs a miss of the cache a candidate.
class Gate {
 public:
  explicit Gate(const Nodes& nodes) : nodes_(nodes) {}
  Gate(const Nodes& nodes, const SlotSet* allowed) : nodes_(nodes), allowed_(allowed) {}

  bool open(uint32_t slot) const { return allowed_ != nullptr ? allowed_->contains(slot) : nodes_.linkable(slot); }

 private:
  const Nodes& nodes_;
  const SlotSet* const allowed_ = nullptr;
};

class Walk {
 public:
  Walk(const Graph& graph, const Store& store, uint64_t slots);

  // From `at` down to layer `last`, each step to the nearest neighbour, while one is nearer.
  Near descend(const Query& query, uint32_t at, uint32_t level, uint32_t last);
  // The ef nearest of a layer, ascending; the view is good until the next walk of the thread.
  std::span<const Near> nearest(const Query& query, Near from, uint32_t level, size_t ef);
  // The ef nearest that the gate lets through, ascending. Stops after `budget` distances; then, or when nothing more
  // can be reached, there may be fewer, and exhausted() tells that it was the budget.
  std::span<const Near> nearest_gated(const Query& query, Near from, uint32_t level, size_t ef, const Gate& gate,
                                      uint64_t budget = std::numeric_limits<uint64_t>::max());
  bool exhausted() const { return exhausted_; }
  uint64_t distances() const { return distances_; }

 private:
  struct Buffers;
  static Buffers& buffers();
  // The neighbours of a slot that were not seen yet, and their distances.
  uint32_t unseen(const Query& query, uint32_t slot, uint32_t level);
  void prefetch_next(size_t at, size_t size) const;

  const Graph& graph_;
  const Store& store_;
  const uint64_t slots_;
  Buffers& buffers_;
  bool exhausted_ = false;
  uint64_t distances_ = 0;
};

}  // namespace strata::hnsw
