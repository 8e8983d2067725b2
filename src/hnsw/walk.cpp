#include "hnsw/walk.h"

#include <algorithm>
#include <cstring>

#include "hnsw/code_loop.h"

namespace strata::hnsw {
namespace {

// Of a slot in the pool: its neighbours were looked at. Slots stay below it (State::max_slots).
constexpr uint32_t expanded = uint32_t{1} << 31;

}  // namespace

void Visited::begin(uint64_t end) {
  const size_t words = (end + 63) / 64;
  if (touched_.size() > words_.size() / 4) {
    std::fill(words_.begin(), words_.end(), 0);
  } else {
    for (const uint32_t at : touched_) words_[at] = 0;
  }
  touched_.clear();
  if (words_.size() < words) words_.resize(words);
  end_ = end;
}

struct Walk::Buffers {
  Visited visited;
  std::vector<uint32_t> links;
  std::vector<uint32_t> slots;
  std::vector<float> distances;
  std::vector<Near> pool;
  std::vector<Near> candidates;
  std::vector<Near> results;
};

Walk::Buffers& Walk::buffers() {
  thread_local Buffers buffers;
  return buffers;
}

Walk::Walk(const Graph& graph, const Store& store, uint64_t slots)
    : graph_(graph), store_(store), slots_(slots), buffers_(buffers()) {
  const size_t width = graph.lowest_width();
  if (buffers_.links.size() < width) {
    buffers_.links.resize(width);
    buffers_.slots.resize(width);
    buffers_.distances.resize(width);
  }
}

Near Walk::descend(const Query& query, uint32_t at, uint32_t level, uint32_t last) {
  Near best{store_.distance(query, at), at};
  ++distances_;
  std::vector<uint32_t>& links = buffers_.links;
  std::vector<float>& distances = buffers_.distances;
  for (uint32_t layer = level;; --layer) {
    for (bool moved = true; moved;) {
      moved = false;
      const uint32_t count = graph_.links(best.slot, layer, links.data());
      store_.distances(query, links.data(), count, distances.data());
      distances_ += count;
      for (uint32_t i = 0; i < count; ++i) {
        if (distances[i] < best.distance) {
          best = {distances[i], links[i]};
          moved = true;
        }
      }
    }
    if (layer == last) return best;
  }
}

uint32_t Walk::unseen(const Query& query, uint32_t slot, uint32_t level) {
  const SlotTable table = store_.walked();
  const size_t bytes = store_.walked_bytes();
  uint32_t* const slots = buffers_.slots.data();
  Visited& visited = buffers_.visited;
  uint32_t fresh = 0;
  graph_.for_each_link(slot, level, [&](uint32_t link) {
    if (!visited.see(link)) return;
    // Asked for at once: by the time all links were looked at, the first codes are there.
    prefetch_code(table.at(link), bytes);
    slots[fresh++] = link;
  });
  store_.distances(query, slots, fresh, buffers_.distances.data());
  distances_ += fresh;
  return fresh;
}

namespace {

// The first place whose distance is larger; without a branch that depends on data.
size_t place_in(const Near* pool, size_t size, float distance) {
  size_t at = 0;
  for (size_t left = size; left > 0;) {
    const size_t half = left / 2;
    const bool beyond = pool[at + half].distance <= distance;
    at = beyond ? at + half + 1 : at;
    left = beyond ? left - half - 1 : half;
  }
  return at;
}

// Into the first size - 1 of a sorted array of `size`, behind those that are as far; where it stands then.
size_t insert(Near near, Near* pool, size_t size) {
  // What is found late lies near the end: in a short array going there one by one is 2 to 5 % of a search faster than
  // looking for the place and moving what is behind it; in a long one slower.
  constexpr size_t short_size = 128;
  size_t at = size - 1;
  if (size > short_size) {
    at = place_in(pool, at, near.distance);
    std::memmove(pool + at + 1, pool + at, (size - 1 - at) * sizeof(Near));
  }
  for (; size <= short_size && at > 0 && pool[at - 1].distance > near.distance; --at) pool[at] = pool[at - 1];
  pool[at] = near;
  return at;
}

}  // namespace

// The links of the one that is expanded next, unless this hop finds a nearer one: a hop is long enough for them to come
// (6 to 20 % of a search).
void Walk::prefetch_next(size_t at, size_t size) const {
  constexpr size_t most_looked_at = 8;
  const std::vector<Near>& pool = buffers_.pool;
  for (const size_t end = std::min(size, at + most_looked_at); at < end; ++at) {
    if ((pool[at].slot & expanded) != 0) continue;
    graph_.prefetch_links(pool[at].slot);
    return;
  }
}

std::span<const Near> Walk::nearest(const Query& query, Near from, uint32_t level, size_t ef) {
  // A sorted array: with a few hundred entries moving its tail is cheaper than two heaps.
  buffers_.visited.begin(slots_);
  buffers_.visited.see(from.slot);
  std::vector<Near>& pool = buffers_.pool;
  pool.resize(ef + 1);
  pool[0] = from;
  size_t size = 1;
  for (size_t at = 0; at < size;) {
    if ((pool[at].slot & expanded) != 0) {
      ++at;
      continue;
    }
    const uint32_t slot = pool[at].slot;
    pool[at].slot |= expanded;
    prefetch_next(at + 1, size);
    const uint32_t fresh = unseen(query, slot, level);
    size_t next = at + 1;
    for (uint32_t i = 0; i < fresh; ++i) {
      const float distance = buffers_.distances[i];
      if (size == ef && !(distance < pool[size - 1].distance)) continue;
      if (size < ef) ++size;
      next = std::min(next, insert({distance, buffers_.slots[i]}, pool.data(), size));
    }
    at = next;
    if (at < size) graph_.prefetch_links(pool[at].slot & ~expanded);
  }
  for (size_t i = 0; i < size; ++i) pool[i].slot &= ~expanded;
  return {pool.data(), size};
}

std::span<const Near> Walk::nearest_gated(const Query& query, Near from, uint32_t level, size_t ef, const Gate& gate,
                                          uint64_t budget) {
  constexpr auto farther = [](const Near& a, const Near& b) { return b < a; };
  std::vector<Near>& candidates = buffers_.candidates;
  std::vector<Near>& results = buffers_.results;
  candidates.assign(1, from);
  results.clear();
  if (gate.open(from.slot)) results.push_back(from);
  buffers_.visited.begin(slots_);
  buffers_.visited.see(from.slot);
  const uint64_t last = budget > std::numeric_limits<uint64_t>::max() - distances_
                            ? std::numeric_limits<uint64_t>::max()
                            : distances_ + budget;
  exhausted_ = false;
  while (!candidates.empty()) {
    if (results.size() == ef && results.front() < candidates.front()) break;
    if (distances_ >= last) {
      exhausted_ = true;
      break;
    }
    std::pop_heap(candidates.begin(), candidates.end(), farther);
    const uint32_t slot = candidates.back().slot;
    candidates.pop_back();
    if (!candidates.empty()) graph_.prefetch_links(candidates.front().slot);
    const uint32_t fresh = unseen(query, slot, level);
    for (uint32_t i = 0; i < fresh; ++i) {
      const Near near{buffers_.distances[i], buffers_.slots[i]};
      if (results.size() == ef && !(near < results.front())) continue;
      candidates.push_back(near);
      std::push_heap(candidates.begin(), candidates.end(), farther);
      if (!gate.open(near.slot)) continue;
      results.push_back(near);
      std::push_heap(results.begin(), results.end());
      if (results.size() > ef) {
        std::pop_heap(results.begin(), results.end());
        results.pop_back();
      }
    }
    if (!candidates.empty()) graph_.prefetch_links(candidates.front().slot);
  }
  std::sort_heap(results.begin(), results.end());
  return results;
}

}  // namespace strata::hnsw
