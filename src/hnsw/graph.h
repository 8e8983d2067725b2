// Graph: the nodes of an index and their links, layer by layer.
//
// Purpose:       what a walk reads: a node's links of the lowest layer are one run of 4-byte slots (two cache lines at
//                m 16), its higher layers are elsewhere, since one node in m has any.
// Ownership:     owns its memory.
// Thread safety: reading from any thread, also while others write: a link is read whole, a list perhaps half new. Lists
//                are written under the node's lock. allocate and release: one at a time.
// Invariants:    every link is a slot that was allocated, whose node reaches the layer unless it was reused meanwhile.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "hnsw/blocks.h"

namespace strata::hnsw {

inline constexpr uint32_t no_slot = UINT32_MAX;
// Layers above the lowest; ln(2^32) / ln(2) = 32 would be the most that m = 2 can draw sensibly.
inline constexpr uint32_t max_level = 24;

// dead: removed; walks still go through it. condemned: the sweep under way takes it out of every list.
enum class NodeState : uint8_t { free = 0, linking = 1, live = 2, dead = 3, condemned = 4 };

struct Node {
  std::atomic<uint64_t> label;
  std::atomic<uint32_t> upper;  // 1 + the place of its list of layer 1; those above follow
  std::atomic<uint8_t> level;
  std::atomic<NodeState> state;
};
static_assert(sizeof(Node) == 16);

class Nodes {
 public:
  Nodes() : blocks_(sizeof(Node)) {}

  Result<void> grow(uint64_t end) { return blocks_.grow(end); }
  Node& at(uint32_t slot) const { return *reinterpret_cast<Node*>(blocks_.at(slot)); }
  uint64_t label(uint32_t slot) const { return at(slot).label.load(std::memory_order_relaxed); }
  uint32_t level(uint32_t slot) const { return at(slot).level.load(std::memory_order_relaxed); }
  NodeState state(uint32_t slot) const { return at(slot).state.load(std::memory_order_acquire); }
  bool live(uint32_t slot) const { return state(slot) == NodeState::live; }
  // May be linked to: what is being removed may not.
  bool linkable(uint32_t slot) const {
    const NodeState now = state(slot);
    return now == NodeState::live || now == NodeState::linking;
  }
  void set_state(uint32_t slot, NodeState state) const { at(slot).state.store(state, std::memory_order_release); }

 private:
  Blocks blocks_;
};

class Graph {
 public:
  explicit Graph(uint32_t m) : m_(m), lowest_(lowest_width() * sizeof(Link)), upper_(m * sizeof(Link)) {}

  uint32_t m() const { return m_; }
  uint32_t lowest_width() const { return m_ * 2; }
  uint32_t width(uint32_t level) const { return level == 0 ? lowest_width() : m_; }
  const Nodes& nodes() const { return nodes_; }

  Result<void> grow(uint64_t end);
  // The node's higher lists, empty.
  Result<void> allocate(uint32_t slot, uint64_t label, uint32_t level);
  // Empties its lists; the higher ones may be given to another.
  void release(uint32_t slot);

  // The node's links of the layer, at most width(level), into `out`; none where the node does not reach it.
  uint32_t links(uint32_t slot, uint32_t level, uint32_t* out) const;
  template <class Visit>
  void for_each_link(uint32_t slot, uint32_t level, Visit visit) const {
    const Link* const list_of = list(slot, level);
    const uint32_t most = list_of == nullptr ? 0 : width(level);
    for (uint32_t i = 0; i < most; ++i) {
      const uint32_t link = list_of[i].load(std::memory_order_acquire);
      if (link == 0) return;
      visit(link - 1);
    }
  }
  void prefetch_links(uint32_t slot) const {
    const std::byte* at = lowest_.at(slot);
    for (uint32_t i = 0; i < lowest_width() * sizeof(Link) && i < 256; i += 64) __builtin_prefetch(at + i);
  }
  void set_links(uint32_t slot, uint32_t level, std::span<const uint32_t> links) const;
  // At the end of the list of `count` links, which is not full.
  void append_link(uint32_t slot, uint32_t level, uint32_t count, uint32_t link) const;
  std::mutex& lock_of(uint32_t slot) const { return locks_[slot % locks_.size()]; }

  uint64_t upper_bytes() const { return upper_end_ * upper_.stride(); }

 private:
  // The slot + 1; 0 ends a list, so that new memory is empty lists.
  using Link = std::atomic<uint32_t>;
  Link* list(uint32_t slot, uint32_t level) const;

  const uint32_t m_;
  Nodes nodes_;
  Blocks lowest_;
  Blocks upper_;
  uint64_t upper_end_ = 0;
  std::array<std::vector<uint32_t>, max_level + 1> free_upper_;  // by the number of lists
  mutable std::array<std::mutex, 1024> locks_;
};

}  // namespace strata::hnsw
