#include "service/vector_view.h"

#include <algorithm>
#include <shared_mutex>
#include <unordered_set>

#include "base/assert.h"
#include "base/memory_stream.h"
#include "service/vector_pace.h"

namespace strata::service {
namespace {

using vectors::Deferral;

// The best k of both in order. An id that is in both is on its way between them, or was changed while the search ran:
// it is shown once, by either of its values.
std::vector<hnsw::Match> merge(std::vector<hnsw::Match> graph, const std::vector<hnsw::Match>& pending, size_t k) {
  // Most of what is pending is too far away: nothing is done for it but this.
  const bool is_full = graph.size() >= k;
  std::vector<hnsw::Match> near;
  for (const hnsw::Match& match : pending) {
    if (!is_full || match < graph[k - 1]) near.push_back(match);
  }
  if (near.empty()) {
    graph.resize(std::min(k, graph.size()));
    return graph;
  }
  near.insert(near.end(), graph.begin(), graph.end());
  std::sort(near.begin(), near.end());
  std::vector<hnsw::Match> merged;
  merged.reserve(std::min(k, near.size()));
  std::unordered_set<uint64_t> ids;
  for (const hnsw::Match& match : near) {
    if (merged.size() == k) break;
    if (ids.insert(match.label).second) merged.push_back(match);
  }
  return merged;
}

}  // namespace

hnsw::Options view_index_options(const vectors::Collection& collection, const std::string& directory) {
  return {.dimension = collection.options.dimension,
          .metric = collection.options.metric,
          .quantization = hnsw::Quantization::int8,
          .m = collection.options.m,
          .ef_construction = collection.options.ef_construction,
          .directory = directory,
          .seed = collection.nonce};
}

size_t VectorView::pending_limit(uint32_t dimension) {
  return std::clamp<size_t>((size_t{64} << 10) / (dimension * sizeof(float)), 16, 128);
}

Result<std::unique_ptr<VectorView>> VectorView::create(const vectors::Collection& collection,
                                                       const std::string& directory) {
  ASSIGN_OR_RETURN(auto index, hnsw::Index::create(view_index_options(collection, directory)));
  return std::make_unique<VectorView>(collection, std::move(index), vectors::MetadataIndex(), 0);
}

VectorView::VectorView(const vectors::Collection& collection, std::unique_ptr<hnsw::Index> index,
                       vectors::MetadataIndex metadata, uint64_t lsn)
    : collection_(collection),
      index_(std::move(index)),
      metadata_(std::move(metadata)),
      pending_(collection.options.dimension, collection.options.metric),
      applied_lsn_(lsn),
      count_(index_->size()) {}

void VectorView::apply(std::span<const VectorChange> changes, uint64_t last_lsn) {
  std::lock_guard lock(apply_mutex_);
  for (const VectorChange& change : changes) apply_one(change);
  applied_lsn_.store(std::max(last_lsn, applied_lsn()), std::memory_order_release);
}

void VectorView::apply_one(const VectorChange& change) {
  if (change.threshold) {
    std::lock_guard lock(maps_mutex_);
    if (*change.threshold == 0) {
      thresholds_.erase(change.id);
    } else {
      thresholds_.insert_or_assign(change.id, *change.threshold);
    }
  }
  switch (change.kind) {
    case VectorChange::Kind::put:
      return put(change, change.deferral);
    case VectorChange::Kind::values:
      return put(change, deferral_of(change.id));
    case VectorChange::Kind::metadata:
      return set_metadata(change);
    case VectorChange::Kind::remove:
      return remove(change.id);
    case VectorChange::Kind::threshold:
      return;
    case VectorChange::Kind::undefer:
      break;
  }
  const Deferral old = deferral_of(change.id);
  if (old.index) return put(change, Deferral());
  if (old.metadata) set_metadata(change);
  set_deferral(change.id, Deferral());
}

void VectorView::put(const VectorChange& change, const Deferral& deferral) {
  size_t before = set_deferral(change.id, deferral) ? 1 : 0;
  if (deferral.index) {
    before += pending_.remove(change.id) || remove_from_graph(change.id) ? 1 : 0;
    count_ += 1 - before;
    return;
  }
  // First here, then away from there: a search in between sees one or both.
  before += pending_.add({.id = change.id,
                          .values = change.values,
                          .metadata = change.metadata,
                          .ef_construction = change.ef_construction,
                          .unread = deferral.metadata})
                ? 1
                : 0;
  before += remove_from_graph(change.id) ? 1 : 0;
  count_ += 1 - before;
  pending_.release(change.id);
}

void VectorView::set_metadata(const VectorChange& change) {
  const Deferral deferral = deferral_of(change.id);
  const bool unread = deferral.metadata && change.kind != VectorChange::Kind::undefer;
  if (deferral.index || pending_.set_metadata(change.id, *change.metadata, unread)) return;
  const hnsw::Index::Pin pin(*index_);
  const auto slot = index_->slot_of(change.id);
  if (!slot) return;
  std::unique_lock lock(metadata_mutex_);
  metadata_.remove(*slot);
  if (unread) {
    metadata_.add_unread(*slot);
  } else {
    metadata_.add(*slot, *change.metadata);
  }
}

void VectorView::remove(uint64_t id) {
  size_t before = set_deferral(id, Deferral()) ? 1 : 0;
  {
    std::lock_guard lock(maps_mutex_);
    thresholds_.erase(id);
  }
  before += pending_.remove(id) || remove_from_graph(id) ? 1 : 0;
  count_ -= before;
}

bool VectorView::remove_from_graph(uint64_t id) {
  {
    const hnsw::Index::Pin pin(*index_);
    const auto slot = index_->slot_of(id);
    if (!slot) return false;
    // Before the graph may give the slot to another vector.
    std::unique_lock lock(metadata_mutex_);
    metadata_.remove(*slot);
  }
  return index_->remove(id);
}

Result<bool> VectorView::move_one() {
  std::shared_lock moving(move_mutex_);
  const auto taken = pending_.take();
  if (!taken) return false;
  const PendingVector vector = taken->vector();
  if (Result<void> inserted = index_->insert(vector.id, vector.values, vector.ef_construction); !inserted.ok()) {
    pending_.give_back(*taken);
    return inserted.error();
  }
  {
    const hnsw::Index::Pin pin(*index_);
    const auto slot = index_->slot_of(vector.id);
    STRATA_ASSERT(slot.has_value());
    std::unique_lock lock(metadata_mutex_);
    if (vector.unread) {
      metadata_.add_unread(*slot);
    } else {
      metadata_.add(*slot, *vector.metadata);
    }
  }
  pending_.done(*taken);
  wake_writers();
  return true;
}

Result<void> VectorView::build(std::span<const VectorChange> puts, uint32_t threads) {
  const hnsw::BuildSource source{.count = puts.size(), .row = [&](uint64_t place) {
                                   return hnsw::BuildRow{.label = puts[place].id, .values = puts[place].values};
                                 }};
  RETURN_IF_ERROR(index_->build(source, {.threads = threads}));
  const hnsw::Index::Pin pin(*index_);
  std::unique_lock lock(metadata_mutex_);
  for (const VectorChange& put : puts) {
    const auto slot = index_->slot_of(put.id);
    STRATA_ASSERT(slot.has_value());
    if (put.deferral.metadata) {
      metadata_.add_unread(*slot);
    } else {
      metadata_.add(*slot, *put.metadata);
    }
    set_deferral(put.id, put.deferral);
  }
  count_ += puts.size();
  return {};
}

void VectorView::abandon() {
  abandoned_ = true;
  wake_writers();
}

bool VectorView::has_room() const {
  return abandoned_ || pending_.size() < pending_limit(collection_.options.dimension);
}

Future<void> VectorView::room() {
  if (has_room()) return Result<void>();
  std::lock_guard lock(room_mutex_);
  // Looked at again: whoever wakes has taken the lock after the number fell.
  if (has_room()) return Result<void>();
  return waiting_.emplace_back().future();
}

void VectorView::wake_writers() {
  if (!has_room()) return;
  std::vector<Promise<void>> woken;
  {
    std::lock_guard lock(room_mutex_);
    woken.swap(waiting_);
  }
  for (Promise<void>& promise : woken) promise.fulfil(Result<void>());
}

// The slots that match for certain; the labels of those that may.
std::vector<uint64_t> VectorView::add_allowed(const ViewQuery& query, hnsw::SlotSet& allowed) const {
  vectors::FilterCandidates found;
  {
    std::shared_lock lock(metadata_mutex_);
    found = metadata_.candidates(*query.filter);
  }
  found.certain.in_pieces([&](std::span<const uint32_t> slots) {
    allowed.insert(slots.first(static_cast<size_t>(std::ranges::lower_bound(slots, allowed.end()) - slots.begin())));
  });
  std::vector<uint64_t> uncertain;
  for (const uint32_t slot : found.uncertain.slots()) {
    if (const auto label = index_->label_of(slot)) uncertain.push_back(*label);
  }
  return uncertain;
}

Result<std::vector<hnsw::Match>> VectorView::search_filtered(const ViewQuery& query) const {
  hnsw::SlotSet allowed(index_->slot_end());
  const std::vector<uint64_t> uncertain = add_allowed(query, allowed);
  hnsw::SearchOptions options{.ef = query.ef, .allowed = &allowed, .stopped = query.stopped};
  if (query.strategy == FilterStrategy::pre_filter) options.plan = hnsw::Plan::scan;
  if (query.strategy == FilterStrategy::post_filter) options.plan = hnsw::Plan::gated;
  const auto work = [&]() -> Result<std::vector<hnsw::Match>> {
    if (!uncertain.empty()) {
      ASSIGN_OR_RETURN(const auto matching, query.resolve(uncertain));
      index_->add_slots(matching, allowed);
    }
    if (allowed.count() == 0) return std::vector<hnsw::Match>();
    ASSIGN_OR_RETURN(auto found, index_->search(query.values, query.k, options));
    if (found.size() >= std::min(query.k, allowed.count())) return found;
    return index_->exact_search(query.values, query.k, &allowed, query.stopped);
  };
  if (!query.run) return work();
  const uint64_t bytes = index_->expected_bytes(query.values, query.k, options, uncertain.size());
  return query.run(bytes + uncertain.size() * VectorPace::bytes_of_key, work);
}

Result<std::vector<hnsw::Match>> VectorView::search_graph(const ViewQuery& query) const {
  if (query.filter != nullptr) {
    // Slots keep their meaning from the filter to the end of the search.
    const hnsw::Index::Pin pin(*index_);
    return search_filtered(query);
  }
  const hnsw::SearchOptions options{.ef = query.ef, .stopped = query.stopped};
  const auto work = [&] { return index_->search(query.values, query.k, options); };
  if (!query.run) return work();
  return query.run(index_->expected_bytes(query.values, query.k, options), work);
}

Result<std::vector<hnsw::Match>> VectorView::search(const ViewQuery& query) const {
  if (query.k == 0) return std::vector<hnsw::Match>();
  PendingVectors::Scan scan;
  pending_.scan(query.values, query.filter, 0, scan);
  ASSIGN_OR_RETURN(auto found, search_graph(query));
  // A vector that was changed meanwhile has left the graph for a new place behind those that were scanned.
  pending_.scan(query.values, query.filter, scan.next, scan);
  return merge(std::move(found), scan.matches, query.k);
}

Result<ViewImage> VectorView::begin_image() {
  std::lock_guard applying(apply_mutex_);
  std::unique_lock moving(move_mutex_);
  ViewImage image{.lsn = applied_lsn()};
  ASSIGN_OR_RETURN(image.index, index_->begin_image());
  BytesSink sink;
  RETURN_IF_ERROR(metadata_.save(sink));
  image.metadata = std::move(sink.bytes);
  image.missing = pending_.ids();
  std::lock_guard lock(maps_mutex_);
  for (const auto& [id, deferral] : deferred_) {
    if (deferral.index) image.missing.push_back(id);
  }
  return image;
}

void VectorView::load_deferral(uint64_t id, const Deferral& deferral) {
  if (!set_deferral(id, deferral) && deferral.index) ++count_;
}

bool VectorView::set_deferral(uint64_t id, const Deferral& deferral) {
  std::lock_guard lock(maps_mutex_);
  const auto found = deferred_.find(id);
  const bool was = found != deferred_.end();
  const bool was_unindexed = was && found->second.index;
  if (deferral.any()) {
    deferred_.insert_or_assign(id, deferral);
  } else if (was) {
    deferred_.erase(found);
  }
  deferred_count_ = deferred_.size();
  if (deferral.index != was_unindexed) unindexed_count_ += deferral.index ? 1 : -1;
  return was_unindexed;
}

Deferral VectorView::deferral_of(uint64_t id) const {
  if (deferred_count() == 0) return {};
  std::lock_guard lock(maps_mutex_);
  const auto found = deferred_.find(id);
  return found == deferred_.end() ? Deferral() : found->second;
}

std::vector<uint64_t> VectorView::deferred_ids() const {
  std::vector<uint64_t> ids;
  {
    std::lock_guard lock(maps_mutex_);
    ids.reserve(deferred_.size());
    for (const auto& [id, deferral] : deferred_) ids.push_back(id);
  }
  std::ranges::sort(ids);
  return ids;
}

bool VectorView::is_graph_deferred(uint64_t id) const { return deferral_of(id).graph || deferral_of(id).index; }

std::optional<float> VectorView::threshold_of(uint64_t id) const {
  std::lock_guard lock(maps_mutex_);
  const auto found = thresholds_.find(id);
  if (found == thresholds_.end()) return std::nullopt;
  return found->second;
}

size_t VectorView::memory_bytes() const {
  std::shared_lock lock(metadata_mutex_);
  return index_->memory().anonymous_bytes() + metadata_.memory_bytes() + pending_.memory_bytes();
}

}  // namespace strata::service
