#include "engine/rocksdb/batch_builder.h"

#include <algorithm>

#include "engine/rocksdb/store.h"
#include "kv/atomic.h"

namespace strata::kv {

bool BatchBuilder::needs_overlay(const CommitRequest& request) {
  return std::any_of(request.mutations.begin(), request.mutations.end(), [](const Mutation& mutation) {
    return mutation.type == MutationType::clear_range || is_atomic(mutation.type);
  });
}

void BatchBuilder::clear() {
  batch_.Clear();
  overlay_.clear();
  cleared_.clear();
  arena_ = Arena();
  iterator_.reset();
  overlaid_ = false;
}

void BatchBuilder::put(BytesView key, BytesView value) {
  batch_.Put(to_slice(key), to_slice(value));
  if (overlaid_) overlay_[key] = value;
}

void BatchBuilder::remove(BytesView key) {
  batch_.Delete(to_slice(key));
  if (overlaid_) overlay_[key] = std::nullopt;
}

Result<void> BatchBuilder::add(const CommitRequest& request, const Committed& committed) {
  for (const Mutation& mutation : request.mutations) {
    switch (mutation.type) {
      case MutationType::set:
        put(mutation.key, mutation.value);
        break;
      case MutationType::clear:
        remove(mutation.key);
        break;
      case MutationType::clear_range:
        RETURN_IF_ERROR(clear_range(mutation.key, mutation.value));
        break;
      case MutationType::set_versionstamped_key:
        put(arena_.copy(apply_versionstamp(mutation.key, make_versionstamp(committed))), mutation.value);
        break;
      case MutationType::set_versionstamped_value:
        put(mutation.key, arena_.copy(apply_versionstamp(mutation.value, make_versionstamp(committed))));
        break;
      default:
        RETURN_IF_ERROR(apply_atomic_mutation(mutation));
    }
  }
  return {};
}

Result<std::optional<BytesView>> BatchBuilder::value_of(BytesView key) {
  if (const auto it = overlay_.find(key); it != overlay_.end()) return it->second;
  for (const KeyRangeView& range : cleared_) {
    if (range.begin <= key && key < range.end) return std::optional<BytesView>();
  }
  found_.Reset();
  const rocksdb::Status status = db_.Get(rocksdb::ReadOptions(), db_.DefaultColumnFamily(), to_slice(key), &found_);
  if (status.IsNotFound()) return std::optional<BytesView>();
  if (!status.ok()) return to_error(status);
  return std::optional<BytesView>(to_view(found_));
}

Result<void> BatchBuilder::apply_atomic_mutation(const Mutation& mutation) {
  STRATA_ASSERT(overlaid_);
  ASSIGN_OR_RETURN(const std::optional<BytesView> before, value_of(mutation.key));
  const std::optional<Bytes> after = apply_atomic(mutation.type, before, mutation.value, value_limit_bytes_);
  if (after) {
    put(mutation.key, arena_.copy(*after));
  } else if (before) {
    remove(mutation.key);
  }
  return {};
}

Result<bool> BatchBuilder::find_keys(BytesView begin, BytesView end, std::vector<BytesView>& keys) {
  if (!iterator_) {
    rocksdb::ReadOptions read;
    // Queues are cleared from the front, where their tombstones are.
    read.max_skippable_internal_keys = 4 * most_single_deletes;
    iterator_.reset(db_.NewIterator(read));
  }
  for (iterator_->Seek(to_slice(begin)); iterator_->Valid(); iterator_->Next()) {
    const BytesView key = to_view(iterator_->key());
    if (key >= end) return true;
    if (keys.size() == most_single_deletes) return false;
    keys.push_back(arena_.copy(key));
  }
  if (iterator_->status().IsIncomplete()) return false;
  if (!iterator_->status().ok()) return to_error(iterator_->status());
  return true;
}

Result<void> BatchBuilder::clear_range(BytesView begin, BytesView end) {
  STRATA_ASSERT(overlaid_);
  if (begin >= end) return {};
  std::vector<BytesView> keys;
  ASSIGN_OR_RETURN(const bool few, find_keys(begin, end, keys));
  const auto first = overlay_.lower_bound(begin);
  const auto last = overlay_.lower_bound(end);
  if (!few) {
    batch_.DeleteRange(to_slice(begin), to_slice(end));
    overlay_.erase(first, last);
    cleared_.push_back({begin, end});
    return {};
  }
  for (auto it = first; it != last; ++it) {
    if (!it->second) continue;
    batch_.Delete(to_slice(it->first));
    it->second = std::nullopt;
  }
  for (const BytesView key : keys) {
    if (overlay_.emplace(key, std::nullopt).second) batch_.Delete(to_slice(key));
  }
  return {};
}

}  // namespace strata::kv
