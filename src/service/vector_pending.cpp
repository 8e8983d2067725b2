#include "service/vector_pending.h"

#include <algorithm>

#include "base/assert.h"
#include "hnsw/distance.h"

namespace strata::service {
namespace {

// A block is one call of the kernel and one allocation.
constexpr uint32_t most_vectors = 64;
constexpr size_t most_bytes = 256u << 10;

uint32_t capacity_of(uint32_t dimension) {
  const size_t fitting = most_bytes / (dimension * sizeof(float));
  return static_cast<uint32_t>(std::clamp<size_t>(fitting, 1, most_vectors));
}

}  // namespace

PendingVectors::Block::Block(uint64_t first_number, uint32_t block_capacity, uint32_t dimension)
    : first(first_number),
      capacity(block_capacity),
      values(static_cast<size_t>(block_capacity) * dimension),
      ids(block_capacity),
      metadata(block_capacity),
      ef_construction(block_capacity),
      unread(block_capacity),
      gone(std::make_unique<std::atomic<bool>[]>(block_capacity)) {}

PendingVector PendingVectors::Taken::vector() const {
  const size_t dimension = block_->values.size() / block_->capacity;
  return {.id = block_->ids[index_],
          .values = std::span(block_->values).subspan(index_ * dimension, dimension),
          .metadata = &block_->metadata[index_],
          .ef_construction = block_->ef_construction[index_],
          .unread = block_->unread[index_] != 0};
}

PendingVectors::PendingVectors(uint32_t dimension, hnsw::Metric metric)
    : dimension_(dimension), metric_(metric), capacity_(capacity_of(dimension)) {}

void PendingVectors::wait_until_untaken(std::unique_lock<std::mutex>& lock, uint64_t id) const {
  moved_.wait(lock, [&] {
    const auto found = places_.find(id);
    return found == places_.end() || !found->second.taken;
  });
}

void PendingVectors::append(const PendingVector& vector) {
  STRATA_ASSERT(vector.values.size() == dimension_);
  if (blocks_.empty() || blocks_.back()->count == blocks_.back()->capacity) {
    blocks_.push_back(std::make_shared<Block>(next_, capacity_, dimension_));
  }
  const std::shared_ptr<Block>& block = blocks_.back();
  const uint32_t index = block->count.load(std::memory_order_relaxed);
  std::ranges::copy(vector.values, block->values.begin() + static_cast<ptrdiff_t>(index) * dimension_);
  block->ids[index] = vector.id;
  block->metadata[index] = *vector.metadata;
  block->ef_construction[index] = vector.ef_construction;
  block->unread[index] = vector.unread ? 1 : 0;
  ++block->left;
  block->count.store(index + 1, std::memory_order_release);
  ++next_;
  places_.insert_or_assign(vector.id, Place{block, index, false});
  ++size_;
}

void PendingVectors::enqueue(uint64_t id) {
  const Place& place = places_.at(id);
  untaken_.emplace_back(place.block, place.index);
}

void PendingVectors::replace(const PendingVector& vector, const Place& old) {
  // The new one first: a scan may meet both, and never none.
  append(vector);
  old.block->gone[old.index].store(true, std::memory_order_release);
  --size_;
  if (--old.block->left == 0 && old.block->count == old.block->capacity) std::erase(blocks_, old.block);
}

void PendingVectors::forget(uint64_t id) {
  const auto found = places_.find(id);
  const std::shared_ptr<Block> block = found->second.block;
  block->gone[found->second.index].store(true, std::memory_order_release);
  places_.erase(found);
  --size_;
  if (--block->left == 0 && block->count == block->capacity) std::erase(blocks_, block);
}

bool PendingVectors::add(const PendingVector& vector) {
  std::unique_lock lock(mutex_);
  wait_until_untaken(lock, vector.id);
  const auto found = places_.find(vector.id);
  if (found == places_.end()) {
    append(vector);
    return false;
  }
  replace(vector, Place(found->second));
  return true;
}

void PendingVectors::release(uint64_t id) {
  std::lock_guard lock(mutex_);
  enqueue(id);
}

bool PendingVectors::remove(uint64_t id) {
  std::unique_lock lock(mutex_);
  wait_until_untaken(lock, id);
  if (!places_.contains(id)) return false;
  forget(id);
  return true;
}

bool PendingVectors::set_metadata(uint64_t id, const Metadata& metadata, bool unread) {
  std::unique_lock lock(mutex_);
  wait_until_untaken(lock, id);
  const auto found = places_.find(id);
  if (found == places_.end()) return false;
  const Place old = found->second;
  const size_t at = static_cast<size_t>(old.index) * dimension_;
  replace({.id = id,
           .values = std::span(old.block->values).subspan(at, dimension_),
           .metadata = &metadata,
           .ef_construction = old.block->ef_construction[old.index],
           .unread = unread},
          old);
  enqueue(id);
  return true;
}

bool PendingVectors::contains(uint64_t id) const {
  std::lock_guard lock(mutex_);
  return places_.contains(id);
}

std::vector<uint64_t> PendingVectors::ids() const {
  std::lock_guard lock(mutex_);
  std::vector<uint64_t> ids;
  ids.reserve(places_.size());
  for (const auto& [id, place] : places_) ids.push_back(id);
  return ids;
}

std::optional<std::vector<float>> PendingVectors::values(uint64_t id) const {
  std::lock_guard lock(mutex_);
  const auto found = places_.find(id);
  if (found == places_.end()) return std::nullopt;
  const auto begin = found->second.block->values.begin() + static_cast<ptrdiff_t>(found->second.index) * dimension_;
  return std::vector<float>(begin, begin + dimension_);
}

size_t PendingVectors::memory_bytes() const {
  std::lock_guard lock(mutex_);
  return blocks_.size() * capacity_ * dimension_ * sizeof(float);
}

void PendingVectors::scan(std::span<const float> query, const VectorFilter* filter, uint64_t from, Scan& into) const {
  std::vector<std::shared_ptr<Block>> blocks;
  {
    std::lock_guard lock(mutex_);
    into.next = next_;
    // From behind: mostly none or the last is wanted by a second scan.
    for (size_t at = blocks_.size(); at-- > 0 && blocks_[at]->first + blocks_[at]->capacity > from;) {
      blocks.push_back(blocks_[at]);
    }
  }
  std::array<float, most_vectors> found;
  for (const std::shared_ptr<Block>& block : blocks) {
    const uint32_t count = block->count.load(std::memory_order_acquire);
    const uint32_t begin = from > block->first ? static_cast<uint32_t>(from - block->first) : 0;
    if (begin >= count) continue;
    hnsw::scores(metric_, query.data(), block->values.data() + static_cast<size_t>(begin) * dimension_, dimension_,
                 count - begin, found.data());
    for (uint32_t at = begin; at < count; ++at) {
      if (block->gone[at].load(std::memory_order_acquire)) continue;
      if (filter != nullptr && !vectors::matches(*filter, block->metadata[at])) continue;
      into.matches.push_back({block->ids[at], found[at - begin]});
    }
  }
}

std::optional<PendingVectors::Taken> PendingVectors::take() {
  std::lock_guard lock(mutex_);
  while (!untaken_.empty()) {
    Taken taken;
    taken.block_ = std::move(untaken_.front().first);
    taken.index_ = untaken_.front().second;
    untaken_.pop_front();
    const auto found = places_.find(taken.block_->ids[taken.index_]);
    // Replaced or removed meanwhile.
    if (found == places_.end() || found->second.block != taken.block_ || found->second.index != taken.index_) continue;
    found->second.taken = true;
    return taken;
  }
  return std::nullopt;
}

void PendingVectors::done(const Taken& taken) {
  {
    std::lock_guard lock(mutex_);
    forget(taken.block_->ids[taken.index_]);
  }
  moved_.notify_all();
}

void PendingVectors::give_back(const Taken& taken) {
  {
    std::lock_guard lock(mutex_);
    places_[taken.block_->ids[taken.index_]].taken = false;
    untaken_.emplace_back(taken.block_, taken.index_);
  }
  moved_.notify_all();
}

}  // namespace strata::service
