#include "service/vector_neighbours.h"

#include <algorithm>
#include <unordered_set>

namespace strata::service {
namespace {

using hnsw::Match;

std::optional<std::vector<float>> values_of(const VectorView& view, uint64_t id) {
  if (auto pending = view.pending_vectors().values(id)) return pending;
  const hnsw::Index::Pin pin(view.index());
  const auto slot = view.index().slot_of(id);
  // It moved to the graph between the two, or is not there.
  if (!slot) return view.pending_vectors().values(id);
  const std::span<const float> row = view.index().row(*slot);
  return std::vector<float>(row.begin(), row.end());
}

Result<std::vector<Match>> nearest(const VectorView& view, std::span<const float> values, size_t count) {
  const bool exact = view.size() <= VectorNeighbours::exact_numbers / values.size();
  PendingVectors::Scan scan;
  view.pending_vectors().scan(values, nullptr, 0, scan);
  ASSIGN_OR_RETURN(auto found, exact ? view.index().exact_search(values, count)
                                     : view.index().search(values, count, {.ef = VectorNeighbours::search_width}));
  view.pending_vectors().scan(values, nullptr, scan.next, scan);
  // What is pending is newer than what the graph has of it.
  std::unordered_set<uint64_t> pending;
  for (const Match& match : scan.matches) pending.insert(match.label);
  std::erase_if(found, [&](const Match& match) { return pending.contains(match.label); });
  found.insert(found.end(), scan.matches.begin(), scan.matches.end());
  std::ranges::sort(found, std::less());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (found.size() > count) found.resize(count);
  return found;
}

}  // namespace

Result<VectorNeighbours::List> VectorNeighbours::compute(VectorCollection& collection, uint64_t id) {
  const VectorView& view = collection.view();
  if (view.is_graph_deferred(id)) return List();
  const auto values = values_of(view, id);
  if (!values) return List();
  // One more for the vector itself; more again where deferred ones take places.
  for (size_t count = max_vector_edges + 1;; count *= 4) {
    ASSIGN_OR_RETURN(auto found, nearest(view, *values, count));
    const bool all = found.size() < count;
    std::erase_if(found, [&](const Match& match) { return match.label == id || view.is_graph_deferred(match.label); });
    if (!all && found.size() < max_vector_edges) continue;
    if (found.size() > max_vector_edges) found.resize(max_vector_edges);
    return std::make_shared<const std::vector<Match>>(std::move(found));
  }
}

// With mutex_ held.
VectorNeighbours::Lists& VectorNeighbours::current(const VectorCollection& collection) {
  if (collections_.size() >= max_collections && !collections_.contains(collection.row().number)) collections_.clear();
  Lists& lists = collections_[collection.row().number];
  const uint64_t lsn = collection.view().applied_lsn();
  const size_t deferred = collection.view().deferred_count();
  if (lists.lsn != lsn || lists.deferred != deferred || lists.by_id.size() >= max_lists) {
    lists = {.lsn = lsn, .deferred = deferred};
  }
  return lists;
}

Result<VectorNeighbours::List> VectorNeighbours::of(VectorCollection& collection, uint64_t id) {
  uint64_t lsn = 0;
  size_t deferred = 0;
  {
    std::lock_guard lock(mutex_);
    const Lists& lists = current(collection);
    if (const auto found = lists.by_id.find(id); found != lists.by_id.end()) return found->second;
    lsn = lists.lsn;
    deferred = lists.deferred;
  }
  ASSIGN_OR_RETURN(List list, compute(collection, id));
  std::lock_guard lock(mutex_);
  Lists& lists = current(collection);
  // Only what was computed while nothing changed may be remembered.
  if (lists.lsn == lsn && lists.deferred == deferred) lists.by_id.insert_or_assign(id, list);
  return list;
}

}  // namespace strata::service
