// The writes, options and life of a transaction. Reads are in read_transaction.cpp, commit and retry in commit.cpp.
#include "kv/transaction.h"

#include <algorithm>
#include <limits>

#include "kv/atomic.h"
#include "kv/transaction_state.h"

namespace strata::kv {
namespace {

// A mutator's ticket: the state, locked, when the transaction can take a write at all.
class MutatorLock {
 public:
  explicit MutatorLock(TransactionState& state) : state_(state), lock_(state.mutex) {
    if (const auto error = state.unusable()) {
      state.defer(error->code());
    } else {
      state.used = true;
      usable_ = true;
    }
  }
  explicit operator bool() const { return usable_; }
  TransactionState* operator->() const { return &state_; }
  void refuse(ErrorCode code) const { state_.defer(code); }

 private:
  TransactionState& state_;
  std::lock_guard<std::mutex> lock_;
  bool usable_ = false;
};

// The first rule that a written key breaks.
std::optional<ErrorCode> bad_key(const TransactionState& state, BytesView key) {
  if (key >= state.write_end()) return ErrorCode::key_outside_legal_range;
  if (key.size() > state.engine->limits().key_bytes) return ErrorCode::key_too_large;
  return std::nullopt;
}

bool is_versionstamped(MutationType type) {
  return type == MutationType::set_versionstamped_key || type == MutationType::set_versionstamped_value;
}

constexpr size_t stamp_offset_bytes = 4;

Result<int64_t> integer_value(BytesView value, int64_t least, int64_t most) {
  if (value.size() != 8) return ErrorCode::invalid_option_value;
  const auto number = static_cast<int64_t>(read_le64(value));
  if (number < least || number > most) return ErrorCode::invalid_option_value;
  return number;
}

// FoundationDB's numbers that this engine has nothing to do for.
bool is_inert_option(int option) {
  static constexpr int numbers[] = {10,  20,  21,  23,  50,  52,  110, 120, 130, 150, 200,  201,
                                    303, 400, 401, 402, 403, 404, 405, 406, 504, 505, 506,  507,
                                    508, 509, 700, 701, 702, 711, 720, 800, 801, 900, 1000, 1101};
  return std::find(std::begin(numbers), std::end(numbers), option) != std::end(numbers);
}

}  // namespace

void Transaction::set(BytesView key, BytesView value) {
  const MutatorLock state(*state_);
  if (!state) return;
  if (const auto bad = bad_key(*state_, key)) return state.refuse(*bad);
  if (value.size() > state->engine->limits().value_bytes) return state.refuse(ErrorCode::value_too_large);
  state->add_mutation(MutationType::set, key, value);
}

void Transaction::clear(BytesView key) {
  const MutatorLock state(*state_);
  if (!state) return;
  if (key >= state->write_end()) return state.refuse(ErrorCode::key_outside_legal_range);
  if (key.size() > state->engine->limits().key_bytes) return;  // no such key can exist
  state->add_mutation(MutationType::clear, key, {});
}

void Transaction::clear_range(BytesView begin, BytesView end) {
  const MutatorLock state(*state_);
  if (!state) return;
  if (begin > state->write_end() || end > state->write_end()) return state.refuse(ErrorCode::key_outside_legal_range);
  if (begin > end) return state.refuse(ErrorCode::inverted_range);
  // A longer bound lies between the same keys as its first bytes do: no key is longer than the limit.
  const size_t bound_bytes = state->engine->limits().key_bytes + 1;
  begin = begin.substr(0, bound_bytes);
  end = end.substr(0, bound_bytes);
  if (begin < end) state->add_mutation(MutationType::clear_range, begin, end);
}

void Transaction::clear_prefix(BytesView prefix) {
  const std::optional<Bytes> end = prefix_end(prefix);
  if (end) return clear_range(prefix, *end);
  const MutatorLock state(*state_);
  if (state) state.refuse(ErrorCode::key_outside_legal_range);
}

void Transaction::mutate(MutationType type, BytesView key, BytesView operand) {
  mutate(static_cast<int>(type), key, operand);
}

void Transaction::mutate(int number, BytesView key, BytesView operand) {
  const MutatorLock state(*state_);
  if (!state) return;
  const auto type = static_cast<MutationType>(number);
  const bool in_range = number >= 2 && number < 255;
  if (!in_range || !(is_atomic(type) || is_versionstamped(type))) return state.refuse(ErrorCode::invalid_mutation_type);
  BytesView plain_key = key;
  size_t value_size = operand.size();
  if (type == MutationType::set_versionstamped_key) {
    if (!versionstamp_offset_ok(key)) return state.refuse(ErrorCode::client_invalid_operation);
    plain_key = key.substr(0, key.size() - stamp_offset_bytes);
  } else if (type == MutationType::set_versionstamped_value) {
    if (!versionstamp_offset_ok(operand)) return state.refuse(ErrorCode::client_invalid_operation);
    value_size -= stamp_offset_bytes;
  }
  if (const auto bad = bad_key(*state_, plain_key)) return state.refuse(*bad);
  if (value_size > state->engine->limits().value_bytes) return state.refuse(ErrorCode::value_too_large);
  state->add_mutation(type, key, operand);
}

Result<void> Transaction::add_read_conflict_range(BytesView begin, BytesView end) {
  std::lock_guard lock(state_->mutex);
  if (auto error = state_->unusable()) return *error;
  if (begin > state_->read_end() || end > state_->read_end()) return ErrorCode::key_outside_legal_range;
  if (begin > end) return ErrorCode::inverted_range;
  state_->used = true;
  state_->add_dependent_read_conflict(begin, end);
  return {};
}

Result<void> Transaction::add_write_conflict_range(BytesView begin, BytesView end) {
  std::lock_guard lock(state_->mutex);
  if (auto error = state_->unusable()) return *error;
  if (begin > state_->write_end() || end > state_->write_end()) return ErrorCode::key_outside_legal_range;
  if (begin > end) return ErrorCode::inverted_range;
  state_->used = true;
  state_->add_write_conflict(begin, end);
  return {};
}

Result<void> Transaction::add_read_conflict_key(BytesView key) { return add_read_conflict_range(key, key_after(key)); }
Result<void> Transaction::add_write_conflict_key(BytesView key) {
  return add_write_conflict_range(key, key_after(key));
}

Future<void> Transaction::watch(BytesView key) {
  {
    std::lock_guard lock(state_->mutex);
    if (auto error = state_->unreadable_now()) return *error;
    if (key >= state_->read_end()) return ErrorCode::key_outside_legal_range;
    if (key.size() > state_->engine->limits().key_bytes) return ErrorCode::key_too_large;
    if (!state_->options.read_your_writes) return ErrorCode::watches_disabled;
  }
  const uint64_t attempt = state_->attempt;
  auto on_its_way = std::make_shared<ReadOnItsWay>(state_);
  return get(key).then(
      [state = state_, key = Bytes(key), attempt, on_its_way](Result<std::optional<Bytes>> value) -> Future<void> {
        if (!value.ok()) return std::move(value).error();
        std::lock_guard lock(state->mutex);
        if (auto error = state->stale(attempt)) return *error;
        // Own writes need no conflict range for get; a watch adds one always.
        state->add_read_conflict_key(key);
        state->watches.push_back({key, std::move(*value), Promise<void>()});
        return state->watches.back().promise.future();
      });
}

Future<void> Transaction::commit() { return commit_transaction(state_); }

Result<Version> Transaction::get_committed_version() const {
  std::lock_guard lock(state_->mutex);
  if (state_->phase != TransactionState::Phase::committed) return ErrorCode::transaction_invalid_version;
  return state_->committed ? state_->committed->version : invalid_version;
}

Future<Bytes> Transaction::get_versionstamp() {
  std::lock_guard lock(state_->mutex);
  if (auto error = state_->unusable()) return *error;
  state_->versionstamp_waiters.emplace_back();
  return state_->versionstamp_waiters.back().future();
}

Future<int64_t> Transaction::get_approximate_size() const {
  std::lock_guard lock(state_->mutex);
  if (auto error = state_->unreadable_now()) return *error;
  return static_cast<int64_t>(state_->size_bytes);
}

bool Transaction::has_room_for(size_t bytes) const {
  std::lock_guard lock(state_->mutex);
  return state_->size_bytes + bytes <= state_->options.size_limit_bytes;
}

Result<void> Transaction::set_read_version(Version version) {
  std::lock_guard lock(state_->mutex);
  if (auto error = state_->unusable()) return *error;
  if (state_->read_version || state_->version_is_asked) return ErrorCode::read_version_already_set;
  if (version <= 0) return ErrorCode::version_invalid;
  state_->read_version = version;
  return {};
}

Result<void> Transaction::set_option(TransactionOption option, int64_t value) {
  Bytes bytes;
  append_le64(bytes, static_cast<uint64_t>(value));
  return set_option(static_cast<int>(option), bytes);
}

Result<void> Transaction::set_option(int number, BytesView value) {
  static constexpr int64_t int_max = std::numeric_limits<int>::max();
  std::lock_guard lock(state_->mutex);
  TransactionState& state = *state_;
  TransactionOptions& options = state.options;
  switch (static_cast<TransactionOption>(number)) {
    case TransactionOption::next_write_no_write_conflict_range:
      options.next_write_without_conflict = true;
      return {};
    case TransactionOption::read_your_writes_disable:
      // Deferred, as from the mutators.
      if (state.used) {
        state.defer(ErrorCode::client_invalid_operation);
      } else {
        options.read_your_writes = false;
      }
      return {};
    case TransactionOption::access_system_keys:
      options.read_system_keys = options.write_system_keys = true;
      return {};
    case TransactionOption::read_system_keys:
      options.read_system_keys = true;
      return {};
    case TransactionOption::timeout: {
      ASSIGN_OR_RETURN(state.timeout_ms, integer_value(value, 0, int_max));
      return {};
    }
    case TransactionOption::retry_limit: {
      ASSIGN_OR_RETURN(state.retry_limit, integer_value(value, -1, int_max));
      return {};
    }
    case TransactionOption::max_retry_delay: {
      ASSIGN_OR_RETURN(state.max_retry_delay_ms, integer_value(value, 0, int_max));
      return {};
    }
    case TransactionOption::size_limit: {
      ASSIGN_OR_RETURN(const int64_t bytes, integer_value(value, 32, default_transaction_bytes));
      options.size_limit_bytes = static_cast<size_t>(bytes);
      return {};
    }
    case TransactionOption::snapshot_ryw_enable:
      ++options.snapshot_read_your_writes;
      return {};
    case TransactionOption::snapshot_ryw_disable:
      --options.snapshot_read_your_writes;
      return {};
    case TransactionOption::report_conflicting_keys:
      options.report_conflicting_keys = true;
      return {};
    case TransactionOption::special_key_space_relaxed:
      options.special_key_space_relaxed = true;
      return {};
    case TransactionOption::special_key_space_enable_writes:
      return {};
    case TransactionOption::bypass_unreadable:
      options.bypass_unreadable = true;
      return {};
    default:
      break;
  }
  if (is_inert_option(number)) return {};
  return ErrorCode::invalid_option;
}

void Transaction::set_durability(Durability durability) {
  std::lock_guard lock(state_->mutex);
  state_->options.durability = durability;
}

void Transaction::raise_size_limit_to_engine() {
  std::lock_guard lock(state_->mutex);
  state_->options.size_limit_bytes = state_->engine->limits().transaction_bytes;
}

Future<void> Transaction::on_error(const Error& error) { return retry_transaction(state_, error); }

void Transaction::reset() {
  {
    std::lock_guard lock(state_->mutex);
    state_->timeout_ms = state_->database_options->timeout_ms;
    state_->retry_limit = state_->database_options->retry_limit;
    state_->max_retry_delay_ms = state_->database_options->max_retry_delay_ms;
    state_->started_us = state_->database_options->clock->steady_us();
    state_->retries = 0;
    state_->unknown_since.reset();
    state_->back_off_us = first_back_off_us;
  }
  state_->start_attempt();
}

void Transaction::cancel() {
  state_->start_attempt();
  std::lock_guard lock(state_->mutex);
  state_->phase = TransactionState::Phase::cancelled;
}

std::optional<Version> Transaction::unknown_since() const {
  std::lock_guard lock(state_->mutex);
  return state_->unknown_since;
}

std::vector<KeyRange> Transaction::conflicting_ranges() const {
  std::lock_guard lock(state_->mutex);
  return state_->conflicting;
}

}  // namespace strata::kv
