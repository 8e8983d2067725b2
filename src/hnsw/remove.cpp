#include <algorithm>

#include "base/assert.h"
#include "hnsw/state.h"

namespace strata::hnsw {

namespace {

// A sweep begins when this many slots wait for one, and each remove moves it on: at most 1/32 of the nodes are
// collected while 1/64 of them go through, so that dead nodes stay a few in a hundred.
constexpr uint64_t least_batch = 32;
constexpr uint64_t batch_divisor = 32;
constexpr uint64_t nodes_swept_a_remove = 64;

}  // namespace

void Index::State::retire(uint32_t slot) {
  // Before the state: a walk that meets the dead node knows that there are some.
  dead.fetch_add(1, std::memory_order_acq_rel);
  nodes().set_state(slot, NodeState::dead);
  live.fetch_sub(1, std::memory_order_acq_rel);
  const std::lock_guard lock(collect_mutex);
  collected.push_back(slot);
}

bool Index::remove(uint64_t label) {
  State& state = *state_;
  state.gate.enter();
  const std::optional<uint32_t> slot = state.labels.take(label);
  if (slot) {
    state.retire(*slot);
    state.sweep_some();
  }
  state.gate.leave();
  return slot.has_value();
}

void Index::repair() {
  State& state = *state_;
  state.gate.enter();
  {
    const std::lock_guard lock(state.sweep_mutex);
    // Twice: what is under way, then what was collected meanwhile. Stops where others are still inside.
    for (int round = 0; round < 2; ++round) {
      do {
        while (state.stage == State::Stage::sweeping && state.sweep_at < state.sweep_end) {
          const Epochs::Guard guard(state.epochs);
          state.repair_node(static_cast<uint32_t>(state.sweep_at++));
        }
      } while (state.next_stage(1) && state.stage != State::Stage::idle);
    }
  }
  state.gate.leave();
}

void Index::State::sweep_some() {
  const std::unique_lock lock(sweep_mutex, std::try_to_lock);
  if (!lock.owns_lock()) return;
  const uint64_t end = slot_end.load(std::memory_order_acquire);
  if (stage != Stage::sweeping) {
    next_stage(std::max(least_batch, end / batch_divisor));
    return;
  }
  const Epochs::Guard guard(epochs);
  for (uint64_t i = 0; i < nodes_swept_a_remove && sweep_at < sweep_end; ++i) {
    repair_node(static_cast<uint32_t>(sweep_at++));
  }
  if (sweep_at == sweep_end) next_stage(0);
}

// Goes on to the next stage where that can be; false: not yet.
bool Index::State::next_stage(uint64_t batch) {
  switch (stage) {
    case Stage::idle: {
      const std::lock_guard lock(collect_mutex);
      if (collected.empty() || collected.size() < batch) return false;
      sweeping.swap(collected);
      stage_epoch = epochs.now();
      stage = Stage::waiting;
      return true;
    }
    case Stage::waiting:
      if (!epochs.passed(stage_epoch)) return false;
      sweep_at = 0;
      sweep_end = slot_end.load(std::memory_order_acquire);
      for (const uint32_t slot : sweeping) nodes().set_state(slot, NodeState::condemned);
      stage = Stage::sweeping;
      return true;
    case Stage::sweeping:
      if (sweep_at < sweep_end) return false;
      choose_entry();
      stage_epoch = epochs.now();
      stage = Stage::leaving;
      return true;
    case Stage::leaving:
      if (images.load() > 0 || !epochs.passed(stage_epoch)) return false;
      free_swept();
      stage = Stage::idle;
      return true;
  }
  return false;
}

void Index::State::repair_node(uint32_t slot) {
  const NodeState state = nodes().state(slot);
  if (state == NodeState::dead) return forget_condemned(slot);
  if (state != NodeState::live && state != NodeState::linking) return;
  for (uint32_t level = 0; level <= nodes().level(slot); ++level) repair_layer(slot, level);
}

// A dead node of the next sweep: walks go through it until then, and must not come to slots that are freed by this one.
void Index::State::forget_condemned(uint32_t slot) {
  std::vector<uint32_t> links(graph.lowest_width());
  const std::lock_guard lock(graph.lock_of(slot));
  for (uint32_t level = 0; level <= nodes().level(slot); ++level) {
    links.resize(graph.lowest_width());
    links.resize(graph.links(slot, level, links.data()));
    if (std::erase_if(links, [&](uint32_t link) { return nodes().state(link) == NodeState::condemned; }) > 0) {
      graph.set_links(slot, level, links);
    }
  }
}

void Index::State::repair_layer(uint32_t slot, uint32_t level) {
  std::vector<uint32_t> links(graph.lowest_width());
  std::vector<uint32_t> near_links;
  {
    const std::lock_guard lock(graph.lock_of(slot));
    links.resize(graph.links(slot, level, links.data()));
    const auto is_dead = [&](uint32_t link) { return !nodes().linkable(link); };
    if (std::none_of(links.begin(), links.end(), is_dead)) return;
    // The neighbours of a dead neighbour take its place, where they are the nearest.
    std::vector<uint32_t> further(graph.lowest_width());
    for (const uint32_t link : links) {
      if (!is_dead(link)) {
        near_links.push_back(link);
        continue;
      }
      const uint32_t count = graph.links(link, level, further.data());
      for (uint32_t i = 0; i < count; ++i) {
        const uint32_t other = further[i];
        if (other != slot && !is_dead(other)) near_links.push_back(other);
      }
    }
    std::sort(near_links.begin(), near_links.end());
    near_links.erase(std::unique(near_links.begin(), near_links.end()), near_links.end());
    Query query;
    store.prepare(slot, query);
    std::vector<float> distances(near_links.size());
    store.distances(query, near_links.data(), near_links.size(), distances.data());
    std::vector<Near> candidates;
    for (size_t i = 0; i < near_links.size(); ++i) candidates.push_back({distances[i], near_links[i]});
    std::sort(candidates.begin(), candidates.end());
    std::vector<uint32_t> chosen;
    select(candidates, graph.width(level), chosen);
    graph.set_links(slot, level, chosen);
    if (!chosen.empty()) return;
  }
  // All around it went: it is linked anew, as if it had just come.
  if (level == 0) link(slot, options.ef_construction);
}

void Index::State::choose_entry() {
  const std::lock_guard lock(entry_mutex);
  const Entry old = read_entry();
  if (old.slot != no_slot && nodes().linkable(old.slot)) return;
  Entry best;
  for (uint64_t slot = 0; slot < slot_end.load(std::memory_order_acquire); ++slot) {
    const auto at = static_cast<uint32_t>(slot);
    if (!nodes().linkable(at)) continue;
    if (best.slot == no_slot || nodes().level(at) > best.level) best = {at, nodes().level(at)};
  }
  if (best.slot == no_slot) {
    entry.store(UINT64_MAX, std::memory_order_release);
  } else {
    write_entry(best);
  }
}

void Index::State::free_swept() {
  const std::lock_guard lock(slots_mutex);
  for (const uint32_t slot : sweeping) {
    STRATA_ASSERT(nodes().state(slot) == NodeState::condemned);
    graph.release(slot);
    nodes().set_state(slot, NodeState::free);
    free_slots.push_back(slot);
  }
  dead.fetch_sub(sweeping.size(), std::memory_order_acq_rel);
  sweeping.clear();
}

}  // namespace strata::hnsw
