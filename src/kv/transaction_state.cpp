#include "kv/transaction_state.h"

#include "kv/atomic.h"

namespace strata::kv {
namespace {

// What a mutation and a conflict range cost beside their bytes: the structs that hold them.
constexpr size_t mutation_overhead_bytes = sizeof(Mutation);
constexpr size_t conflict_overhead_bytes = sizeof(KeyRangeView);

uint64_t seed_of(const DatabaseOptions& options) {
  if (options.random_seed != 0) return options.random_seed;
  thread_local Random seeds(read_le64(secure_random_bytes(8)));
  return seeds.next();
}

// Every key that a versionstamp could make of `operand`: the placeholder at its lowest and at its highest.
std::pair<BytesView, BytesView> versionstamped_key_range(Arena& arena, BytesView operand) {
  const Bytes low = apply_versionstamp(operand, Bytes(10, '\0'));
  const Bytes high = apply_versionstamp(operand, Bytes(10, '\xff'));
  return {arena.copy(low), arena.copy_key_after(high)};
}

}  // namespace

TransactionState::TransactionState(Engine& engine_in, std::shared_ptr<const DatabaseOptions> options_in)
    : engine(&engine_in),
      database_options(std::move(options_in)),
      timeout_ms(database_options->timeout_ms),
      retry_limit(database_options->retry_limit),
      max_retry_delay_ms(database_options->max_retry_delay_ms),
      started_us(database_options->clock->steady_us()),
      back_off_us(first_back_off_us),
      random(seed_of(*database_options)) {}

TransactionState::~TransactionState() {
  // Nobody else holds it now. Dropped promises would answer operation_cancelled; the watches' word is another one.
  for (PendingWatch& watch : watches) watch.promise.fulfil(ErrorCode::transaction_cancelled);
  for (auto& promise : versionstamp_waiters) promise.fulfil(ErrorCode::transaction_cancelled);
}

std::optional<Error> TransactionState::unusable() const {
  if (phase == Phase::cancelled) return Error(ErrorCode::transaction_cancelled);
  if (timeout_ms > 0 && database_options->clock->steady_us() - started_us >= timeout_ms * 1000) {
    return Error(ErrorCode::transaction_timed_out);
  }
  if (phase != Phase::active || commit_is_asked) return Error(ErrorCode::used_during_commit);
  return std::nullopt;
}

std::optional<Error> TransactionState::unreadable_now() const {
  if (auto error = unusable()) return error;
  return deferred;
}

std::optional<Error> TransactionState::stale(uint64_t started_in) const {
  if (attempt != started_in) return Error(ErrorCode::transaction_cancelled);
  auto error = unusable();
  const bool only_waits_for_this = phase == Phase::active && error && error->code() == ErrorCode::used_during_commit;
  return only_waits_for_this ? std::nullopt : error;
}

void TransactionState::start_read() {
  std::lock_guard lock(mutex);
  ++reads_on_their_way;
}

void TransactionState::end_read() {
  std::vector<Promise<void>> waiters;
  {
    std::lock_guard lock(mutex);
    STRATA_ASSERT(reads_on_their_way > 0);
    if (--reads_on_their_way == 0) waiters.swap(idle_waiters);
  }
  for (auto& waiter : waiters) waiter.fulfil(Result<void>());
}

Future<void> TransactionState::when_idle() {
  std::lock_guard lock(mutex);
  if (reads_on_their_way == 0) return Result<void>();
  idle_waiters.emplace_back();
  return idle_waiters.back().future();
}

Future<Version> TransactionState::version() {
  uint64_t asked_for;
  {
    std::lock_guard lock(mutex);
    if (read_version) return *read_version;
    asked_for = attempt;
    if (version_is_asked) {
      version_waiters.emplace_back();
      return version_waiters.back().future();
    }
    version_is_asked = true;
  }
  return engine->read_version().then([self = shared_from_this(), asked_for](Result<Version> answer) -> Result<Version> {
    std::vector<Promise<Version>> waiters;
    {
      std::lock_guard lock(self->mutex);
      if (self->attempt != asked_for) return ErrorCode::transaction_cancelled;
      self->version_is_asked = false;
      if (answer.ok()) self->read_version = *answer;
      waiters = std::move(self->version_waiters);
      self->version_waiters.clear();
    }
    for (Promise<Version>& waiter : waiters) waiter.fulfil(answer);
    return answer;
  });
}

void TransactionState::defer(ErrorCode code) {
  if (!deferred) deferred = Error(code);
}

void TransactionState::add_read_conflict(BytesView begin, BytesView end) {
  if (begin >= end) return;
  auto& ranges = request.read_conflicts;
  // A scan adds pages that touch: one range instead of one a page.
  if (!ranges.empty() && ranges.back().end == begin) {
    ranges.back().end = request.arena.copy(end);
    size_bytes += end.size();
    return;
  }
  ranges.push_back({request.arena.copy(begin), request.arena.copy(end)});
  size_bytes += begin.size() + end.size() + conflict_overhead_bytes;
}

void TransactionState::add_read_conflict_key(BytesView key) {
  const BytesView key_and_zero = request.arena.copy_key_after(key);
  request.read_conflicts.push_back({key_and_zero.substr(0, key.size()), key_and_zero});
  size_bytes += 2 * key.size() + 1 + conflict_overhead_bytes;
}

void TransactionState::add_dependent_read_conflict(BytesView begin, BytesView end) {
  if (!options.read_your_writes || own_writes().empty()) {
    add_read_conflict(begin, end);
    return;
  }
  Arena scratch;
  own_writes().visit_dependent(begin, end, scratch,
                               [this](BytesView from, BytesView to) { add_read_conflict(from, to); });
}

void TransactionState::add_write_conflict(BytesView begin, BytesView end) {
  if (begin >= end) return;
  request.write_conflicts.push_back({request.arena.copy(begin), request.arena.copy(end)});
  size_bytes += begin.size() + end.size() + conflict_overhead_bytes;
}

void TransactionState::add_mutation(MutationType type, BytesView key, BytesView value) {
  Arena& arena = request.arena;
  const bool with_conflict = !std::exchange(options.next_write_without_conflict, false);
  Mutation mutation{type, {}, {}};
  KeyRangeView touched{};
  if (type == MutationType::clear_range) {
    mutation.key = arena.copy(key);
    mutation.value = arena.copy(value);
    touched = {mutation.key, mutation.value};
  } else {
    const BytesView key_and_zero = arena.copy_key_after(key);
    mutation.key = key_and_zero.substr(0, key.size());
    mutation.value = arena.copy(value);
    touched = {mutation.key, key_and_zero};
    if (type == MutationType::set_versionstamped_key) {
      const auto [begin, end] = versionstamped_key_range(arena, key);
      touched = {begin, end};
    }
  }
  request.mutations.push_back(mutation);
  size_bytes += key.size() + value.size() + mutation_overhead_bytes;
  if (with_conflict) {
    request.write_conflicts.push_back(touched);
    size_bytes += touched.begin.size() + touched.end.size() + conflict_overhead_bytes;
  }
}

const WriteMap& TransactionState::own_writes() {
  for (; write_map_covers_ < request.mutations.size(); ++write_map_covers_) {
    apply_to_write_map(request.mutations[write_map_covers_]);
  }
  return write_map_;
}

void TransactionState::apply_to_write_map(const Mutation& mutation) {
  switch (mutation.type) {
    case MutationType::set:
      return write_map_.set(mutation.key, mutation.value);
    case MutationType::clear:
      return write_map_.clear(request.arena, mutation.key);
    case MutationType::clear_range:
      return write_map_.clear_range(mutation.key, mutation.value);
    case MutationType::set_versionstamped_value:
      return write_map_.set_unreadable(mutation.key);
    case MutationType::set_versionstamped_key: {
      const auto [begin, end] = versionstamped_key_range(request.arena, mutation.key);
      return write_map_.add_unreadable_range(begin, end);
    }
    default:
      write_map_.atomic(request.arena, mutation.type, mutation.key, mutation.value, engine->limits().value_bytes);
  }
}

void TransactionState::start_attempt() {
  std::vector<PendingWatch> abandoned_watches;
  std::vector<Promise<Version>> abandoned_versions;
  std::vector<Promise<Bytes>> abandoned_stamps;
  {
    std::lock_guard lock(mutex);
    ++attempt;
    abandoned_watches.swap(watches);
    abandoned_versions.swap(version_waiters);
    abandoned_stamps.swap(versionstamp_waiters);
    options = TransactionOptions{};
    phase = Phase::active;
    commit_is_asked = false;
    used = false;
    deferred.reset();
    request = CommitRequest{};
    size_bytes = 0;
    read_version.reset();
    version_is_asked = false;
    committed.reset();
    conflicting.clear();
    write_map_ = WriteMap{};
    write_map_covers_ = 0;
  }
  for (PendingWatch& watch : abandoned_watches) watch.promise.fulfil(ErrorCode::transaction_cancelled);
  for (auto& promise : abandoned_versions) promise.fulfil(ErrorCode::transaction_cancelled);
  for (auto& promise : abandoned_stamps) promise.fulfil(ErrorCode::transaction_cancelled);
}

}  // namespace strata::kv
