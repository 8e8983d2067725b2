#include <algorithm>
#include <limits>

#include "hnsw/state.h"

namespace strata::hnsw {

namespace {

constexpr size_t slots_at_once = 256;
// Rows between two looks at what is still possible.
constexpr size_t ranked_at_once = 8;

// Asks whether to go on, once in so many vectors: some hundred microseconds.
class Asker {
 public:
  explicit Asker(const StopCheck* check) : check_(check) {}

  bool ended() {
    if (check_ != nullptr && !ended_ && ++vectors_ % 16'384 == 0) ended_ = (*check_)();
    return ended_;
  }
  bool has_ended() const { return ended_; }

 private:
  const StopCheck* const check_;
  uint64_t vectors_ = 0;
  bool ended_ = false;
};

// The k best of many, in a heap.
class Best {
 public:
  explicit Best(size_t k) : k_(k) {}

  void add(const Match& match) {
    if (heap_.size() < k_) {
      heap_.push_back(match);
      std::push_heap(heap_.begin(), heap_.end());
    } else if (match < heap_.front()) {
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.back() = match;
      std::push_heap(heap_.begin(), heap_.end());
    }
  }
  std::vector<Match> take() {
    std::sort_heap(heap_.begin(), heap_.end());
    return std::move(heap_);
  }

 private:
  const size_t k_;
  std::vector<Match> heap_;
};

bool has_second_slots(std::span<const Match> matches) {
  std::vector<uint64_t> labels;
  labels.reserve(matches.size());
  for (const Match& match : matches) labels.push_back(match.label);
  std::sort(labels.begin(), labels.end());
  return std::adjacent_find(labels.begin(), labels.end()) != labels.end();
}

// The k nearest, ascending. An update makes two slots of one label live for a moment: the nearer one stands.
void keep_best(std::vector<Match>& matches, size_t k) {
  const size_t kept = std::min(k, matches.size());
  const auto end = matches.begin() + static_cast<ptrdiff_t>(kept);
  std::partial_sort(matches.begin(), end, matches.end());
  if (has_second_slots({matches.data(), kept})) {
    std::sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
      return a.label != b.label ? a.label < b.label : a.score < b.score;
    });
    const auto same = [](const Match& a, const Match& b) { return a.label == b.label; };
    matches.erase(std::unique(matches.begin(), matches.end(), same), matches.end());
    std::sort(matches.begin(), matches.end());
  }
  if (matches.size() > k) matches.resize(k);
}

// Collects slots, and hands them over with their scores.
template <class Take>
class Scorer {
 public:
  Scorer(const Store& store, std::span<const float> query, Take take) : store_(store), query_(query), take_(take) {}

  size_t added() const { return added_; }
  void add(uint32_t slot) {
    ++added_;
    slots_[count_++] = slot;
    if (count_ == slots_at_once) flush();
  }
  void flush() {
    store_.scores(query_.data(), slots_, count_, scores_);
    for (size_t i = 0; i < count_; ++i) take_(slots_[i], scores_[i]);
    count_ = 0;
  }

 private:
  const Store& store_;
  const std::span<const float> query_;
  Take take_;
  uint32_t slots_[slots_at_once];
  float scores_[slots_at_once];
  size_t count_ = 0;
  size_t added_ = 0;
};

}  // namespace

// Every direction is as near to none as any other: only the labels decide.
bool Index::State::has_direction(std::span<const float> query) const {
  return options.metric != Metric::cosine || std::any_of(query.begin(), query.end(), [](float x) { return x != 0; });
}

std::vector<Match> Index::State::rank(std::span<const float> query, const Query& prepared, size_t k,
                                      std::span<const Near> found) const {
  std::vector<Match> matches;
  matches.reserve(found.size());
  // A heap of the best scores; one more than k, since a label may come twice.
  std::vector<float> best;
  best.reserve(k + 1);
  Scorer scorer(store, query, [&](uint32_t slot, float score) {
    matches.push_back({nodes().label(slot), score});
    if (best.size() > k) {
      if (!(score < best.front())) return;
      std::pop_heap(best.begin(), best.end());
      best.pop_back();
    }
    best.push_back(score);
    std::push_heap(best.begin(), best.end());
  });
  float cut = std::numeric_limits<float>::infinity();
  for (const Near& near : found) {
    if (near.distance > cut) break;
    if (!nodes().live(near.slot)) continue;
    scorer.add(near.slot);
    if (scorer.added() <= k || (scorer.added() - k - 1) % ranked_at_once != 0) continue;
    // What was scored bounds what those behind it, by their codes, can be.
    scorer.flush();
    cut = store.cut_of_score(prepared, best.front()).value_or(cut);
  }
  scorer.flush();
  keep_best(matches, k);
  return matches;
}

// All slots by their codes first; exactly what may be among the k best. nullopt: codes cannot tell.
template <class ForEach>
std::optional<std::vector<Match>> Index::State::scan_codes(std::span<const float> query, size_t k,
                                                           ForEach for_each) const {
  Query prepared;
  store.prepare(query.data(), prepared);
  if (!store.cut_of_distance(prepared, 0)) return std::nullopt;
  // One more: an update may show a label twice.
  const size_t wanted = k + 1;
  std::vector<float> nearest;  // a heap of the `wanted` smallest
  std::vector<Near> candidates;
  float cut = std::numeric_limits<float>::infinity();
  uint32_t slots[slots_at_once];
  float distances[slots_at_once];
  size_t count = 0;
  const auto flush = [&] {
    store.distances(prepared, slots, count, distances);
    for (size_t i = 0; i < count; ++i) {
      if (distances[i] > cut) continue;
      candidates.push_back({distances[i], slots[i]});
      if (nearest.size() == wanted && distances[i] >= nearest.front()) continue;
      nearest.push_back(distances[i]);
      std::push_heap(nearest.begin(), nearest.end());
      if (nearest.size() > wanted) {
        std::pop_heap(nearest.begin(), nearest.end());
        nearest.pop_back();
      }
      if (nearest.size() == wanted) cut = *store.cut_of_distance(prepared, nearest.front());
    }
    count = 0;
  };
  for_each([&](uint32_t slot) {
    if (!nodes().live(slot)) return;
    slots[count++] = slot;
    if (count == slots_at_once) flush();
  });
  flush();
  std::erase_if(candidates, [&](const Near& near) { return near.distance > cut; });
  std::sort(candidates.begin(), candidates.end());
  return rank(query, prepared, k, candidates);
}

Result<std::vector<Match>> Index::search(std::span<const float> query, size_t k,
                                         const SearchOptions& search_options) const {
  const State& state = *state_;
  RETURN_IF_ERROR(state.check(query));
  const SlotSet* allowed = search_options.allowed;
  const auto [plan, matching, ef, comparisons] = choose_course(query, k, search_options, 0);
  if (k == 0 || matching == 0) return std::vector<Match>();
  const auto scan = [&] { return exact_search(query, k, allowed, search_options.stopped); };
  if (plan == Plan::scan) return scan();

  const Epochs::Guard guard(state.epochs);
  const Entry top = state.read_entry();
  if (top.slot == no_slot) return scan();
  Query prepared;
  state.store.prepare(query.data(), prepared);
  Walk walk(state.graph, state.store, state.slot_end.load(std::memory_order_acquire));
  const Near from = walk.descend(prepared, top.slot, top.level, top.level == 0 ? 0 : 1);
  const Gate gate(state.nodes(), allowed);
  std::vector<Match> matches;
  if (allowed == nullptr) {
    const std::span<const Near> found = walk.nearest(prepared, from, 0, ef);
    matches = state.rank(query, prepared, k, found);
    const auto alive = static_cast<size_t>(
        std::count_if(found.begin(), found.end(), [&](const Near& near) { return gate.open(near.slot); }));
    if (!enough_live(alive, found.size()))
      matches = state.rank(query, prepared, k, walk.nearest_gated(prepared, from, 0, ef, gate));
  } else {
    // Where members are few or far from the query, the walk gives up at the price of the scan.
    const std::span<const Near> found = walk.nearest_gated(prepared, from, 0, ef, gate, matching);
    if (!walk.exhausted()) matches = state.rank(query, prepared, k, found);
  }
  // What cannot be reached is there all the same.
  if (matches.size() < std::min(k, matching)) return scan();
  return matches;
}

Index::Course Index::choose_course(std::span<const float> query, size_t k, const SearchOptions& search_options,
                                   size_t more) const {
  // A scan costs 11 ns a member, a walk 550 ns for each of ef * live / matching (100,000 x 128, int8; other dimensions
  // scale both).
  constexpr double walk_over_scan = 50;
  const size_t live = state_->live.load(std::memory_order_acquire);
  const SlotSet* allowed = search_options.allowed;
  Course course{.plan = search_options.plan};
  course.matching = allowed == nullptr ? live : std::min(live, allowed->count() + more);
  course.ef = std::max<size_t>(search_options.ef == 0 ? default_ef : search_options.ef, k);
  const auto members = static_cast<double>(course.matching);
  const double walk =
      walk_over_scan * static_cast<double>(course.ef) * static_cast<double>(live) / std::max(members, 1.0);
  if (course.plan == Plan::automatic) {
    course.plan = Plan::gated;
    if (course.ef >= course.matching) course.plan = Plan::scan;
    // The largest products of a set are far from one another: a walk misses some.
    if (allowed != nullptr && state_->options.metric == Metric::dot_product) course.plan = Plan::scan;
    // A walk that asks no set costs about half as much.
    if (members <= (allowed == nullptr ? walk / 2 : walk)) course.plan = Plan::scan;
  }
  if (!state_->has_direction(query)) course.plan = Plan::scan;
  // A walk that has spent what a scan costs becomes one.
  course.comparisons = course.plan == Plan::scan ? members : std::min(walk, 2 * members);
  return course;
}

uint64_t Index::expected_bytes(std::span<const float> query, size_t k, const SearchOptions& search_options,
                               size_t more) const {
  const double comparisons = choose_course(query, k, search_options, more).comparisons;
  return static_cast<uint64_t>(comparisons) * state_->store.walked_bytes();
}

Result<std::vector<Match>> Index::exact_search(std::span<const float> query, size_t k, const SlotSet* allowed,
                                               const StopCheck* stopped) const {
  const State& state = *state_;
  RETURN_IF_ERROR(state.check(query));
  if (k == 0) return std::vector<Match>();
  const Epochs::Guard guard(state.epochs);
  const auto end = static_cast<uint32_t>(state.slot_end.load(std::memory_order_acquire));
  Asker asker(stopped);
  const auto for_each = [&](auto visit) {
    if (allowed == nullptr) {
      for (uint32_t slot = 0; slot < end && !asker.ended(); ++slot) visit(slot);
      return;
    }
    allowed->for_each([&](uint32_t slot) {
      if (slot < end && !asker.ended()) visit(slot);
    });
  };
  if (state.has_direction(query)) {
    auto matches = state.scan_codes(query, k, for_each);
    if (asker.has_ended()) return ErrorCode::operation_cancelled;
    if (matches) return *std::move(matches);
  }
  // One more: an update may show a label twice.
  Best best(k + 1);
  Scorer scorer(state.store, query, [&](uint32_t slot, float score) { best.add({state.nodes().label(slot), score}); });
  for_each([&](uint32_t slot) {
    if (state.nodes().live(slot)) scorer.add(slot);
  });
  if (asker.has_ended()) return ErrorCode::operation_cancelled;
  scorer.flush();
  std::vector<Match> matches = best.take();
  keep_best(matches, k);
  return matches;
}

Result<void> Index::scan(std::span<const float> query, uint32_t first, uint32_t last, float limit,
                         std::vector<Match>& out) const {
  const State& state = *state_;
  RETURN_IF_ERROR(state.check(query));
  const Epochs::Guard guard(state.epochs);
  Scorer scorer(state.store, query, [&](uint32_t slot, float score) {
    if (score <= limit) out.push_back({state.nodes().label(slot), score});
  });
  Query prepared;
  state.store.prepare(query.data(), prepared);
  const std::optional<float> cut =
      state.has_direction(query) ? state.store.cut_of_score(prepared, limit) : std::nullopt;
  const auto end = static_cast<uint32_t>(std::min<uint64_t>(last, state.slot_end.load(std::memory_order_acquire)));
  uint32_t slots[slots_at_once];
  float distances[slots_at_once];
  for (uint32_t slot = first; slot < end;) {
    size_t count = 0;
    for (; slot < end && count < slots_at_once; ++slot) {
      if (state.nodes().live(slot)) slots[count++] = slot;
    }
    if (cut) state.store.distances(prepared, slots, count, distances);
    for (size_t i = 0; i < count; ++i) {
      if (!cut || distances[i] <= *cut) scorer.add(slots[i]);
    }
  }
  scorer.flush();
  return {};
}

}  // namespace strata::hnsw
