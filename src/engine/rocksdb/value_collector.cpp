#include "engine/rocksdb/value_collector.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace strata::kv {
namespace {

// Of one commit that moves values.
constexpr size_t most_batch_bytes = 4u << 20;

uint64_t living_bytes(const ValueUsage& usage, uint64_t file) {
  const auto found = usage.find(file);
  return found == usage.end() ? 0 : found->second;
}

}  // namespace

struct ValueCollector::Batch {
  CommitRequest request;
  size_t bytes = 0;
};

void ValueCollector::collect(const std::atomic<bool>& stop) {
  const Result<void> looked = look(stop);
  if (!looked.ok()) log::warning("dead values keep their space", {{"error", looked.error().message()}});
}

Result<void> ValueCollector::look(const std::atomic<bool>& stop) {
  Files files = files_.sealed_and_unused();
  if (files.empty()) return {};
  // Asked after the list was made: a commit that failed has stopped writes before it left its file.
  RETURN_IF_ERROR(committer_.health());
  compact_moved(stop);
  ASSIGN_OR_RETURN(const ValueUsage usage, usage_of(files));
  std::erase_if(files, [&](const ValueFiles::Sealed& file) {
    if (living_bytes(usage, file.number) != 0) return false;
    files_.remove(file.number);
    flushed_.erase(file.number);
    return true;
  });
  return move_living(files, usage, stop);
}

Result<ValueUsage> ValueCollector::usage_of(const Files& files) {
  ASSIGN_OR_RETURN(ValueUsage usage, value_usage(db_));
  // A file whose references are all in a memtable looks as dead as one without any.
  const bool unclear = std::any_of(files.begin(), files.end(), [&](const ValueFiles::Sealed& file) {
    return living_bytes(usage, file.number) == 0 && !flushed_.contains(file.number);
  });
  if (!unclear) return usage;
  rocksdb::FlushOptions flush;
  flush.allow_write_stall = true;
  const rocksdb::Status flushed = db_.Flush(flush);
  if (!flushed.ok()) return to_error(flushed);
  for (const ValueFiles::Sealed& file : files) flushed_.insert(file.number);
  return value_usage(db_);
}

Result<void> ValueCollector::move_living(const Files& files, const ValueUsage& usage, const std::atomic<bool>& stop) {
  if (moved_) return {};
  uint64_t bytes = 0;
  uint64_t living = 0;
  std::vector<uint64_t> mostly_dead;
  for (const ValueFiles::Sealed& file : files) {
    const uint64_t lives = living_bytes(usage, file.number);
    // What memtables refer to is not counted yet.
    if (lives == 0) continue;
    bytes += file.bytes;
    living += lives;
    if (lives < file.bytes / 2) mostly_dead.push_back(file.number);
  }
  const uint64_t garbage = bytes - std::min(bytes, living);
  if (garbage < least_garbage_bytes_ || garbage < bytes / 2) return {};
  for (const uint64_t file : mostly_dead) {
    if (stop) break;
    RETURN_IF_ERROR(move_out(file, stop));
  }
  return {};
}

Result<void> ValueCollector::add_if_alive(Batch& batch, BytesView key, const ValueReference& reference) {
  if (batch.request.mutations.empty()) {
    batch.request.read_version = views_.hand_out();
  }
  std::string stored;
  const rocksdb::Status status = db_.Get({}, to_slice(key), &stored);
  if (status.IsNotFound()) return {};
  if (!status.ok()) return to_error(status);
  if (!is_reference(stored) || decode_reference(stored) != reference) return {};
  Bytes value;
  RETURN_IF_ERROR(files_.read(reference, value));
  const BytesView copied = batch.request.arena.copy(key);
  batch.request.mutations.push_back({MutationType::set, copied, batch.request.arena.copy(value)});
  // Who writes it meanwhile wins; who reads it is not disturbed, since it stays what it was.
  batch.request.read_conflicts.push_back({copied, batch.request.arena.copy_key_after(key)});
  batch.bytes += value.size();
  return {};
}

Result<void> ValueCollector::commit(Batch& batch) {
  if (batch.request.mutations.empty()) return {};
  batch.request.durability = Durability::async;
  Bytes first(batch.request.mutations.front().key);
  Bytes last = first;
  for (const Mutation& mutation : batch.request.mutations) {
    first = std::min(first, Bytes(mutation.key));
    last = std::max(last, Bytes(mutation.key));
  }
  const Result<Committed> committed = writer_.commit(std::exchange(batch, {}).request).get();
  // They lie where they were, and are tried again.
  if (!committed.ok() && committed.error().code() == ErrorCode::not_committed) return {};
  if (!committed.ok()) return committed.error();
  if (moved_->first.empty() || first < moved_->first) moved_->first = std::move(first);
  moved_->last = std::max(moved_->last, last);
  moved_->at = db_.GetLatestSequenceNumber();
  return {};
}

Result<void> ValueCollector::move_out(uint64_t file, const std::atomic<bool>& stop) {
  if (!moved_) moved_.emplace();
  Batch batch;
  RETURN_IF_ERROR(files_.visit(file, [&](BytesView key, const ValueReference& reference) -> Result<bool> {
    RETURN_IF_ERROR(add_if_alive(batch, key, reference));
    if (batch.bytes >= most_batch_bytes) RETURN_IF_ERROR(commit(batch));
    return !stop.load();
  }));
  return commit(batch);
}

// The old references of what was moved count until a compaction meets them.
void ValueCollector::compact_moved(const std::atomic<bool>& stop) {
  if (!moved_) return;
  uint64_t oldest = 0;  // 0: there is none
  db_.GetIntProperty(rocksdb::DB::Properties::kOldestSnapshotSequence, &oldest);
  if (oldest != 0 && oldest < moved_->at) return;
  const Moved moved = *std::exchange(moved_, std::nullopt);
  if (moved.first.empty() || stop) return;
  const rocksdb::Slice first = to_slice(moved.first);
  const rocksdb::Slice last = to_slice(moved.last);
  rocksdb::CompactRangeOptions options;
  // Others go on meanwhile.
  options.exclusive_manual_compaction = false;
  options.canceled = const_cast<std::atomic<bool>*>(&stop);
  db_.CompactRange(options, &first, &last).PermitUncheckedError();
}

}  // namespace strata::kv
