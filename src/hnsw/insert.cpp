#include <algorithm>
#include <cmath>
#include <thread>

#include "hnsw/state.h"

namespace strata::hnsw {

void WriterGate::enter() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !closed_; });
  ++inside_;
}

void WriterGate::leave() {
  const std::lock_guard lock(mutex_);
  if (--inside_ == 0 && closed_) changed_.notify_all();
}

void WriterGate::close() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !closed_; });
  closed_ = true;
  changed_.wait(lock, [&] { return inside_ == 0; });
}

void WriterGate::open() {
  const std::lock_guard lock(mutex_);
  closed_ = false;
  changed_.notify_all();
}

namespace {

class Writing {
 public:
  explicit Writing(WriterGate& gate) : gate_(gate) { gate_.enter(); }
  ~Writing() { gate_.leave(); }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

 private:
  WriterGate& gate_;
};

// Buffers of an insert, kept by the thread.
struct InsertBuffers {
  Query query;
  Query other;
  std::vector<uint32_t> links;
  std::vector<uint32_t> chosen;
  std::vector<float> distances;
  std::vector<Near> candidates;
};

InsertBuffers& insert_buffers() {
  thread_local InsertBuffers buffers;
  return buffers;
}

}  // namespace

Entry Index::State::read_entry() const {
  const uint64_t packed = entry.load(std::memory_order_acquire);
  if (packed == UINT64_MAX) return {};
  return {static_cast<uint32_t>(packed), static_cast<uint32_t>(packed >> 32)};
}

Result<void> Index::State::check(std::span<const float> values) const {
  if (values.size() != options.dimension) {
    return Error(ErrorCode::invalid_argument,
                 "the dimension is " + std::to_string(options.dimension) + ", not " + std::to_string(values.size()));
  }
  if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
    return Error(ErrorCode::invalid_argument, "a vector must not have NaN or infinity");
  }
  return {};
}

Result<uint32_t> Index::State::allocate(uint64_t label) {
  const std::lock_guard lock(slots_mutex);
  // 1 - fraction is never 0.
  const double drawn = -std::log(1 - random.fraction()) * level_factor;
  const auto level = static_cast<uint32_t>(std::min<double>(drawn, max_level));
  const bool reuse = !free_slots.empty();
  const uint64_t slot = reuse ? free_slots.back() : slot_end.load(std::memory_order_relaxed);
  if (!reuse) {
    if (slot >= max_slots) return Error(ErrorCode::internal, "vector index: too many vectors");
    RETURN_IF_ERROR(graph.grow(slot + 1));
    RETURN_IF_ERROR(store.grow(slot + 1));
  }
  RETURN_IF_ERROR(graph.allocate(static_cast<uint32_t>(slot), label, level));
  if (reuse) free_slots.pop_back();
  nodes().set_state(static_cast<uint32_t>(slot), NodeState::linking);
  if (!reuse) slot_end.store(slot + 1, std::memory_order_release);
  return static_cast<uint32_t>(slot);
}

void Index::State::select(std::span<const Near> candidates, uint32_t most, std::vector<uint32_t>& chosen) const {
  Query& query = insert_buffers().other;
  chosen.clear();
  const bool all = candidates.size() <= most;
  for (const Near& candidate : candidates) {
    if (chosen.size() == most) return;
    if (all) {
      chosen.push_back(candidate.slot);
      continue;
    }
    if (!chosen.empty()) store.prepare(candidate.slot, query);
    const bool kept = std::none_of(chosen.begin(), chosen.end(),
                                   [&](uint32_t other) { return store.distance(query, other) < candidate.distance; });
    if (kept) chosen.push_back(candidate.slot);
  }
}

void Index::State::link_back(uint32_t slot, uint32_t level, uint32_t to) {
  InsertBuffers& buffers = insert_buffers();
  buffers.links.resize(graph.lowest_width() + 1);
  buffers.distances.resize(graph.lowest_width() + 1);
  const std::lock_guard lock(graph.lock_of(slot));
  const uint32_t width = graph.width(level);
  uint32_t count = graph.links(slot, level, buffers.links.data());
  if (std::find(buffers.links.begin(), buffers.links.begin() + count, to) != buffers.links.begin() + count) return;
  if (count < width) {
    graph.append_link(slot, level, count, to);
    return;
  }
  buffers.links[count++] = to;
  store.prepare(slot, buffers.query);
  store.distances(buffers.query, buffers.links.data(), count, buffers.distances.data());
  buffers.candidates.clear();
  for (uint32_t i = 0; i < count; ++i) {
    if (nodes().linkable(buffers.links[i])) buffers.candidates.push_back({buffers.distances[i], buffers.links[i]});
  }
  std::sort(buffers.candidates.begin(), buffers.candidates.end());
  select(buffers.candidates, width, buffers.chosen);
  graph.set_links(slot, level, buffers.chosen);
}

bool Index::State::link_layer(Walk& walk, const Query& query, uint32_t slot, uint32_t level, uint32_t ef, Near& from) {
  const Gate linkable(nodes());
  std::vector<Near> candidates;
  const auto take = [&](std::span<const Near> found) {
    candidates.clear();
    std::copy_if(found.begin(), found.end(), std::back_inserter(candidates),
                 [&](const Near& near) { return near.slot != slot && linkable.open(near.slot); });
    return enough_live(candidates.size(), found.size());
  };
  // Dead nodes take places among the nearest; where they are many, the walk has to step over them.
  if (!take(walk.nearest(query, from, level, ef))) take(walk.nearest_gated(query, from, level, ef, linkable));
  if (candidates.empty()) return false;
  from = candidates.front();
  std::vector<uint32_t> chosen;
  select(candidates, graph.m(), chosen);
  {
    const std::lock_guard lock(graph.lock_of(slot));
    graph.set_links(slot, level, chosen);
  }
  for (const uint32_t neighbour : chosen) link_back(neighbour, level, slot);
  return true;
}

void Index::State::link(uint32_t slot, uint32_t ef) {
  const uint32_t level = nodes().level(slot);
  std::unique_lock raising(entry_mutex, std::defer_lock);
  Entry top = read_entry();
  if (top.slot == no_slot || level > top.level) {
    raising.lock();
    top = read_entry();
    if (top.slot == no_slot) {
      write_entry({slot, level});
      return;
    }
    if (level <= top.level) raising.unlock();
  }
  Query query;
  store.prepare(slot, query);
  Walk walk(graph, store, slot_end.load(std::memory_order_acquire));
  Near from = walk.descend(query, top.slot, top.level, std::min(level, top.level));
  bool linked = false;
  for (uint32_t layer = std::min(level, top.level) + 1; layer-- > 0;) {
    linked = link_layer(walk, query, slot, layer, ef, from);
  }
  // Nothing that can be reached is alive: this node is where walks begin now.
  if (!linked && !raising.owns_lock()) raising.lock();
  if (!linked || (raising.owns_lock() && level > read_entry().level)) write_entry({slot, level});
}

Result<void> Index::insert(uint64_t label, std::span<const float> values, uint32_t ef_construction) {
  State& state = *state_;
  RETURN_IF_ERROR(state.check(values));
  const uint32_t ef =
      ef_construction == 0 ? state.options.ef_construction : std::min(ef_construction, max_ef_construction);
  const Writing writing(state.gate);
  ASSIGN_OR_RETURN(const uint32_t slot, state.allocate(label));
  state.store.write(slot, values.data());
  {
    const Epochs::Guard guard(state.epochs);
    state.link(slot, ef);
  }
  state.nodes().set_state(slot, NodeState::live);
  state.live.fetch_add(1, std::memory_order_acq_rel);
  const std::optional<uint32_t> replaced = state.labels.put(label, slot);
  if (replaced) {
    state.retire(*replaced);
    state.sweep_some();
  }
  return {};
}

Result<BuildReport> Index::build(const BuildSource& source, const BuildOptions& build_options) {
  std::atomic<uint64_t> next{0};
  std::atomic<uint64_t> inserted{0};
  std::atomic<bool> stopped{false};
  std::mutex error_mutex;
  std::optional<Error> error;
  const auto is_cancelled = [&] {
    return build_options.cancelled != nullptr && build_options.cancelled->load(std::memory_order_relaxed);
  };
  const auto work = [&] {
    for (uint64_t place; !stopped.load() && !is_cancelled() && (place = next.fetch_add(1)) < source.count;) {
      const BuildRow row = source.row(place);
      if (Result<void> result = insert(row.label, row.values, build_options.ef_construction); !result.ok()) {
        const std::lock_guard lock(error_mutex);
        if (!error) error = std::move(result).error();
        stopped.store(true);
        return;
      }
      inserted.fetch_add(1);
      if (build_options.inserted != nullptr) build_options.inserted->fetch_add(1, std::memory_order_relaxed);
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t i = 1; i < build_options.threads && i < source.count; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  if (error) return *error;
  return BuildReport{inserted.load(), is_cancelled() && inserted.load() < source.count};
}

}  // namespace strata::hnsw
