#include "engine/rocksdb/value_collector.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace strata::kv {
namespace {

// Of one commit that moves values.
constexpr size_t most_batch_bytes = 4u << 20;
// A file that is written to and mostly dead is sealed when it is as long, so that it can go.
constexpr uint64_t least_sealed_bytes = 1u << 20;

uint64_t living_bytes(const ValueUsage& usage, uint64_t file) {
  const auto found = usage.find(file);
  return found == usage.end() ? 0 : found->second;
}

}  // namespace

struct ValueCollector::Batch {
  CommitRequest request;
  std::vector<ValueReference> moved_from;
  size_t bytes = 0;
};

void ValueCollector::collect(const std::atomic<bool>& stop) {
  const Result<void> looked = look(stop);
  if (!looked.ok()) log::warning("dead values keep their space", {{"error", looked.error().message()}});
}

Result<void> ValueCollector::look(const std::atomic<bool>& stop) {
  RETURN_IF_ERROR(find_dead(stop));
  if (const auto written = files_.written(); written && written->bytes >= least_sealed_bytes) {
    ASSIGN_OR_RETURN(const ValueUsage usage, value_usage(db_));
    if (living_bytes(usage, written->number) < written->bytes / 2) RETURN_IF_ERROR(writer_.seal().get());
  }
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
  if (garbage < options_.least_garbage_bytes || garbage < bytes / 2) return {};
  for (const uint64_t file : mostly_dead) {
    if (stop) break;
    const Result<void> moved = move_out(file, stop);
    // The others need not wait for what cannot be read.
    if (!moved.ok() && moved.error().code() != ErrorCode::corruption) return moved;
    if (!moved.ok()) log::warning("a dead value keeps its space", {{"error", moved.error().message()}});
  }
  return {};
}

Result<void> ValueCollector::add_if_alive(Batch& batch, BytesView key, const ValueReference& reference) {
  std::string stored;
  const rocksdb::Status status = db_.Get({}, to_slice(key), &stored);
  if (status.IsNotFound()) return {};
  if (!status.ok()) return to_error(status);
  if (!is_reference(stored) || decode_reference(stored) != reference) return {};
  Bytes value;
  if (const Result<void> read = files_.read(reference, value); !read.ok()) {
    if (read.error().code() != ErrorCode::corruption) return read;
    log::error("a value is damaged", {{"error", read.error().message()}});
    return {};
  }
  const BytesView copied = batch.request.arena.copy(key);
  batch.request.mutations.push_back({MutationType::set, copied, batch.request.arena.copy(value)});
  // Who writes it meanwhile wins; who reads it is not disturbed, since it stays what it was.
  batch.moved_from.push_back(reference);
  batch.bytes += value.size();
  return {};
}

Result<void> ValueCollector::commit(Batch& batch) {
  if (batch.request.mutations.empty()) return {};
  batch.request.durability = Durability::async;
  Batch full = std::exchange(batch, {});
  const Result<Committed> committed = writer_.commit(std::move(full.request), std::move(full.moved_from)).get();
  // They lie where they were, and are tried again.
  if (committed.ok() || committed.error().code() == ErrorCode::not_committed) return {};
  return committed.error();
}

Result<void> ValueCollector::move_out(uint64_t file, const std::atomic<bool>& stop) {
  if (!moved_) moved_.emplace();
  Batch batch;
  RETURN_IF_ERROR(files_.visit(file, [&](BytesView key, const ValueReference& reference) -> Result<bool> {
    // Dead ones too: tables still refer to them, or the file would not be here.
    if (!moved_->last || key > *moved_->last) moved_->last = Bytes(key);
    if (!moved_->first || key < *moved_->first) moved_->first = Bytes(key);
    RETURN_IF_ERROR(add_if_alive(batch, key, reference));
    if (batch.bytes >= most_batch_bytes) RETURN_IF_ERROR(commit(batch));
    return !stop.load();
  }));
  RETURN_IF_ERROR(commit(batch));
  moved_->at = db_.GetLatestSequenceNumber();
  return {};
}

// The old references of what was moved count until a compaction meets them.
void ValueCollector::compact_moved(const std::atomic<bool>& stop) {
  if (!moved_) return;
  uint64_t oldest = 0;  // 0: there is none
  db_.GetIntProperty(rocksdb::DB::Properties::kOldestSnapshotSequence, &oldest);
  if (oldest != 0 && oldest < moved_->at) return;
  const Moved moved = *std::exchange(moved_, std::nullopt);
  if (!moved.first || stop) return;
  compact(*moved.first, *moved.last, stop);
}

Result<void> ValueCollector::find_dead(const std::atomic<bool>& stop) {
  uint64_t deletes = 0;
  db_.GetIntProperty(rocksdb::DB::Properties::kNumDeletesActiveMemTable, &deletes);
  const uint64_t appended = files_.counters().bytes;
  uint64_t bytes = 0;
  for (const ValueFiles::Sealed& file : files_.all()) bytes += file.bytes;
  const uint64_t maybe_dead = deletes * options_.large_value_bytes + (appended - appended_);
  if (bytes == 0 || maybe_dead < options_.least_garbage_bytes || maybe_dead < bytes / 2) return {};
  appended_ = appended;
  rocksdb::FlushOptions flush;
  flush.allow_write_stall = true;
  if (const rocksdb::Status flushed = db_.Flush(flush); !flushed.ok()) return to_error(flushed);
  rocksdb::TablePropertiesCollection tables;
  if (const auto got = db_.GetPropertiesOfAllTables(&tables); !got.ok()) return to_error(got);
  std::vector<rocksdb::LiveFileMetaData> files;
  db_.GetLiveFilesMetaData(&files);
  std::optional<Bytes> first;
  Bytes last;
  for (const rocksdb::LiveFileMetaData& file : files) {
    const auto found = tables.find(file.db_path + file.name);
    if (found == tables.end()) continue;
    const std::optional<ValueUsage> usage = value_usage_of(*found->second);
    if (!usage || usage->empty()) continue;
    if (!first || file.smallestkey < *first) first = file.smallestkey;
    last = std::max(last, file.largestkey);
  }
  if (first && !stop) compact(*first, last, stop);
  return {};
}

void ValueCollector::compact(BytesView begin, BytesView end, const std::atomic<bool>& stop) {
  const rocksdb::Slice first = to_slice(begin);
  const rocksdb::Slice last = to_slice(end);
  rocksdb::CompactRangeOptions options;
  // Others go on meanwhile.
  options.exclusive_manual_compaction = false;
  // A compaction that met both while a snapshot was there has left them in the last level.
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  options.canceled = const_cast<std::atomic<bool>*>(&stop);
  db_.CompactRange(options, &first, &last).PermitUncheckedError();
}

}  // namespace strata::kv
