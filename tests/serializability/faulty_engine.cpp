#include "serializability/faulty_engine.h"

#include <algorithm>

namespace strata::serializability {
namespace {
// How many different versions a stale read lies behind.
constexpr size_t staleness = 3;
}  // namespace

Future<kv::Version> FaultyEngine::read_version() {
  if (fault_ != Fault::stale_reads) return engine_->read_version();
  return engine_->read_version().then([this](Result<kv::Version> version) -> Result<kv::Version> {
    if (!version.ok()) return version;
    std::lock_guard lock(mutex_);
    if (versions_.empty() || *version > versions_.back()) versions_.push_back(*version);
    if (versions_.size() > 16) versions_.pop_front();
    return version;
  });
}

kv::Version FaultyEngine::spoiled(kv::Version version) {
  if (fault_ != Fault::stale_reads || calls_++ % 8 != 0) return version;
  std::lock_guard lock(mutex_);
  const auto at = std::lower_bound(versions_.begin(), versions_.end(), version);
  const auto back = std::min(static_cast<size_t>(at - versions_.begin()), staleness);
  return back == 0 ? version : *(at - static_cast<ptrdiff_t>(back));
}

Future<std::optional<Bytes>> FaultyEngine::get(BytesView key, kv::Version version) {
  return engine_->get(key, spoiled(version));
}

Future<kv::RangePage> FaultyEngine::range(const kv::RangeRequest& request) {
  kv::RangeRequest other = request;
  other.version = spoiled(request.version);
  return engine_->range(other);
}

Future<kv::Committed> FaultyEngine::commit(kv::CommitRequest request) {
  if (fault_ == Fault::drops_read_conflicts) request.read_conflicts.clear();
  if (fault_ == Fault::loses_a_write && calls_++ % 64 == 63) {
    auto& mutations = request.mutations;
    const auto lost = std::find_if(mutations.rbegin(), mutations.rend(), [](const kv::Mutation& mutation) {
      return mutation.type != kv::MutationType::clear && mutation.type != kv::MutationType::clear_range;
    });
    if (lost != mutations.rend()) mutations.erase(std::next(lost).base());
  }
  return engine_->commit(std::move(request));
}

Future<void> FaultyEngine::watch(BytesView key, std::optional<Bytes> value, kv::Version version) {
  return engine_->watch(key, std::move(value), version);
}

Future<int64_t> FaultyEngine::estimated_bytes(BytesView begin, BytesView end) {
  return engine_->estimated_bytes(begin, end);
}

Future<std::vector<Bytes>> FaultyEngine::split_points(BytesView begin, BytesView end, int64_t chunk_bytes) {
  return engine_->split_points(begin, end, chunk_bytes);
}

}  // namespace strata::serializability
