#include "hnsw/index.h"

#include <cmath>

#include "hnsw/state.h"

namespace strata::hnsw {

Index::State::State(const Options& index_options)
    : options(index_options),
      level_factor(1 / std::log(static_cast<double>(index_options.m))),
      graph(index_options.m),
      store(index_options),
      random(index_options.seed) {}

Index::Index(std::unique_ptr<State> state) : state_(std::move(state)) {}

Index::~Index() = default;

Result<std::unique_ptr<Index>> Index::create(const Options& options) {
  const auto refuse = [](const char* what) { return Error(ErrorCode::invalid_argument, what); };
  if (options.dimension < 1 || options.dimension > max_dimension) return refuse("dimension must be 1 to 65536");
  if (options.m < min_m || options.m > max_m) return refuse("m must be 2 to 512");
  if (options.ef_construction < 1 || options.ef_construction > max_ef_construction) {
    return refuse("ef_construction must be 1 to 10000");
  }
  return std::unique_ptr<Index>(new Index(std::make_unique<State>(options)));
}

const Options& Index::options() const { return state_->options; }

size_t Index::size() const { return state_->live.load(std::memory_order_acquire); }

uint32_t Index::slot_end() const { return static_cast<uint32_t>(state_->slot_end.load(std::memory_order_acquire)); }

Index::Pin::Pin(const Index& index) : index_(index), place_(index.state_->epochs.enter()) {}

Index::Pin::~Pin() { index_.state_->epochs.leave(place_); }

std::optional<uint32_t> Index::slot_of(uint64_t label) const { return state_->labels.find(label); }

std::optional<uint64_t> Index::label_of(uint32_t slot) const {
  if (slot >= slot_end() || !state_->nodes().live(slot)) return std::nullopt;
  return state_->nodes().label(slot);
}

std::span<const float> Index::row(uint32_t slot) const { return {state_->store.row(slot), state_->options.dimension}; }

void Index::add_slots(std::span<const uint64_t> labels, SlotSet& into) const { state_->labels.add_to(labels, into); }

Memory Index::memory() const {
  const State& state = *state_;
  const uint64_t slots = state.slot_end.load(std::memory_order_acquire);
  Memory memory;
  {
    const std::lock_guard lock(state.slots_mutex);
    memory.graph_bytes = slots * state.graph.lowest_width() * sizeof(uint32_t) + state.graph.upper_bytes();
  }
  memory.code_bytes = state.store.coded() ? slots * state.store.code_stride() : 0;
  memory.label_bytes = slots * sizeof(Node) + state.labels.bytes();
  const uint64_t rows = slots * state.store.row_bytes();
  (state.store.rows_in_file() ? memory.file_row_bytes : memory.anonymous_row_bytes) = rows;
  return memory;
}

}  // namespace strata::hnsw
