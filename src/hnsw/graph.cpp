#include "hnsw/graph.h"

#include "base/assert.h"

namespace strata::hnsw {

Result<void> Graph::grow(uint64_t end) {
  RETURN_IF_ERROR(nodes_.grow(end));
  return lowest_.grow(end);
}

Result<void> Graph::allocate(uint32_t slot, uint64_t label, uint32_t level) {
  STRATA_ASSERT(level <= max_level);
  uint32_t upper = 0;
  if (level > 0 && !free_upper_[level].empty()) {
    upper = free_upper_[level].back();
    free_upper_[level].pop_back();
  } else if (level > 0) {
    // A node's lists lie in one block: its last records stay unused when they are too few.
    const uint64_t left = upper_.slots_per_block() - upper_end_ % upper_.slots_per_block();
    const uint64_t first = left < level ? upper_end_ + left : upper_end_;
    if (first + level >= UINT32_MAX) return Error(ErrorCode::internal, "vector index: too many nodes");
    RETURN_IF_ERROR(upper_.grow(first + level));
    upper_end_ = first + level;
    upper = static_cast<uint32_t>(first) + 1;
  }
  Node& node = nodes_.at(slot);
  node.label.store(label, std::memory_order_relaxed);
  node.upper.store(upper, std::memory_order_relaxed);
  node.level.store(static_cast<uint8_t>(level), std::memory_order_relaxed);
  return {};
}

void Graph::release(uint32_t slot) {
  Node& node = nodes_.at(slot);
  const uint32_t level = nodes_.level(slot);
  for (uint32_t layer = 0; layer <= level; ++layer) set_links(slot, layer, {});
  if (level > 0) free_upper_[level].push_back(node.upper.load(std::memory_order_relaxed));
  node.upper.store(0, std::memory_order_relaxed);
  node.level.store(0, std::memory_order_relaxed);
}

Graph::Link* Graph::list(uint32_t slot, uint32_t level) const {
  if (level == 0) return reinterpret_cast<Link*>(lowest_.at(slot));
  const Node& node = nodes_.at(slot);
  if (node.level.load(std::memory_order_relaxed) < level) return nullptr;
  return reinterpret_cast<Link*>(upper_.at(node.upper.load(std::memory_order_relaxed) - 1 + level - 1));
}

uint32_t Graph::links(uint32_t slot, uint32_t level, uint32_t* out) const {
  const Link* list_of = list(slot, level);
  if (list_of == nullptr) return 0;
  const uint32_t most = width(level);
  uint32_t count = 0;
  for (; count < most; ++count) {
    const uint32_t link = list_of[count].load(std::memory_order_acquire);
    if (link == 0) break;
    out[count] = link - 1;
  }
  return count;
}

void Graph::set_links(uint32_t slot, uint32_t level, std::span<const uint32_t> links) const {
  Link* list_of = list(slot, level);
  if (list_of == nullptr) return;
  const uint32_t most = width(level);
  STRATA_ASSERT(links.size() <= most);
  for (size_t i = 0; i < links.size(); ++i) list_of[i].store(links[i] + 1, std::memory_order_release);
  for (size_t i = links.size(); i < most; ++i) list_of[i].store(0, std::memory_order_release);
}

void Graph::append_link(uint32_t slot, uint32_t level, uint32_t count, uint32_t link) const {
  Link* list_of = list(slot, level);
  if (list_of == nullptr) return;
  STRATA_ASSERT(count < width(level));
  list_of[count].store(link + 1, std::memory_order_release);
}

}  // namespace strata::hnsw
