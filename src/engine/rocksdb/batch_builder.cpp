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
  writes_.clear();
  overlay_.clear();
  cleared_.clear();
  arena_ = Arena();
  iterator_.reset();
  overlaid_ = false;
}

void BatchBuilder::write(BytesView key, Written value) {
  if (overlaid_) {
    overlay_[key] = value;
  } else {
    writes_.emplace_back(key, value);
  }
}

void BatchBuilder::put_into_batch(BytesView key, const Written& value) {
  if (value) {
    batch_.Put(to_slice(key), to_slice(*value));
  } else {
    batch_.Delete(to_slice(key));
  }
}

rocksdb::WriteBatch& BatchBuilder::finish() {
  for (const auto& [begin, end] : cleared_) batch_.DeleteRange(to_slice(begin), to_slice(end));
  for (const auto& [key, value] : overlay_) put_into_batch(key, value);
  // Of one key's writes the last counts.
  std::stable_sort(writes_.begin(), writes_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < writes_.size(); ++i) {
    if (i + 1 < writes_.size() && writes_[i + 1].first == writes_[i].first) continue;
    put_into_batch(writes_[i].first, writes_[i].second);
  }
  return batch_;
}

Result<void> BatchBuilder::add(const CommitRequest& request, const Committed& committed) {
  const Bytes stamp = make_versionstamp(committed);
  for (const Mutation& mutation : request.mutations) {
    switch (mutation.type) {
      case MutationType::set:
        write(mutation.key, mutation.value);
        break;
      case MutationType::clear:
        write(mutation.key, std::nullopt);
        break;
      case MutationType::clear_range:
        RETURN_IF_ERROR(clear_range(mutation.key, mutation.value));
        break;
      case MutationType::set_versionstamped_key:
        RETURN_IF_ERROR(refuse_reference(mutation.value));
        write(stamp_in_place(mutation.key, stamp), mutation.value);
        break;
      case MutationType::set_versionstamped_value: {
        const BytesView stamped = stamp_in_place(mutation.value, stamp);
        RETURN_IF_ERROR(refuse_reference(stamped));
        write(mutation.key, stamped);
        break;
      }
      default:
        RETURN_IF_ERROR(apply_atomic_mutation(mutation));
    }
  }
  return {};
}

Result<void> BatchBuilder::check_held(const CommitRequest& request, const std::vector<ValueReference>& references) {
  for (size_t i = 0; i < references.size(); ++i) {
    ASSIGN_OR_RETURN(const Written stored, stored_value(request.mutations[i].key));
    if (!stored || !is_reference(*stored) || decode_reference(*stored) != references[i]) {
      return ErrorCode::not_committed;
    }
  }
  return {};
}

// A set of such a value goes beside the tree; these are too few, and too contrived, to be worth a way of their own.
Result<void> BatchBuilder::refuse_reference(BytesView value) {
  if (!is_reference(value)) return {};
  return Error(ErrorCode::client_invalid_operation,
               "a versionstamp or an atomic operation made a value that has the "
               "form of the engine's own references");
}

Result<BatchBuilder::Written> BatchBuilder::value_of(BytesView key) {
  ASSIGN_OR_RETURN(const Written stored, stored_value(key));
  if (!stored || !is_reference(*stored)) return stored;
  whole_.clear();
  RETURN_IF_ERROR(values_.append_value(*stored, whole_));
  return Written(whole_);
}

Result<BatchBuilder::Written> BatchBuilder::stored_value(BytesView key) {
  if (const auto it = overlay_.find(key); it != overlay_.end()) return it->second;
  if (const auto it = cleared_.upper_bound(key); it != cleared_.begin() && key < std::prev(it)->second) {
    return Written();
  }
  found_.Reset();
  const rocksdb::Status status = db_.Get(rocksdb::ReadOptions(), db_.DefaultColumnFamily(), to_slice(key), &found_);
  if (status.IsNotFound()) return Written();
  if (!status.ok()) return to_error(status);
  return Written(to_view(found_));
}

Result<void> BatchBuilder::apply_atomic_mutation(const Mutation& mutation) {
  STRATA_ASSERT(overlaid_);
  ASSIGN_OR_RETURN(const std::optional<BytesView> before, value_of(mutation.key));
  const std::optional<Bytes> after = apply_atomic(mutation.type, before, mutation.value, value_limit_bytes_);
  if (after) {
    RETURN_IF_ERROR(refuse_reference(*after));
    write(mutation.key, arena_.copy(*after));
  } else if (before) {
    write(mutation.key, std::nullopt);
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
  size_t large = 0;
  for (iterator_->Seek(to_slice(begin)); iterator_->Valid(); iterator_->Next()) {
    const BytesView key = to_view(iterator_->key());
    if (key >= end) return true;
    large += is_reference(to_view(iterator_->value())) ? 1 : 0;
    if (keys.size() == most_single_deletes || large > most_large_deletes) return false;
    keys.push_back(arena_.copy(key));
  }
  if (iterator_->status().IsIncomplete()) return false;
  if (!iterator_->status().ok()) return to_error(iterator_->status());
  return true;
}

bool BatchBuilder::is_cleared(BytesView begin, BytesView end) const {
  const auto it = cleared_.upper_bound(begin);
  return it != cleared_.begin() && end <= std::prev(it)->second;
}

void BatchBuilder::add_cleared(BytesView begin, BytesView end) {
  auto it = cleared_.upper_bound(begin);
  if (it != cleared_.begin() && std::prev(it)->second >= begin) {
    --it;
    begin = it->first;
  }
  while (it != cleared_.end() && it->first <= end) {
    end = std::max(end, it->second);
    it = cleared_.erase(it);
  }
  cleared_.emplace(begin, end);
}

Result<void> BatchBuilder::clear_range(BytesView begin, BytesView end) {
  STRATA_ASSERT(overlaid_);
  if (begin >= end) return {};
  const auto first = overlay_.lower_bound(begin);
  const auto last = overlay_.lower_bound(end);
  std::vector<BytesView> keys;
  // Below what the batch has cleared already there is only what it wrote since.
  bool few = is_cleared(begin, end);
  if (!few) {
    ASSIGN_OR_RETURN(few, find_keys(begin, end, keys));
  }
  if (!few) {
    overlay_.erase(first, last);
    add_cleared(begin, end);
    return {};
  }
  for (auto it = first; it != last; ++it) it->second = std::nullopt;
  for (const BytesView key : keys) overlay_.emplace(key, std::nullopt);
  return {};
}

}  // namespace strata::kv
