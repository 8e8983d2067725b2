#include "engine/rocksdb/value_writer.h"

#include <algorithm>
#include <utility>

namespace strata::kv {
namespace {

// What is written between two syncs: 30 to 50 ms of a disk. More only makes the first of them wait.
constexpr size_t most_group_bytes = 16u << 20;

}  // namespace

ValueWriter::ValueWriter(ValueFiles& files, Committer& committer, const RocksdbOptions& options)
    : files_(files), committer_(committer), options_(options), thread_([this] { run(); }) {}

ValueWriter::~ValueWriter() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

bool ValueWriter::goes_beside(const Mutation& mutation) const {
  return mutation.type == MutationType::set && is_stored_beside(mutation.value, options_.large_value_bytes);
}

Future<Committed> ValueWriter::commit(CommitRequest request, std::vector<ValueReference> moved_from) {
  const bool large = std::any_of(request.mutations.begin(), request.mutations.end(),
                                 [this](const Mutation& mutation) { return goes_beside(mutation); });
  if (!large) return committer_.commit(std::move(request));
  if (const Result<void> fit = committer_.check(request); !fit.ok()) return fit.error();
  Waiting waiting{std::move(request), {}, 0, {}, std::move(moved_from), {}};
  waiting.bytes = Committer::bytes_of(waiting.request);
  Future<Committed> future = waiting.promise.future();
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return Error(ErrorCode::unavailable, "the store is being closed");
    if (waiting_bytes_ + waiting.bytes > options_.queue_bytes && !waiting_.empty()) {
      return ErrorCode::commit_proxy_memory_limit_exceeded;
    }
    waiting_bytes_ += waiting.bytes;
    waiting_.push_back(std::move(waiting));
  }
  work_.notify_one();
  return future;
}

Future<void> ValueWriter::seal() {
  Promise<void> promise;
  Future<void> future = promise.future();
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return Error(ErrorCode::unavailable, "the store is being closed");
    seal_requests_.push_back(std::move(promise));
  }
  work_.notify_one();
  return future;
}

size_t ValueWriter::waiting() const {
  std::lock_guard lock(mutex_);
  return waiting_.size();
}

void ValueWriter::run() {
  std::vector<Promise<void>> seals;
  while (take_group(seals)) {
    write_group();
    if (!seals.empty()) files_.seal();
    for (Promise<void>& promise : seals) promise.fulfil({});
    seals.clear();
  }
}

bool ValueWriter::take_group(std::vector<Promise<void>>& seals) {
  std::unique_lock lock(mutex_);
  work_.wait(lock, [this] { return stopping_ || !waiting_.empty() || !seal_requests_.empty(); });
  seals.swap(seal_requests_);
  if (waiting_.empty()) return !seals.empty();
  size_t count = 0;
  size_t bytes = 0;
  while (count < waiting_.size() && (count == 0 || bytes < most_group_bytes)) bytes += waiting_[count++].bytes;
  const auto end = waiting_.begin() + static_cast<ptrdiff_t>(count);
  group_.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  waiting_bytes_ -= bytes;
  return true;
}

Result<void> ValueWriter::write_values(Waiting& waiting) {
  // A store that takes no commits would keep the values for nobody.
  RETURN_IF_ERROR(committer_.health());
  for (Mutation& mutation : waiting.request.mutations) {
    if (!goes_beside(mutation)) continue;
    ASSIGN_OR_RETURN(ValueFiles::Appended appended, files_.append(mutation.key, mutation.value));
    char* const reference = waiting.request.arena.allocate(ValueReference::encoded_bytes);
    encode_reference(appended.reference, reference);
    mutation.value = {reference, ValueReference::encoded_bytes};
    if (waiting.uses.empty() || waiting.uses.back() != appended.use) waiting.uses.push_back(std::move(appended.use));
  }
  return {};
}

void ValueWriter::write_group() {
  for (Waiting& waiting : group_) {
    if (const Result<void> written = write_values(waiting); !written.ok()) waiting.error = written.error();
  }
  const Result<void> synced = files_.sync();
  for (Waiting& waiting : group_) {
    if (!waiting.error && !synced.ok()) waiting.error = synced.error();
    if (waiting.error) {
      waiting.promise.fulfil(*std::move(waiting.error));
    } else {
      committer_.commit(std::move(waiting.request), std::move(waiting.promise), std::move(waiting.uses),
                        std::move(waiting.moved_from));
    }
  }
  group_.clear();
}

}  // namespace strata::kv
