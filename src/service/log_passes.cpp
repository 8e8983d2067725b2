// The background passes of the log: checkpoints, seals by age, retention.
#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "service/log.h"
#include "service/run.h"

namespace strata::service {
namespace {

using records::LogSegment;

// Of an old log at a time; the next pass goes on.
constexpr size_t max_dropped = 1'000;
// A segment is sealed when it is this part of the retention's age old, so that what a quiet namespace keeps is not much
// older than the retention says.
constexpr int64_t seals_an_age = 8;
// Passes between two that look at all namespaces, written to or not: age alone makes segments go.
constexpr int passes_between_all = 60;
constexpr size_t list_page = 1'000;

}  // namespace

void Log::loop() {
  int until_all = 0;
  std::unique_lock lock(stop_mutex_);
  while (!stopping_) {
    lock.unlock();
    run_pass(until_all == 0);
    until_all = until_all == 0 ? passes_between_all : until_all - 1;
    // Those who follow look for what other processes wrote.
    shared_.signal.wake_all();
    lock.lock();
    stop_changed_.wait_for(lock, std::chrono::microseconds(shared_.options.pass_interval_us),
                           [this] { return stopping_; });
  }
}

void Log::stop() {
  {
    std::lock_guard lock(stop_mutex_);
    stopping_ = true;
  }
  stop_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  shared_.signal.wake_all();
}

std::vector<std::shared_ptr<LogTail>> Log::tails_to_pass(bool all) {
  const std::vector<int64_t> written = shared_.signal.take_written();
  std::vector<std::shared_ptr<LogTail>> tails;
  if (!all) {
    std::lock_guard lock(tails_mutex_);
    for (const auto& [name, tail] : tails_) {
      if (std::find(written.begin(), written.end(), tail->space().id) != written.end()) tails.push_back(tail);
    }
    if (tails.size() == written.size()) return tails;
  }
  tails.clear();
  for (std::string after;;) {
    const auto page = run_transaction(shared_.database, {}, *shared_.options.clock, shared_.options.durability,
                                      [&](kv::Transaction& transaction) {
                                        return records::list_namespaces(transaction.snapshot(), after, list_page);
                                      });
    if (!page.ok()) break;
    for (const auto& [name, space] : *page) {
      if (all || std::find(written.begin(), written.end(), space.id) != written.end()) {
        tails.push_back(tail_of(name, space));
      }
    }
    if (page->size() < list_page) break;
    after = page->back().name;
  }
  for (const int64_t id : written) {
    const bool there =
        std::any_of(tails.begin(), tails.end(), [&](const auto& tail) { return tail->space().id == id; });
    if (!there) shared_.signal.forget(id);
  }
  return tails;
}

void Log::run_pass(bool all) {
  for (const auto& tail : tails_to_pass(all)) {
    {
      std::lock_guard lock(stop_mutex_);
      if (stopping_) return;
    }
    shared_.counters.passes.add();
    const Result<void> passed = pass(*tail);
    if (passed.ok()) continue;
    if (passed.error().code() == ErrorCode::not_found) {
      forget_tail(*tail);
      continue;
    }
    shared_.counters.failed_passes.add();
    log::warning("a pass over a namespace's log failed", {{"namespace", tail->name()},
                                                          {"error", error_name(passed.error().code())},
                                                          {"message", passed.error().message()}});
  }
}

Result<void> Log::pass(LogTail& tail) {
  ASSIGN_OR_RETURN(LogEnd end, tail.advance({}));
  if (end.active == 0) return {};
  RETURN_IF_ERROR(write_checkpoint(tail, end));
  if (end.active_bytes > 0) {
    ASSIGN_OR_RETURN(const auto active, run_transaction(shared_.database, {}, *shared_.options.clock,
                                                        shared_.options.durability, [&](kv::Transaction& transaction) {
                                                          return read_log_segment(transaction.snapshot(), tail.space(),
                                                                                  end.active);
                                                        }));
    const int64_t age_us = active ? shared_.options.clock->wall_us() - active->opened_us : 0;
    if (age_us >= shared_.options.retention_age_us / seals_an_age) {
      RETURN_IF_ERROR(seal({}, tail.name()));
      end = tail.end();
    }
  }
  return drop_segments(tail, end);
}

records::LogCheckpoint Log::checkpoint_at(const LogEnd& end) const {
  return {.stamp = end.stamp,
          .position = end.position,
          .segment_weight = end.position.segment == end.active ? end.active_weight : 0,
          .totals = end.totals,
          .record_us = end.record_us,
          .wall_us = shared_.options.clock->wall_us()};
}

// Synced also where writes are not: what it covers is then on disk, since it comes behind it in the store's log.
Result<void> Log::write_checkpoint(LogTail& tail, const LogEnd& end) {
  const records::LogCheckpoint checkpoint = checkpoint_at(end);
  return run_transaction(shared_.database, {}, *shared_.options.clock, kv::Durability::sync,
                         [&](kv::Transaction& transaction) -> Result<void> {
                           RETURN_IF_ERROR(require_namespace(transaction, tail.name(), tail.space()));
                           ASSIGN_OR_RETURN(const auto there, read_log_checkpoint(transaction, tail.space()));
                           if (there && there->totals.records >= checkpoint.totals.records) return {};
                           write_log_checkpoint(transaction, tail.space(), checkpoint);
                           return {};
                         });
}

// Which of these to keep as the first.
size_t Log::choose_first(const std::vector<LogSegment>& segments, const LogEnd& end) const {
  const int64_t oldest_us = shared_.options.clock->wall_us() - shared_.options.retention_age_us;
  size_t first = 0;
  while (first + 1 < segments.size() && segments[first + 1].number <= end.active) {
    // A segment is as old as the next one: its last record was written before that was opened.
    const bool too_much = end.totals.weight - segments[first].before.weight > shared_.options.retention_bytes;
    if (!too_much && segments[first + 1].opened_us > oldest_us) break;
    ++first;
  }
  return first;
}

Result<void> Log::drop_segments(LogTail& tail, const LogEnd& end) {
  const int64_t id = tail.space().id;
  size_t first = 0;
  LogTail::Kept kept;
  RETURN_IF_ERROR(run_transaction(
      shared_.database, {}, *shared_.options.clock, shared_.options.durability,
      [&](kv::Transaction& transaction) -> Result<void> {
        first = 0;
        RETURN_IF_ERROR(require_namespace(transaction, tail.name(), tail.space()));
        ASSIGN_OR_RETURN(const auto segments, read_log_segments(transaction, tail.space(), 0, max_dropped + 1));
        if (segments.empty()) return {};
        first = choose_first(segments, end);
        {
          // Before the commit: from here on no pin asks for what it takes away.
          std::lock_guard lock(pins_->mutex);
          const auto pinned = pins_->pinned.find(id);
          const uint64_t held = pinned != pins_->pinned.end() ? *pinned->second.begin() : UINT64_MAX;
          while (first > 0 && segments[first].number > held) --first;
          pins_->first[id] = segments[first].number;
        }
        kept = {.weight = end.totals.weight - segments[first].before.weight, .since_us = segments[first].opened_us};
        if (first > 0) drop_log_segments(transaction, tail.space(), segments[first]);
        return {};
      }));
  shared_.counters.segments_dropped.add(first);
  tail.set_kept(kept);
  return {};
}

LogTail::Kept Log::kept() const {
  std::lock_guard lock(tails_mutex_);
  LogTail::Kept all;
  for (const auto& [name, tail] : tails_) {
    const LogTail::Kept kept = tail->kept();
    if (kept.since_us == 0) continue;
    all.weight += kept.weight;
    all.since_us = all.since_us == 0 ? kept.since_us : std::min(all.since_us, kept.since_us);
  }
  return all;
}

}  // namespace strata::service
