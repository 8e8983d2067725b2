#include "engine/rocksdb/committer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "kv/atomic.h"

namespace strata::kv {
namespace {

// batch_order has 16 bits; and a batch is one record of the log and one insertion into the memtable.
constexpr size_t most_batch_commits = 32'768;
constexpr size_t most_batch_bytes = 64u << 20;
// Half of what Durability::async promises: a batch that is being written may have to end first.
constexpr int64_t async_sync_us = 50'000;
constexpr auto tidy_interval = std::chrono::seconds(1);
constexpr size_t history_worth_keeping_bytes = 1u << 20;

// Scheduling, not time that anybody reads: the machine's clock, whatever Clock the engine was given.
int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// kv::Transaction keeps users below this; what is there is the engine's own.
bool is_legal(const Mutation& mutation) {
  switch (mutation.type) {
    case MutationType::clear_range:
      return mutation.value <= user_keys_end;
    case MutationType::set_versionstamped_key: {
      // A stamp begins with a zero byte: over the first or second byte it makes any key legal.
      const uint32_t offset = read_le32(mutation.key.substr(mutation.key.size() - 4));
      return offset < 2 || mutation.key < user_keys_end;
    }
    default:
      return mutation.key < user_keys_end;
  }
}

}  // namespace

Committer::Committer(Store& store, ReadViews& views, Watches& watches, SpaceReclaimer& reclaimer,
                     const RocksdbOptions& options)
    : store_(store),
      views_(views),
      watches_(watches),
      reclaimer_(reclaimer),
      options_(options),
      opened_us_(options.clock->steady_us()),
      history_(store.start_version),
      builder_(*store.db, *store.values, options.limits.value_bytes) {
  views_.publish(store.start_version);
  thread_ = std::thread([this] { run(); });
}

Committer::~Committer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

Result<void> Committer::check(const CommitRequest& request) {
  for (const Mutation& mutation : request.mutations) {
    if (!is_legal(mutation)) return ErrorCode::key_outside_legal_range;
  }
  return {};
}

size_t Committer::bytes_of(const CommitRequest& request) {
  return request.arena.bytes() + request.mutations.size() * sizeof(Mutation) +
         (request.read_conflicts.size() + request.write_conflicts.size()) * sizeof(KeyRangeView) +
         sizeof(CommitRequest);
}

Future<Committed> Committer::commit(CommitRequest request) {
  if (const Result<void> legal = check(request); !legal.ok()) return legal.error();
  Waiting waiting{std::move(request), {}, 0, {}, {}};
  Future<Committed> future = waiting.promise.future();
  if (std::optional<Error> refused = enqueue(waiting)) return *std::move(refused);
  return future;
}

void Committer::commit(CommitRequest request, Promise<Committed> promise, std::vector<ValueFiles::Use> uses,
                       std::vector<ValueReference> moved_from) {
  Waiting waiting{std::move(request), std::move(promise), 0, std::move(uses), std::move(moved_from)};
  if (std::optional<Error> refused = enqueue(waiting)) waiting.promise.fulfil(*std::move(refused));
}

std::optional<Error> Committer::enqueue(Waiting& waiting) {
  waiting.bytes = bytes_of(waiting.request);
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return *stopped_;
    if (stopping_) return Error(ErrorCode::unavailable, "the store is being closed");
    if (waiting_bytes_ + waiting.bytes > options_.queue_bytes && !waiting_.empty()) {
      return Error(ErrorCode::commit_proxy_memory_limit_exceeded);
    }
    waiting_bytes_ += waiting.bytes;
    waiting_.push_back(std::move(waiting));
    wake = waiting_.size() >= wake_at_;
  }
  if (wake) work_.notify_one();
  return std::nullopt;
}

Future<void> Committer::sync() {
  Promise<void> promise;
  Future<void> future = promise.future();
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return *stopped_;
    if (stopping_) return Error(ErrorCode::unavailable, "the store is being closed");
    sync_requests_.push_back(std::move(promise));
  }
  work_.notify_one();
  return future;
}

Result<void> Committer::health() const {
  std::lock_guard lock(mutex_);
  if (stopped_) return *stopped_;
  return {};
}

void Committer::add_stats(RocksdbStats& stats) const {
  std::lock_guard lock(mutex_);
  stats = stats_;
  stats.waiting_commits = waiting_.size();
  if (stopped_) stats.stopped = stopped_->message();
}

void Committer::run() {
  while (take_batch()) {
    if (!batch_.empty()) commit_batch();
    if (!batch_sync_requests_.empty()) {
      sync_log();
      const Result<void> outcome = health();
      for (Promise<void>& promise : batch_sync_requests_) promise.fulfil(outcome);
      batch_sync_requests_.clear();
    }
  }
  sync_log();
}

void Committer::tidy_up() {
  if (is_sync_due()) sync_log();
  views_.expire();
  if (history_.bytes() > history_worth_keeping_bytes) history_.rest(views_.newest(), next_version());
}

void Committer::wait_for_work(std::unique_lock<std::mutex>& lock) {
  wake_at_ = 1;
  const auto has_work = [this] { return stopping_ || !waiting_.empty() || !sync_requests_.empty(); };
  while (!has_work()) {
    bool woken = true;
    if (unsynced_since_us_ != 0 && !options_.bulk_load) {
      const int64_t left_us = std::max<int64_t>(0, unsynced_since_us_ + async_sync_us - now_us());
      woken = work_.wait_for(lock, std::chrono::microseconds(left_us), has_work);
    } else if (views_.has_more_than_newest() || history_.bytes() > history_worth_keeping_bytes) {
      woken = work_.wait_for(lock, tidy_interval, has_work);
    } else {
      work_.wait(lock, has_work);
    }
    if (woken) return;
    lock.unlock();
    tidy_up();
    lock.lock();
  }
}

// Clients that were answered together come back together: waiting for as many as last time, for less than it would
// cost to sync once more for those who missed the batch, makes one batch of them.
void Committer::gather(std::unique_lock<std::mutex>& lock) {
  if (last_batch_commits_ <= 1 || waiting_.empty() || waiting_.size() >= last_batch_commits_ || stopping_) return;
  if (!std::any_of(waiting_.begin(), waiting_.end(),
                   [this](const Waiting& waiting) { return wants_sync(waiting.request.durability); })) {
    return;
  }
  const double last_sync_us = static_cast<double>(store_.file_system->counters().last_sync_us.load());
  const auto most = std::chrono::microseconds(static_cast<int64_t>(last_sync_us * options_.gather_part));
  if (most.count() == 0) return;
  wake_at_ = last_batch_commits_;
  work_.wait_for(lock, most, [this] { return stopping_ || waiting_.size() >= wake_at_; });
  wake_at_ = 1;
}

bool Committer::take_batch() {
  std::unique_lock lock(mutex_);
  wait_for_work(lock);
  gather(lock);
  if (stopping_ && waiting_.empty() && sync_requests_.empty()) return false;
  batch_.clear();
  size_t bytes = 0;
  size_t count = 0;
  while (count < waiting_.size() && count < most_batch_commits && (count == 0 || bytes < most_batch_bytes)) {
    bytes += waiting_[count++].bytes;
  }
  waiting_bytes_ -= bytes;
  if (count == waiting_.size()) {
    batch_.swap(waiting_);
  } else {
    const auto end = waiting_.begin() + static_cast<ptrdiff_t>(count);
    batch_.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
  }
  // A sync covers what was answered before it was asked for, which was all in earlier batches.
  batch_sync_requests_.swap(sync_requests_);
  return true;
}

Version Committer::next_version() const {
  const Version by_clock = store_.start_version + (options_.clock->steady_us() - opened_us_);
  return std::max(views_.newest() + 1, by_clock);
}

Result<void> Committer::resolve(const CommitRequest& request) const {
  if (request.read_conflicts.empty()) return {};
  if (request.read_version < history_.oldest()) return ErrorCode::transaction_too_old;
  if (request.read_version > views_.newest()) return ErrorCode::future_version;
  bool conflict = false;
  for (size_t i = 0; i < request.read_conflicts.size(); ++i) {
    if (!history_.written_after(request.read_conflicts[i], request.read_version)) continue;
    if (!request.conflicting) return ErrorCode::not_committed;
    conflict = true;
    request.conflicting->push_back(static_cast<uint32_t>(i));
  }
  if (conflict) return ErrorCode::not_committed;
  return {};
}

void Committer::resolve_batch(Version version) {
  outcomes_.assign(batch_.size(), {});
  // By the version that comes, not by the last one: after an idle hour that is too far behind.
  history_.advance(version - 1);
  for (size_t i = 0; i < batch_.size(); ++i) {
    const CommitRequest& request = batch_[i].request;
    Result<void> resolved = resolve(request);
    if (!resolved.ok()) {
      outcomes_[i].error = std::move(resolved).error();
      continue;
    }
    for (const KeyRangeView& range : request.write_conflicts) {
      if (range.begin < range.end) history_.add(range, version);
    }
  }
}

size_t Committer::build_batch(Version version) {
  bool overlay = false;
  for (size_t i = 0; i < batch_.size() && !overlay; ++i) {
    overlay = !outcomes_[i].error && (!batch_[i].moved_from.empty() || BatchBuilder::needs_overlay(batch_[i].request));
  }
  for (;;) {
    builder_.clear();
    if (overlay) builder_.use_overlay();
    uint16_t order = 0;
    bool again = false;
    for (size_t i = 0; i < batch_.size() && !again; ++i) {
      if (outcomes_[i].error) continue;
      Result<void> added = builder_.check_held(batch_[i].request, batch_[i].moved_from);
      if (added.ok()) added = builder_.add(batch_[i].request, {version, order});
      if (added.ok()) {
        outcomes_[i].batch_order = order++;
      } else {
        // It could not read what it changes. What it left in the batch goes with the batch.
        outcomes_[i].error = std::move(added).error();
        again = true;
      }
    }
    if (!again) return order;
  }
}

bool Committer::wants_sync(Durability durability) const {
  if (durability == Durability::engine_default) durability = options_.durability;
  return durability == Durability::sync;
}

void Committer::stop(const rocksdb::Status& status) {
  const Error error = to_error(status);
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  stopped_ =
      Error(error.code() == ErrorCode::disk_full ? ErrorCode::disk_full : ErrorCode::io_error,
            fmt::format("writing to {} failed ({}): nothing is written any more until the store is opened again; "
                        "reads go on",
                        options_.directory.string(), error.message()));
}

Result<void> Committer::write_batch(Version version) {
  rocksdb::WriteBatch& batch = builder_.finish();
  char stored_version[8];
  for (int i = 0; i < 8; ++i) stored_version[i] = static_cast<char>(version >> (56 - 8 * i));
  batch.Put(to_slice(version_key), rocksdb::Slice(stored_version, sizeof stored_version));

  store_.insertion_hint->use(builder_.cleared().empty());
  rocksdb::WriteOptions write;
  bool sync = is_sync_due();
  for (size_t i = 0; i < batch_.size() && !sync; ++i) {
    sync = !outcomes_[i].error && wants_sync(batch_[i].request.durability);
  }
  write.sync = sync && !options_.bulk_load;
  write.disableWAL = options_.bulk_load;
  const LogCounters& log = store_.file_system->counters();
  const uint64_t bytes_before = log.bytes.load();
  const uint64_t failed_appends_before = log.failed_appends.load();
  const uint64_t failed_syncs_before = log.failed_syncs.load();
  rocksdb::Status status = store_.db->Write(write, &batch);
  const bool in_memtable = status.ok();
  if (sync && status.ok() && options_.bulk_load) status = flush_memtables(*store_.db);
  if (status.ok()) {
    unsynced_since_us_ = sync ? 0 : unsynced_since_us_ != 0 ? unsynced_since_us_ : now_us();
    views_.publish(version);
    return {};
  }
  stop(status);
  // A record that was not appended whole is not replayed (log_file_system.h); one that was appended and could not be
  // synced may be there after a restart.
  const bool appended = log.bytes.load() != bytes_before && log.failed_appends.load() == failed_appends_before;
  if (in_memtable || appended || log.failed_syncs.load() != failed_syncs_before) {
    return Error(ErrorCode::commit_unknown_result, std::string(health().error().message()));
  }
  return health().error();
}

// Commits that are not logged promise nothing until a sync.
bool Committer::is_sync_due() const {
  return unsynced_since_us_ != 0 && !options_.bulk_load && now_us() - unsynced_since_us_ >= async_sync_us;
}

void Committer::sync_log() {
  if (unsynced_since_us_ == 0) return;
  unsynced_since_us_ = 0;
  if (!health().ok()) return;
  const rocksdb::Status status = options_.bulk_load ? flush_memtables(*store_.db) : store_.db->SyncWAL();
  if (!status.ok()) stop(status);
}

void Committer::flush_memtable() {
  for (const auto& [begin, end] : builder_.cleared()) reclaimer_.cleared(begin, end);
  range_deletions_ += builder_.cleared().size();
  if (range_deletions_ < options_.most_range_deletions) return;
  range_deletions_ = 0;
  rocksdb::FlushOptions flush;
  flush.wait = false;
  flush.allow_write_stall = true;
  // A flush that fails stops writes by itself, and the next commit learns of it.
  store_.db->Flush(flush).PermitUncheckedError();
}

void Committer::fire_watches(Version version) {
  if (watches_.empty()) return;
  std::vector<Bytes> keys;
  for (size_t i = 0; i < batch_.size(); ++i) {
    if (outcomes_[i].error) continue;
    for (const Mutation& mutation : batch_[i].request.mutations) {
      if (mutation.type == MutationType::clear_range) {
        watches_.collect(mutation.key, mutation.value, keys);
        continue;
      }
      Bytes key(mutation.key);
      if (mutation.type == MutationType::set_versionstamped_key) {
        key = apply_versionstamp(mutation.key, make_versionstamp({version, outcomes_[i].batch_order}));
      }
      watches_.collect(key, key_after(key), keys);
    }
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  for (const Bytes& key : keys) {
    // Only this thread writes: what the database holds is this version. A watch that cannot be decided stays.
    std::string value;
    const rocksdb::Status status = store_.db->Get(rocksdb::ReadOptions(), to_slice(key), &value);
    Bytes whole;
    if (status.ok() && store_.values->append_value(value, whole).ok()) watches_.settle(key, std::move(whole));
    if (status.IsNotFound()) watches_.settle(key, std::nullopt);
  }
}

void Committer::answer_batch(Version version, size_t accepted) {
  {
    std::lock_guard lock(mutex_);
    stats_.batches += accepted != 0 ? 1 : 0;
    stats_.commits += accepted;
    stats_.last_batch_commits = accepted;
    stats_.conflict_history_bytes = history_.bytes();
    for (const Outcome& outcome : outcomes_) {
      if (!outcome.error) continue;
      stats_.conflicts += outcome.error->code() == ErrorCode::not_committed ? 1 : 0;
      stats_.too_old += outcome.error->code() == ErrorCode::transaction_too_old ? 1 : 0;
    }
  }
  for (size_t i = 0; i < batch_.size(); ++i) {
    if (outcomes_[i].error) {
      batch_[i].promise.fulfil(std::move(*outcomes_[i].error));
    } else {
      batch_[i].promise.fulfil(Committed{version, outcomes_[i].batch_order});
    }
  }
}

void Committer::commit_batch() {
  const Version version = next_version();
  last_batch_commits_ = batch_.size();
  if (const Result<void> healthy = health(); !healthy.ok()) {
    // They came in before the failure was known.
    outcomes_.assign(batch_.size(), Outcome{healthy.error()});
    answer_batch(version, 0);
    return;
  }
  resolve_batch(version);
  size_t accepted = build_batch(version);
  if (accepted != 0) {
    const Result<void> written = write_batch(version);
    if (written.ok()) {
      fire_watches(version);
    } else {
      accepted = 0;
      for (Outcome& outcome : outcomes_) {
        if (!outcome.error) outcome.error = written.error();
      }
    }
  }
  answer_batch(version, accepted);
  if (accepted != 0) flush_memtable();
  builder_.clear();
  batch_.clear();
}

}  // namespace strata::kv
