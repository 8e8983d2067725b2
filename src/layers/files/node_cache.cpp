#include "layers/files/entries.h"

namespace strata::files {
namespace {

// What the map, the list and the shared bytes cost beside the bytes.
constexpr size_t overhead_bytes = 200;

}  // namespace

NodeCache::NodeCache(size_t capacity_bytes)
    : shard_capacity_bytes_(capacity_bytes / shard_count), shards_(std::make_unique<Shard[]>(shard_count)) {}

std::shared_ptr<const Bytes> NodeCache::find(const Hash& hash) {
  // Not the bytes that the map takes.
  Shard& shard = shards_[hash.back() % shard_count];
  const std::lock_guard lock(shard.mutex);
  const auto place = shard.places.find(hash);
  if (place == shard.places.end()) return nullptr;
  shard.newest_first.splice(shard.newest_first.begin(), shard.newest_first, place->second);
  return place->second->second;
}

void NodeCache::add(const Hash& hash, std::shared_ptr<const Bytes> bytes) {
  Shard& shard = shards_[hash.back() % shard_count];
  // What would push all others out is not kept.
  if (bytes->size() > shard_capacity_bytes_ / 4) return;
  const std::lock_guard lock(shard.mutex);
  if (shard.places.contains(hash)) return;
  shard.bytes += bytes->size() + overhead_bytes;
  shard.newest_first.emplace_front(hash, std::move(bytes));
  shard.places.emplace(hash, shard.newest_first.begin());
  while (shard.bytes > shard_capacity_bytes_ && shard.newest_first.size() > 1) {
    const auto& oldest = shard.newest_first.back();
    shard.bytes -= oldest.second->size() + overhead_bytes;
    shard.places.erase(oldest.first);
    shard.newest_first.pop_back();
  }
}

}  // namespace strata::files
