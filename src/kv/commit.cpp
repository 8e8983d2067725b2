// Commit, what follows from it, and trying again.
#include <algorithm>

#include "base/timer.h"
#include "kv/atomic.h"
#include "kv/transaction_state.h"

namespace strata::kv {
namespace {

using Phase = TransactionState::Phase;

// Hands each watch to the engine; its promise lives on without the transaction.
void start_watches(Engine& engine, std::vector<PendingWatch> watches, Version seen_at) {
  for (PendingWatch& watch : watches) {
    Future<void> change = engine.watch(watch.key, std::move(watch.value), seen_at);
    watch.promise.on_cancel(change.cancel_handle());
    change.on_ready([promise = std::make_shared<Promise<void>>(std::move(watch.promise))](Result<void> result) {
      promise->fulfil(std::move(result));
    });
  }
}

struct Finished {
  std::vector<PendingWatch> watches;
  std::vector<Promise<Bytes>> stamps;
};

// Nothing was written: the watches become active at the version that was read.
Result<void> finish_read_only(TransactionState& state) {
  Finished finished;
  Version seen_at;
  {
    std::lock_guard lock(state.mutex);
    state.phase = Phase::committed;
    finished.watches.swap(state.watches);
    finished.stamps.swap(state.versionstamp_waiters);
    seen_at = state.read_version.value_or(invalid_version);
  }
  for (auto& stamp : finished.stamps) stamp.fulfil(ErrorCode::no_commit_version);
  start_watches(*state.engine, std::move(finished.watches), seen_at);
  return {};
}

Result<void> finish_commit(TransactionState& state, uint64_t attempt, const Result<Committed>& answer,
                           const std::vector<KeyRange>& conflicting) {
  Finished finished;
  {
    std::lock_guard lock(state.mutex);
    if (state.attempt != attempt) return ErrorCode::transaction_cancelled;
    finished.watches.swap(state.watches);
    finished.stamps.swap(state.versionstamp_waiters);
    if (answer.ok()) {
      state.phase = Phase::committed;
      state.committed = *answer;
    } else {
      state.conflicting = conflicting;
    }
  }
  if (!answer.ok()) {
    for (auto& stamp : finished.stamps) stamp.fulfil(answer.error());
    for (auto& watch : finished.watches) watch.promise.fulfil(ErrorCode::transaction_cancelled);
    return answer.error();
  }
  for (auto& stamp : finished.stamps) stamp.fulfil(make_versionstamp(*answer));
  // As of just before: what this commit itself changed after it set the watch is a change too.
  start_watches(*state.engine, std::move(finished.watches), answer->version - 1);
  return {};
}

Future<void> send_commit(const std::shared_ptr<TransactionState>& state, uint64_t attempt) {
  CommitRequest request;
  std::vector<KeyRange> read_ranges;
  {
    std::lock_guard lock(state->mutex);
    if (state->attempt != attempt) return ErrorCode::transaction_cancelled;
    if (state->options.report_conflicting_keys) {
      for (const KeyRangeView& range : state->request.read_conflicts) {
        read_ranges.push_back({Bytes(range.begin), Bytes(range.end)});
      }
    }
    request = std::move(state->request);
    state->request = CommitRequest{};
    request.read_version = state->read_version.value_or(invalid_version);
    request.durability = state->options.durability;
    if (state->options.report_conflicting_keys) request.conflicting = std::make_shared<std::vector<uint32_t>>();
  }
  auto conflicting = request.conflicting;
  return state->engine->commit(std::move(request))
      .then([state, attempt, conflicting, read_ranges = std::move(read_ranges)](Result<Committed> answer) {
        std::vector<KeyRange> met;
        if (conflicting && !answer.ok()) {
          for (const uint32_t i : *conflicting) met.push_back(read_ranges[i]);
        }
        return finish_commit(*state, attempt, answer, met);
      });
}

Future<void> commit_when_idle(const std::shared_ptr<TransactionState>& state, uint64_t attempt) {
  bool read_only = false;
  bool needs_version = false;
  {
    std::lock_guard lock(state->mutex);
    if (auto error = state->stale(attempt)) return *error;
    if (state->deferred) return *state->deferred;
    if (state->size_bytes > state->options.size_limit_bytes) return ErrorCode::transaction_too_large;
    read_only = state->request.mutations.empty() && state->request.write_conflicts.empty();
    needs_version = !read_only && !state->request.read_conflicts.empty() && !state->read_version;
    if (!needs_version) state->phase = Phase::committing;
  }
  if (read_only) return finish_read_only(*state);
  if (!needs_version) return send_commit(state, attempt);
  // Conflict ranges without a read: they count from now.
  return state->version().then([state, attempt](Result<Version> version) -> Future<void> {
    if (!version.ok()) return std::move(version).error();
    {
      std::lock_guard lock(state->mutex);
      if (auto error = state->stale(attempt)) return *error;
      state->phase = Phase::committing;
    }
    return send_commit(state, attempt);
  });
}

// What the engine says when it can write no more: nothing is known of an earlier attempt by it.
bool says_nothing_of_earlier_attempts(ErrorCode code) {
  return code == ErrorCode::io_error || code == ErrorCode::disk_full || code == ErrorCode::unavailable;
}

std::string unknown_message(const Error& error) {
  return std::string(error_message(ErrorCode::commit_unknown_result)) + ": " + std::string(error.message());
}

enum class Retry { at_once, backed_off, never };

Retry retry_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::transaction_too_old:
    case ErrorCode::future_version:
      return Retry::at_once;
    case ErrorCode::not_committed:
    case ErrorCode::commit_unknown_result:
    case ErrorCode::process_behind:
    case ErrorCode::database_locked:
    case ErrorCode::commit_proxy_memory_limit_exceeded:
    case ErrorCode::batch_transaction_throttled:
    case ErrorCode::grv_proxy_memory_limit_exceeded:
    case ErrorCode::tag_throttled:
      return Retry::backed_off;
    default:
      return Retry::never;
  }
}

}  // namespace

Future<void> commit_transaction(const std::shared_ptr<TransactionState>& state) {
  uint64_t attempt = 0;
  {
    std::lock_guard lock(state->mutex);
    if (auto error = state->unreadable_now()) return *error;
    state->commit_is_asked = true;
    attempt = state->attempt;
  }
  return state->when_idle().then([state, attempt](Result<void>) { return commit_when_idle(state, attempt); });
}

Future<void> retry_transaction(const std::shared_ptr<TransactionState>& state, const Error& error) {
  int64_t delay_us = 0;
  uint64_t attempt = 0;
  std::vector<KeyRange> conflicting;
  bool is_final = false;
  bool unknown = false;
  {
    std::lock_guard lock(state->mutex);
    if (state->phase == Phase::cancelled) return ErrorCode::transaction_cancelled;
    if (const auto unusable = state->unusable(); unusable && unusable->code() == ErrorCode::transaction_timed_out) {
      return *unusable;
    }
    const Retry retry = retry_of(error.code());
    if (error.code() == ErrorCode::commit_unknown_result && !state->unknown_since) {
      state->unknown_since = state->read_version.value_or(0);
    }
    unknown = state->unknown_since.has_value() && says_nothing_of_earlier_attempts(error.code());
    const bool exhausted = state->retry_limit >= 0 && state->retries >= state->retry_limit;
    is_final = retry == Retry::never || exhausted;
    if (!is_final) {
      ++state->retries;
      if (retry == Retry::backed_off) {
        const int64_t most_us = state->max_retry_delay_ms * 1000;
        delay_us =
            static_cast<int64_t>(static_cast<double>(std::min(state->back_off_us, most_us)) * state->random.fraction());
        state->back_off_us = std::min(state->back_off_us * 2, std::max<int64_t>(most_us, 1));
      }
    }
    attempt = state->attempt;
    conflicting = state->conflicting;
  }
  if (is_final) {
    state->start_attempt();
    std::lock_guard lock(state->mutex);
    state->phase = Phase::cancelled;
    if (unknown) return Error(ErrorCode::commit_unknown_result, unknown_message(error));
    return error;
  }
  return sleep_us(delay_us).then([state, attempt, conflicting = std::move(conflicting)](Result<void>) -> Result<void> {
    if (state->attempt != attempt) return ErrorCode::transaction_cancelled;
    state->start_attempt();
    // What the last attempt met stays readable in the next one, as FoundationDB's special keys promise.
    std::lock_guard lock(state->mutex);
    state->conflicting = conflicting;
    return {};
  });
}

}  // namespace strata::kv
