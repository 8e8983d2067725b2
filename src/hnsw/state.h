// Index::State: the parts of an index and what the files of its methods share.
//
// Purpose:       insert.cpp, remove.cpp, search.cpp and image.cpp are one class.
// Ownership:     the Index owns it.
// Thread safety: as each member says.
// Invariants:    slots [0, slot_end) were allocated once; a slot is free, or its node has links, a code and a row. The
//                entry is a node that was linkable when it became the entry.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>

#include "base/random.h"
#include "hnsw/epochs.h"
#include "hnsw/graph.h"
#include "hnsw/index.h"
#include "hnsw/label_map.h"
#include "hnsw/store.h"
#include "hnsw/walk.h"

namespace strata::hnsw {

// Lets writers in beside each other, and stops them for a moment.
class WriterGate {
 public:
  void enter();
  void leave();
  // Waits until all are out, and keeps new ones waiting until it is opened.
  void close();
  void open();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint32_t inside_ = 0;
  bool closed_ = false;
};

struct Entry {
  uint32_t slot = no_slot;
  uint32_t level = 0;
};

// Whether a walk that found so many may do with those that are alive.
inline bool enough_live(size_t alive, size_t found) { return alive + alive / 8 >= found; }

struct Index::State {
  explicit State(const Options& index_options);

  // Where walks mark a slot in its top bit.
  static constexpr uint64_t max_slots = uint64_t{1} << 31;

  const Options options;
  const double level_factor;
  Graph graph;
  Store store;
  LabelMap labels{graph.nodes()};
  Epochs epochs;
  WriterGate gate;

  std::atomic<uint64_t> entry{UINT64_MAX};  // level << 32 | slot; all ones: none
  std::mutex entry_mutex;                   // who raises the top layer
  std::atomic<uint64_t> slot_end{0};
  std::atomic<uint64_t> live{0};
  std::atomic<uint64_t> dead{0};

  mutable std::mutex slots_mutex;  // the two below, and growth
  Random random;
  std::vector<uint32_t> free_slots;
  std::atomic<uint64_t> images{0};  // while there is one, slots are not freed

  // Removed slots go through three stages: collected; when all who may still link to them have left, a sweep takes them
  // out of every list; when all who may have read those lists have left, they are free.
  std::mutex sweep_mutex;  // one sweeper; guards what is below but `collected`
  std::mutex collect_mutex;
  std::vector<uint32_t> collected;
  std::vector<uint32_t> sweeping;
  enum class Stage : uint8_t { idle, waiting, sweeping, leaving } stage = Stage::idle;
  uint64_t stage_epoch = 0;
  uint64_t sweep_at = 0;
  uint64_t sweep_end = 0;

  const Nodes& nodes() const { return graph.nodes(); }
  Entry read_entry() const;
  void write_entry(const Entry& to) { entry.store(uint64_t{to.level} << 32 | to.slot, std::memory_order_release); }
  Result<void> check(std::span<const float> values) const;

  // insert.cpp
  Result<uint32_t> allocate(uint64_t label);
  void link(uint32_t slot, uint32_t ef);
  bool link_layer(Walk& walk, const Query& query, uint32_t slot, uint32_t level, uint32_t ef, Near& from);
  void link_back(uint32_t slot, uint32_t level, uint32_t to);
  // From candidates, ascending by their distance to one node: those that are nearer to it than to one another.
  void select(std::span<const Near> candidates, uint32_t most, std::vector<uint32_t>& chosen) const;

  // remove.cpp
  void retire(uint32_t slot);
  void sweep_some();
  bool next_stage(uint64_t batch);
  void repair_node(uint32_t slot);
  void repair_layer(uint32_t slot, uint32_t level);
  void forget_condemned(uint32_t slot);
  void free_swept();
  void choose_entry();

  // search.cpp
  bool has_direction(std::span<const float> query) const;
  std::vector<Match> rank(std::span<const float> query, const Query& prepared, size_t k,
                          std::span<const Near> found) const;
  template <class ForEach>
  std::optional<std::vector<Match>> scan_codes(std::span<const float> query, size_t k, ForEach for_each) const;
};

}  // namespace strata::hnsw
