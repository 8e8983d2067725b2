#include "service/log_tail.h"

#include <fmt/format.h>

#include <utility>

#include "layers/records/log_record.h"
#include "layers/records/namespaces.h"
#include "service/run.h"

namespace strata::service {
namespace {

using records::LogSegment;
using records::view;

// Of records at a time: a walk over a whole segment of 16 MiB is 16 reads.
constexpr size_t step_bytes = 1u << 20;
// Between two waypoints of a segment. A consumer that comes back walks half of it on average: 0.1 ms.
constexpr uint64_t waypoint_bytes = 256u << 10;
// 1 GiB of log: 0.4 MB of memory.
constexpr size_t max_waypoints = 4'096;

constexpr Stamp last_stamp = [] {
  Stamp stamp{};
  stamp.fill('\xFF');
  return stamp;
}();

Error contradiction(const std::string& name, uint64_t number) {
  return Error(ErrorCode::corruption,
               fmt::format("segment {} of the log of namespace {} contradicts the records before it", number, name));
}

}  // namespace

Result<void> require_namespace(const kv::ReadTransaction& transaction, std::string_view name,
                               const records::Namespace& space) {
  ASSIGN_OR_RETURN(const auto found, records::find_namespace(transaction, name));
  if (!found || found->id != space.id) return no_such_namespace(name);
  return {};
}

// What one read of the store gave: the active segment, the one behind it, and records.
struct LogTail::Step {
  std::optional<LogSegment> active;  // nullopt: there is no segment yet
  std::optional<LogSegment> next;
  records::LogPage page;
  // The active segment is no longer kept: another process dropped it.
  bool overtaken = false;
};

LogTail::LogTail(LogShared& shared, std::string name, records::Namespace space)
    : shared_(shared), name_(std::move(name)), space_(std::move(space)) {}

LogEnd LogTail::end() const {
  std::lock_guard lock(mutex_);
  return end_;
}

Result<LogEnd> LogTail::advance(const Context& context) {
  std::unique_lock lock(mutex_);
  // A walk that is under way may have read before the caller's last commit.
  const uint64_t needed = started_ + 1;
  for (;;) {
    if (finished_ >= needed) return end_;
    if (walking_) {
      Future<void> ended = waiting_.emplace_back().future();
      lock.unlock();
      RETURN_IF_ERROR(ended.get());
      lock.lock();
      continue;
    }
    walking_ = true;
    const uint64_t number = ++started_;
    lock.unlock();
    Result<void> walked = walk(context);
    lock.lock();
    walking_ = false;
    if (walked.ok()) {
      finished_ = number;
      end_ = walked_;
    }
    const LogEnd end = end_;
    std::vector<Promise<void>> waiting = std::exchange(waiting_, {});
    lock.unlock();
    // Also after a failure: those that wait try for themselves, with their own deadlines.
    for (Promise<void>& promise : waiting) promise.fulfil(Result<void>());
    RETURN_IF_ERROR(walked);
    return end;
  }
}

Result<void> LogTail::walk(const Context& context) {
  for (;;) {
    if (!loaded_) RETURN_IF_ERROR(load(context));
    ASSIGN_OR_RETURN(const Step step, read_step(context));
    if (step.overtaken) {
      loaded_ = false;
      continue;
    }
    ASSIGN_OR_RETURN(const bool done, take_step(context, step));
    if (done) return {};
  }
}

// From the checkpoint, or from the last segment whose beginning is known.
Result<void> LogTail::load(const Context& context) {
  struct Loaded {
    std::optional<records::LogCheckpoint> checkpoint;
    std::optional<LogSegment> known;
    uint64_t last = 0;
  };
  ASSIGN_OR_RETURN(const Loaded loaded,
                   run_transaction(shared_.database, context, *shared_.options.clock, shared_.options.durability,
                                   [&](kv::Transaction& transaction) -> Result<Loaded> {
                                     const kv::ReadTransaction snapshot = transaction.snapshot();
                                     RETURN_IF_ERROR(require_namespace(snapshot, name_, space_));
                                     Loaded result;
                                     ASSIGN_OR_RETURN(result.checkpoint, read_log_checkpoint(snapshot, space_));
                                     ASSIGN_OR_RETURN(result.known, read_last_log_segment(snapshot, space_));
                                     if (result.known) result.last = result.known->number;
                                     while (result.known && !result.known->totals_known) {
                                       const uint64_t before = result.known->number - 1;
                                       ASSIGN_OR_RETURN(result.known, read_log_segment(snapshot, space_, before));
                                       if (!result.known) return contradiction(name_, before + 1);
                                     }
                                     return result;
                                   }));
  walked_ = {};
  limit_bytes_ = 0;
  if (loaded.known) {
    const LogSegment& segment = *loaded.known;
    walked_.active = segment.number;
    walked_.totals = segment.before;
    walked_.stamp = walked_.passed = segment.after;
    if (segment.before.records > 0) {
      walked_.position = {segment.number - 1, segment.previous_bytes};
      walked_.record_us = segment.opened_us;
    }
  }
  const auto& checkpoint = loaded.checkpoint;
  if (checkpoint && checkpoint->position.segment >= walked_.active) {
    // It is stored behind the row of its segment. Believing it, the walk would look for that row for ever.
    if (checkpoint->position.segment > loaded.last) return contradiction(name_, checkpoint->position.segment);
    walked_ = {.position = checkpoint->position,
               .stamp = checkpoint->stamp,
               .totals = checkpoint->totals,
               .record_us = checkpoint->record_us,
               .active = checkpoint->position.segment,
               .active_bytes = checkpoint->position.offset,
               .active_weight = checkpoint->segment_weight,
               .passed = checkpoint->stamp};
  }
  loaded_ = true;
  return {};
}

Result<LogTail::Step> LogTail::read_step(const Context& context) {
  return run_transaction(
      shared_.database, context, *shared_.options.clock, shared_.options.durability,
      [&](kv::Transaction& transaction) -> Result<Step> {
        const kv::ReadTransaction snapshot = transaction.snapshot();
        RETURN_IF_ERROR(require_namespace(snapshot, name_, space_));
        Step step;
        ASSIGN_OR_RETURN(const auto segments, read_log_segments(snapshot, space_, walked_.active, 2));
        for (const LogSegment& segment : segments) {
          if (segment.number == walked_.active) step.active = segment;
          if (segment.number == walked_.active + 1) step.next = segment;
        }
        step.overtaken = walked_.active > 0 ? !step.active : !segments.empty() && segments[0].number != 1;
        if (step.overtaken) return step;
        if (segments.size() == 2 && segments[1].number != segments[0].number + 1) {
          return contradiction(name_, segments[1].number);
        }
        ASSIGN_OR_RETURN(
            step.page,
            read_log_page(snapshot, space_, {.after = walked_.passed, .last = last_stamp, .max_bytes = step_bytes}));
        return step;
      });
}

Result<bool> LogTail::take_step(const Context& context, const Step& step) {
  if (step.active) limit_bytes_ = step.active->limit_bytes;
  for (const records::RawLogRecord& record : step.page.records) {
    if (step.next && view(record.stamp) > view(step.next->after)) {
      RETURN_IF_ERROR(enter_segment(context, *step.next));
      return false;
    }
    if (!step.next) {
      const bool fits = walked_.active_bytes == 0 || walked_.active_weight + record.bytes.size() <= limit_bytes_;
      if (walked_.active == 0 || !fits) {
        RETURN_IF_ERROR(open_segment(context, walked_.active + 1));
        return false;
      }
    }
    ASSIGN_OR_RETURN(const records::LogRecordSummary summary, records::summarize_log_record(record.bytes));
    count(record, summary);
  }
  if (step.page.more) return false;
  if (step.next) {
    // Every record that the row's version sees has been counted, so nothing more comes into the segment before it.
    RETURN_IF_ERROR(enter_segment(context, *step.next));
    return false;
  }
  return true;
}

void LogTail::count(const records::RawLogRecord& record, const records::LogRecordSummary& summary) {
  walked_.active_bytes += record.bytes.size();
  walked_.active_weight += summary.weight;
  walked_.position = {walked_.active, walked_.active_bytes};
  walked_.stamp = walked_.passed = record.stamp;
  walked_.record_us = summary.wall_us;
  walked_.totals.records += 1;
  walked_.totals.operations += summary.operations;
  walked_.totals.bytes += record.bytes.size();
  walked_.totals.weight += summary.weight;
  shared_.counters.records.add();
  shared_.counters.record_bytes.add(record.bytes.size());
  add_waypoint({walked_.position, walked_.stamp, walked_.totals.records});
}

// The segment that begins behind the last record, unless somebody has opened one first: then the next step sees it.
Result<void> LogTail::open_segment(const Context& context, uint64_t number) {
  const LogSegment segment{.number = number,
                           .after = walked_.passed,
                           .limit_bytes = shared_.options.segment_bytes,
                           .opened_us = shared_.options.clock->wall_us(),
                           .totals_known = true,
                           .before = walked_.totals,
                           .previous_bytes = walked_.active_bytes};
  bool opened = false;
  RETURN_IF_ERROR(run_transaction(shared_.database, context, *shared_.options.clock, shared_.options.durability,
                                  [&](kv::Transaction& transaction) -> Result<void> {
                                    opened = false;
                                    RETURN_IF_ERROR(require_namespace(transaction, name_, space_));
                                    ASSIGN_OR_RETURN(const auto there, read_log_segment(transaction, space_, number));
                                    // Not where the one before it was dropped meanwhile either.
                                    ASSIGN_OR_RETURN(const auto last, read_last_log_segment(transaction, space_));
                                    if (there || (last ? last->number : 0) != number - 1) return {};
                                    write_log_segment(transaction, space_, segment);
                                    opened = true;
                                    return {};
                                  }));
  if (opened) shared_.counters.segments_opened.add();
  return {};
}

Result<void> LogTail::enter_segment(const Context& context, const LogSegment& segment) {
  if (!segment.totals_known) {
    RETURN_IF_ERROR(fill_totals(context, segment));
  } else if (segment.before != walked_.totals || segment.previous_bytes != walked_.active_bytes) {
    loaded_ = false;
    return contradiction(name_, segment.number);
  }
  walked_.active = segment.number;
  walked_.active_bytes = 0;
  walked_.active_weight = 0;
  walked_.passed = segment.after;
  limit_bytes_ = segment.limit_bytes;
  add_waypoint({{segment.number, 0}, segment.after, walked_.totals.records});
  return {};
}

// A seal could not know what was committed at the same time as it.
Result<void> LogTail::fill_totals(const Context& context, const LogSegment& segment) {
  LogSegment filled = segment;
  filled.totals_known = true;
  filled.before = walked_.totals;
  filled.previous_bytes = walked_.active_bytes;
  return run_transaction(shared_.database, context, *shared_.options.clock, shared_.options.durability,
                         [&](kv::Transaction& transaction) -> Result<void> {
                           RETURN_IF_ERROR(require_namespace(transaction, name_, space_));
                           ASSIGN_OR_RETURN(const auto now, read_log_segment(transaction, space_, segment.number));
                           if (now && *now == segment) write_log_segment(transaction, space_, filled);
                           return {};
                         });
}

std::optional<LogTail::Waypoint> LogTail::waypoint_before(LogPosition position) const {
  std::lock_guard lock(mutex_);
  auto found = waypoints_.upper_bound(position);
  if (found == waypoints_.begin()) return std::nullopt;
  --found;
  if (found->first.segment != position.segment) return std::nullopt;
  return found->second;
}

void LogTail::set_kept(const Kept& kept) {
  std::lock_guard lock(mutex_);
  kept_ = kept;
}

LogTail::Kept LogTail::kept() const {
  std::lock_guard lock(mutex_);
  return kept_;
}

void LogTail::add_waypoint(const Waypoint& waypoint) {
  std::lock_guard lock(mutex_);
  const auto behind = waypoints_.lower_bound(waypoint.position);
  if (behind != waypoints_.begin()) {
    const LogPosition before = std::prev(behind)->first;
    const bool near =
        before.segment == waypoint.position.segment && waypoint.position.offset < before.offset + waypoint_bytes;
    if (near) return;
  } else if (waypoint.position.offset != 0 && waypoint.position.offset < waypoint_bytes) {
    return;
  }
  waypoints_.emplace_hint(behind, waypoint.position, waypoint);
  if (waypoints_.size() > max_waypoints) waypoints_.erase(waypoints_.begin());
}

}  // namespace strata::service
