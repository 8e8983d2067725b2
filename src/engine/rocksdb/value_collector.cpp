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

uint64_t property(rocksdb::DB& db, const std::string& name) {
  uint64_t value = 0;
  db.GetIntProperty(name, &value);
  return value;
}

bool refers(const ValueUsage& usage, const ValueFiles::Listed& file) {
  const auto found = usage.find(file.number);
  return found != usage.end() && found->second != 0;
}

}  // namespace

struct ValueCollector::Batch {
  CommitRequest request;
  std::vector<ValueReference> moved_from;
  size_t bytes = 0;
};

void ValueCollector::collect(std::atomic<bool>& stop) {
  const Result<void> looked = look(stop);
  if (!looked.ok()) log::warning("dead values keep their space", {{"error", looked.error().message()}});
}

Result<void> ValueCollector::look(std::atomic<bool>& stop) {
  RETURN_IF_ERROR(seal_if_mostly_dead(stop));
  Files files = files_.sealed_and_unused();
  if (files.empty()) return {};
  // Asked after the list was made: a commit that failed has stopped writes before it left its file.
  RETURN_IF_ERROR(committer_.health());
  ASSIGN_OR_RETURN(const ValueUsage usage, value_usage(db_));
  RETURN_IF_ERROR(flush_if_needed(files, usage));
  // By what the last look found: readers from before it are gone by now, which a compaction would keep values for.
  RETURN_IF_ERROR(compact_if_worth_it(files, usage, stop));
  ASSIGN_OR_RETURN(files, remove_dead(files, stop));
  RETURN_IF_ERROR(survey_.look(files, stop));
  return move_living(files, stop);
}

Result<ValueCollector::Files> ValueCollector::remove_dead(const Files& files, const std::atomic<bool>& stop) {
  // Asked again, after the flushes: what only a memtable referred to before them would look dead.
  ASSIGN_OR_RETURN(const ValueUsage usage, value_usage(db_));
  Files left;
  for (const ValueFiles::Listed& file : files) {
    if (refers(usage, file) || !flushed_.contains(file.number)) {
      left.push_back(file);
      continue;
    }
    // There is no way back: the keys have to say the same as the tables.
    if (living_bytes(file) != 0) RETURN_IF_ERROR(survey_.look_at(file.number, stop));
    if (living_bytes(file) != 0) {
      if (!stop) log::error("values live in a file that no table refers to", {{"file", file.number}});
      left.push_back(file);
      continue;
    }
    files_.remove(file.number);
    flushed_.erase(file.number);
    survey_.forget(file.number);
  }
  return left;
}

// What is not known to be dead lives.
uint64_t ValueCollector::living_bytes(const ValueFiles::Listed& file) const {
  const ValueSurvey::Found* known = survey_.find(file.number);
  return known ? known->living_bytes : file.bytes;
}

bool ValueCollector::has_room_for(uint64_t bytes) const {
  uint64_t free = 0;
  const rocksdb::IOStatus status = store_.file_system->GetFreeSpace(options_.directory.string(), {}, &free, nullptr);
  return !status.ok() || free >= bytes;
}

Result<void> ValueCollector::flush_if_needed(const Files& files, const ValueUsage& usage) {
  // No table refers to it; a memtable may, with what replaced it.
  const bool is_flush_needed = std::any_of(files.begin(), files.end(), [&](const ValueFiles::Listed& file) {
    return living_bytes(file) == 0 && !refers(usage, file) && !flushed_.contains(file.number);
  });
  return is_flush_needed ? flush(files) : Result<void>();
}

Result<void> ValueCollector::flush(const Files& files) {
  if (!has_room_for(2 * property(db_, rocksdb::DB::Properties::kCurSizeAllMemTables))) return {};
  const rocksdb::Status flushed = flush_memtables(db_);
  if (!flushed.ok()) return to_error(flushed);
  for (const ValueFiles::Listed& file : files) flushed_.insert(file.number);
  return {};
}

Result<void> ValueCollector::compact_if_worth_it(const Files& files, const ValueUsage& usage, std::atomic<bool>& stop) {
  const rocksdb::SequenceNumber seen_from = oldest_visible(db_);
  uint64_t dead = 0;
  for (const ValueFiles::Listed& file : files) {
    const ValueSurvey::Found* known = survey_.find(file.number);
    if (!known || known->living_bytes != 0 || !refers(usage, file)) continue;
    if (known->at > compacted_at_ && known->at <= seen_from) dead += file.bytes;
  }
  const uint64_t tree = property(db_, rocksdb::DB::Properties::kLiveSstFilesSize);
  if (dead < options_.least_garbage_bytes || dead < tree || !has_room_for(2 * tree)) return {};
  RETURN_IF_ERROR(flush(files));
  rocksdb::CompactRangeOptions options = background_compaction(stop);
  // A compaction that met both while a snapshot was there has left them in the last level.
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const rocksdb::Status compacted = db_.CompactRange(options, nullptr, nullptr);
  if (!compacted.ok()) return stop ? Result<void>() : to_error(compacted);
  compacted_at_ = seen_from;
  return {};
}

Result<void> ValueCollector::seal_if_mostly_dead(const std::atomic<bool>& stop) {
  const auto written = files_.written_and_unused();
  const rocksdb::SequenceNumber now = db_.GetLatestSequenceNumber();
  if (!written || written->bytes < least_sealed_bytes || now == sealing_looked_at_) return {};
  sealing_looked_at_ = now;
  ASSIGN_OR_RETURN(const ValueSurvey::Found found, survey_.count_living(written->number, stop));
  if (stop || found.living_bytes >= written->bytes / 2) return {};
  return writer_.seal().get();
}

Result<void> ValueCollector::move_living(const Files& files, const std::atomic<bool>& stop) {
  uint64_t bytes = 0;
  uint64_t living = 0;
  for (const ValueFiles::Listed& file : files) {
    bytes += file.bytes;
    living += std::min(file.bytes, living_bytes(file));
  }
  log::debug("looked at files of large values", {{"files", files.size()}, {"bytes", bytes}, {"living_bytes", living}});
  if (bytes - living < options_.least_garbage_bytes || living > bytes / 2) return {};
  for (const ValueFiles::Listed& file : files) {
    const uint64_t lives = living_bytes(file);
    if (stop || lives == 0 || lives >= file.bytes / 2) continue;
    RETURN_IF_ERROR(move_out(file.number, stop));
    RETURN_IF_ERROR(survey_.look_at(file.number, stop));
  }
  return {};
}

Result<void> ValueCollector::add_if_held(Batch& batch, BytesView key, const ValueReference& reference) {
  ASSIGN_OR_RETURN(const bool held, is_held(db_, {}, key, reference));
  if (!held) return {};
  Bytes value;
  if (const Result<void> read = files_.read(reference, value); !read.ok()) {
    if (read.error().code() != ErrorCode::corruption) return read;
    // The others need not wait for what cannot be read.
    log::error("a value is damaged", {{"error", read.error().message()}});
    return {};
  }
  batch.request.mutations.push_back(
      {MutationType::set, batch.request.arena.copy(key), batch.request.arena.copy(value)});
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
  Batch batch;
  RETURN_IF_ERROR(files_.visit(file, [&](BytesView key, const ValueReference& reference) -> Result<bool> {
    RETURN_IF_ERROR(add_if_held(batch, key, reference));
    if (batch.bytes >= most_batch_bytes) RETURN_IF_ERROR(commit(batch));
    return !stop.load();
  }));
  return commit(batch);
}

}  // namespace strata::kv
