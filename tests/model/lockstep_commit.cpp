// Lockstep: commits, watches, versions and the life of a transaction.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <tuple>

#include "kv/atomic.h"
#include "model/lockstep.h"

namespace strata::model {
namespace {

// Versions are microseconds. Both engines keep one for 5 s after it was handed out; this is well inside.
constexpr kv::Version oldest_read_us = 3'500'000;
constexpr size_t kept_commits = 64;
constexpr size_t most_watches = 40;

std::string name_of(const Result<void>& result) {
  return result.ok() ? "ok" : std::string(error_name(result.error().code()));
}
template <class T>
std::string name_of(const Result<T>& result) {
  return result.ok() ? "ok" : std::string(error_name(result.error().code()));
}

// Watches fire soon, not at once.
bool becomes_ready(const Future<void>& future) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!future.is_ready()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

bool reached_engine(const CommitVerdict& verdict, ErrorCode code) {
  if (verdict.error) return code == ErrorCode::transaction_too_old || code == ErrorCode::future_version;
  return code != ErrorCode::transaction_too_large;
}

}  // namespace

// The memory engine's next commit is at `version`.
void Lockstep::move_oracle_to(kv::Version version) {
  STRATA_ASSERT(version > oracle_clock_version_);
  oracle_clock_.advance_us(version - oracle_clock_version_);
  oracle_clock_version_ = version;
}

void Lockstep::reset_if_old() {
  const auto index = slot().reference.read_index();
  if (!index) return;
  // What passed since the newest commit is not in the versions yet.
  const kv::Version now = store_.at(store_.newest()).version + (subject_.clock().steady_us() - committed_at_us_);
  if (now - store_.at(*index).version > oldest_read_us) reset();
}

void Lockstep::commit() {
  Slot& at = slot();
  if (at.reference.is_unsure()) return reset();
  // As check_conflicting_ranges says, their sizes may differ: so may what is too large.
  if (at.reference.has_size_limit() && at.has_read_together) return reset();
  if (random_.one_in(2)) ask_versionstamp();
  trace("commit");
  const CommitVerdict verdict = at.reference.judge();
  const Result<void> subject = at.subject.commit().get();
  kv::Version version = kv::invalid_version;
  if (subject.ok()) {
    const Result<kv::Version> committed = at.subject.get_committed_version();
    if (!committed.ok()) return fail("no committed version after a commit");
    version = *committed;
    if (verdict.read_only != (version == kv::invalid_version))
      return fail("a version without writes, or writes without");
    if (!verdict.read_only) {
      if (version <= oracle_clock_version_) return fail("the commit version did not grow");
      move_oracle_to(version);
      committed_at_us_ = subject_.clock().steady_us();
    }
  }
  const Result<void> oracle = at.oracle.commit().get();
  if (oracle.ok() && *at.oracle.get_committed_version() != version) return fail("commit versions differ");
  settle_commit(verdict, subject, oracle);
  if (failure_) return;
  // Whether it got as far as the engine, or ended by itself as a read-only one does.
  const bool is_over = subject.ok() || reached_engine(verdict, subject.error().code());
  if (subject.ok() || is_over) ++(subject.ok() ? counts_.commits : counts_.conflicts);
  const Bytes stamp = verdict.read_only ? Bytes() : kv::make_versionstamp({version, 0});
  const bool is_too_large = !subject.ok() && subject.error().code() == ErrorCode::transaction_too_large;
  if (is_over || is_too_large) {
    at.reference.finish_commit(subject.ok(), verdict.read_only, version, stamp);
  }
  if (is_over) check_versionstamps(subject, verdict.read_only, stamp);
  if (subject.ok()) {
    for (Watch& watch : watches_) {
      if (watch.slot == current_ && watch.state == WatchState::pending) watch.state = WatchState::active;
    }
    settle_active_watches();
  } else {
    at.last_error = subject.error().code();
    if (at.last_error == ErrorCode::not_committed) check_conflicting_ranges();
    if (is_over) end_watches_of_slot(WatchState::cancelled);
  }
  size_t oldest = store_.newest() > kept_commits ? store_.newest() - kept_commits : 0;
  for (const Slot& other : slots_) oldest = std::min(oldest, other.reference.read_index().value_or(oldest));
  store_.forget_before(std::max(oldest, store_.oldest()));
}

// Are these answers among the right ones?
void Lockstep::settle_commit(const CommitVerdict& verdict, const Result<void>& subject, const Result<void>& oracle) {
  const std::string answers =
      fmt::format("the subject's commit answered {}, the memory engine's {}", name_of(subject), name_of(oracle));
  if (name_of(subject) != name_of(oracle)) return fail(answers);
  if (verdict.error) {
    if (subject.ok() || subject.error().code() != *verdict.error) {
      fail(answers + " instead of " + std::string(error_name(*verdict.error)));
    }
    return;
  }
  if (!subject.ok() && subject.error().code() == ErrorCode::transaction_too_large) {
    if (!slot().reference.has_size_limit()) fail(answers + " of a small transaction");
    return;
  }
  if (!subject.ok() && subject.error().code() != ErrorCode::not_committed) return fail(answers);
  if (subject.ok() && verdict.must_conflict)
    return fail(answers + " although a read came out differently: " + verdict.why);
  if (!subject.ok() && !verdict.may_conflict) fail(answers + " although nobody wrote where it had read");
}

void Lockstep::check_conflicting_ranges() {
  Slot& at = slot();
  std::vector<KeyRange> subject = at.subject.conflicting_ranges();
  std::vector<KeyRange> oracle = at.oracle.conflicting_ranges();
  // Ranges that touch count as one: of reads that ended in another order others touch.
  const auto before = [](const KeyRange& a, const KeyRange& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  };
  std::sort(subject.begin(), subject.end(), before);
  std::sort(oracle.begin(), oracle.end(), before);
  if (subject != oracle && !at.has_read_together) return fail("conflicting ranges differ");
  for (const KeyRange& range : subject) {
    if (!at.reference.met_by_newer_write(range)) fail("a conflicting range that nobody wrote to");
  }
}

void Lockstep::ask_versionstamp() {
  Slot& at = slot();
  if (at.subject_stamp) return;
  trace("get_versionstamp");
  Future<Bytes> subject = at.subject.get_versionstamp();
  Future<Bytes> oracle = at.oracle.get_versionstamp();
  if (const auto error = at.reference.unusable()) {
    const std::string expected(error_name(*error));
    if (name_of(subject.get()) != expected || name_of(oracle.get()) != expected) fail("a versionstamp that cannot be");
    return;
  }
  at.subject_stamp.emplace(std::move(subject));
  at.oracle_stamp.emplace(std::move(oracle));
}

void Lockstep::check_versionstamps(const Result<void>& answer, bool read_only, const Bytes& stamp) {
  Slot& at = slot();
  if (!at.subject_stamp) return;
  for (auto* promised : {&at.subject_stamp, &at.oracle_stamp}) {
    if (!(*promised)->is_ready()) return fail("no versionstamp after the commit");
    const Result<Bytes> got = (*promised)->get();
    const std::string expected = !answer.ok() ? name_of(answer) : read_only ? "no_commit_version" : "ok";
    if (name_of(got) != expected) return fail("the versionstamp answers " + name_of(got) + " instead of " + expected);
    if (got.ok() && *got != stamp) return fail("another versionstamp than the commit's");
    promised->reset();
  }
}

void Lockstep::watch() {
  // The value it is set on is read in its own time: whether a time-out comes first would be anybody's guess.
  if (watches_.size() >= most_watches || slot().reference.has_timeout()) return check_watches();
  Slot& at = slot();
  const Bytes key = workload_.key(existing());
  trace("watch " + printable(key, 40));
  const auto seen = at.reference.watch(key);
  Future<void> subject = at.subject.watch(key);
  Future<void> oracle = at.oracle.watch(key);
  if (seen.ok()) {
    at.has_read_together = true;  // nobody waits for the value that it is set on, only for the version it is read at
    if (at.reference.read_index() && !at.subject.get_read_version().get().ok()) return fail("no version to watch from");
    watches_.push_back({current_, key, *seen, std::move(subject), std::move(oracle)});
    return;
  }
  const std::string expected(error_name(seen.error().code()));
  if (name_of(subject.get()) != expected || name_of(oracle.get()) != expected) {
    fail("a watch that should answer " + expected);
  }
}

void Lockstep::settle_active_watches() {
  for (Watch& watch : watches_) {
    if (watch.state != WatchState::active) continue;
    const auto found = existing().find(watch.key);
    const auto now = found == existing().end() ? std::optional<Bytes>() : found->second;
    if (now != watch.seen) watch.state = WatchState::fired;
  }
}

void Lockstep::end_watches_of_slot(WatchState state) {
  for (Watch& watch : watches_) {
    if (watch.slot == current_ && watch.state == WatchState::pending) watch.state = state;
  }
}

void Lockstep::check_watches() {
  trace("check watches");
  for (Watch& watch : watches_) {
    const std::string key = fmt::format("{} of transaction {}", printable(watch.key, 40), watch.slot);
    for (Future<void>* future : {&watch.subject, &watch.oracle}) {
      const char* whose = future == &watch.subject ? "subject" : "memory engine";
      const bool over = watch.state == WatchState::fired || watch.state == WatchState::cancelled;
      if (!over && future->is_ready()) {
        return fail(fmt::format("{}: the watch of \"{}\" answered {} too early", whose, key, name_of(future->get())));
      }
      if (!over) continue;
      if (!becomes_ready(*future)) return fail(fmt::format("{}: the watch of \"{}\" never fired", whose, key));
      const std::string expected = watch.state == WatchState::fired ? "ok" : "transaction_cancelled";
      const std::string got = name_of(future->get());
      if (got != expected) return fail(fmt::format("{}: the watch of \"{}\" answered {}", whose, key, got));
    }
    if (watch.state == WatchState::fired) ++counts_.watches_fired;
  }
  std::erase_if(watches_, [](const Watch& watch) {
    return watch.state == WatchState::fired || watch.state == WatchState::cancelled;
  });
  if (watches_.empty() || !random_.one_in(3)) return;
  // Somebody no longer wants to know.
  Watch& watch = watches_[random_.below(watches_.size())];
  for (Future<void>* future : {&watch.subject, &watch.oracle}) {
    future->cancel();
    if (name_of(future->get()) != "operation_cancelled") return fail("a cancelled watch answers something else");
  }
  watches_.erase(watches_.begin() + (&watch - watches_.data()));
}

void Lockstep::set_read_version() {
  Slot& at = slot();
  if (!at.reference.is_fresh() && !random_.one_in(5)) return;
  std::optional<size_t> index;
  ErrorCode bad = ErrorCode::transaction_too_old;
  kv::Version version = 1;
  const uint64_t draw = random_.below(12);
  if (draw == 0) {
    bad = ErrorCode::future_version;
    version = INT64_MAX / 2;
  } else if (draw > 1) {
    index = store_.oldest() + random_.below(store_.newest() - store_.oldest() + 1);
    version = store_.at(*index).version;
    if (store_.at(store_.newest()).version - version > oldest_read_us / 2) return;
    // Version 0, before the first commit, cannot be asked for.
    if (version <= 0) return;
  }
  trace(fmt::format("set_read_version {}", version));
  const Result<void> expected = at.reference.set_read_version(index, bad);
  const Result<void> subject = at.subject.set_read_version(version);
  const Result<void> oracle = at.oracle.set_read_version(version);
  if (name_of(subject) != name_of(expected) || name_of(oracle) != name_of(expected)) {
    fail(fmt::format("set_read_version: {}, {}, {}", name_of(expected), name_of(subject), name_of(oracle)));
  }
}

void Lockstep::set_option() {
  using Option = kv::TransactionOption;
  Slot& at = slot();
  Option option = Option::report_conflicting_keys;
  int64_t value = 0;
  bool with_value = false;
  switch (random_.below(7)) {
    case 0:
      if (!at.reference.is_fresh() && !random_.one_in(8)) return;
      if (at.reference.unusable() || at.reference.is_ambiguous()) return;
      option = Option::read_your_writes_disable;
      at.reference.disable_read_your_writes();
      break;
    case 1:
    case 2: {
      const bool enable = random_.one_in(2);
      option = enable ? Option::snapshot_ryw_enable : Option::snapshot_ryw_disable;
      at.reference.enable_snapshot_read_your_writes(enable);
      break;
    }
    case 3:
      if (!random_.one_in(4)) return;
      option = Option::size_limit;
      value = static_cast<int64_t>(32 + random_.below(3'000));
      with_value = true;
      at.reference.set_size_limit(static_cast<size_t>(value));
      break;
    case 4:
      // One that has timed out stays so, whatever is said afterwards.
      if (at.reference.unusable() || at.has_read_together) return;
      option = Option::timeout;
      value = static_cast<int64_t>(random_.below(400));
      with_value = true;
      at.reference.set_timeout(value);
      break;
    case 5:
      option = Option::retry_limit;
      value = static_cast<int64_t>(random_.below(4)) - 1;
      with_value = true;
      at.reference.set_retry_limit(value);
      break;
    default:
      break;
  }
  trace(fmt::format("set_option {} {}", static_cast<int>(option), value));
  for (kv::Transaction* transaction : {&at.subject, &at.oracle}) {
    const auto answer = with_value ? transaction->set_option(option, value) : transaction->set_option(option);
    if (!answer.ok()) fail("set_option answers " + name_of(answer));
  }
}

void Lockstep::reset() {
  trace("reset");
  Slot& at = slot();
  at.subject.reset();
  at.oracle.reset();
  at.reference.reset();
  end_attempt();
}

void Lockstep::cancel() {
  trace("cancel");
  Slot& at = slot();
  at.subject.cancel();
  at.oracle.cancel();
  at.reference.cancel();
  end_attempt();
}

void Lockstep::end_attempt() {
  Slot& at = slot();
  end_watches_of_slot(WatchState::cancelled);
  at.last_error.reset();
  at.has_read_together = false;
  if (!at.subject_stamp) return;
  for (auto* promised : {&at.subject_stamp, &at.oracle_stamp}) {
    if (!(*promised)->is_ready() || name_of((*promised)->get()) != "transaction_cancelled") {
      fail("the versionstamp of an attempt that ended answers something else");
    }
    promised->reset();
  }
}

void Lockstep::on_error() {
  static constexpr ErrorCode codes[] = {ErrorCode::not_committed,   ErrorCode::transaction_too_old,
                                        ErrorCode::future_version,  ErrorCode::commit_unknown_result,
                                        ErrorCode::database_locked, ErrorCode::key_too_large};
  Slot& at = slot();
  const ErrorCode code = at.last_error.value_or(codes[random_.below(std::size(codes))]);
  trace("on_error " + std::string(error_name(code)));
  const bool was_cancelled = at.reference.unusable() == ErrorCode::transaction_cancelled;
  const bool was_late = at.reference.unusable() == ErrorCode::transaction_timed_out;
  const Result<void> expected = at.reference.on_error(code);
  const Result<void> subject = at.subject.on_error(code).get();
  const Result<void> oracle = at.oracle.on_error(code).get();
  if (name_of(subject) != name_of(expected) || name_of(oracle) != name_of(expected)) {
    return fail(fmt::format("on_error: {}, {}, {}", name_of(expected), name_of(subject), name_of(oracle)));
  }
  if (!was_cancelled && !was_late) end_attempt();
}

// Close, open again, and everything is as it was; versions moved on.
void Lockstep::reopen() {
  check_watches();
  trace("reopen");
  for (current_ = 0; current_ < slots_.size() && !failure_; ++current_) reset();
  watches_.clear();
  slots_.clear();
  subject_database_.reset();
  oracle_database_.reset();
  subject_.reopen();
  open_databases();
  open_slots();
  current_ = 0;
  if (!failure_) compare_all();
  // Versions of before the restart can no longer be read.
  const Write mark{MutationType::set, "reopened", std::to_string(++counts_.reopens)};
  slot().subject.set(mark.key, mark.value);
  slot().oracle.set(mark.key, mark.value);
  slot().reference.write(mark.type, mark.key, mark.value);
  if (!failure_) commit();
  store_.forget_before(store_.newest());
  reset();
}

}  // namespace strata::model
