#include "service/log_reader.h"

#include <fmt/format.h>

#include "service/run.h"

namespace strata::service {
namespace {

using records::LogSegment;
using records::view;

// Of records at a time while a position is looked for.
constexpr size_t walk_bytes = 256u << 10;

Error no_such_position(LogPosition position, const char* why) {
  return Error(ErrorCode::invalid_argument,
               fmt::format("no position {}:{} in the log: {}", position.segment, position.offset, why));
}

Error no_longer_kept(LogPosition position) {
  return Error(ErrorCode::gone, fmt::format("what follows position {}:{} of the log is no longer kept",
                                            position.segment, position.offset));
}

}  // namespace

// One read of the store: where the reader stands, and what follows.
struct LogReader::Page {
  // The first segments that are kept, from the reader's own on.
  std::vector<LogSegment> segments;
  records::LogPage records;
};

LogReader::LogReader(LogShared& shared, std::shared_ptr<LogTail> tail) : shared_(&shared), tail_(std::move(tail)) {
  shared_->counters.readers.fetch_add(1, std::memory_order_relaxed);
}

LogReader::LogReader(LogReader&& other) noexcept
    : shared_(std::exchange(other.shared_, nullptr)),
      tail_(std::move(other.tail_)),
      end_(other.end_),
      position_(other.position_),
      stamp_(other.stamp_),
      lsn_(other.lsn_),
      seen_(other.seen_) {}

LogReader::~LogReader() {
  if (shared_) shared_->counters.readers.fetch_sub(1, std::memory_order_relaxed);
}

void LogReader::stand_at(const LogSegment& segment) {
  position_ = {segment.number, 0};
  stamp_ = segment.after;
  lsn_ = segment.before.records;
}

Result<void> LogReader::seek(const Context& context, const std::optional<LogPosition>& after) {
  seen_ = shared_->signal.sequence(space().id);
  ASSIGN_OR_RETURN(end_, tail_->advance(context));
  return run_transaction(shared_->database, context, *shared_->options.clock, shared_->options.durability,
                         [&](kv::Transaction& transaction) -> Result<void> {
                           const kv::ReadTransaction snapshot = transaction.snapshot();
                           RETURN_IF_ERROR(require_namespace(snapshot, tail_->name(), space()));
                           ASSIGN_OR_RETURN(const auto first, read_log_segments(snapshot, space(), 0, 1));
                           position_ = {};
                           stamp_ = {};
                           lsn_ = 0;
                           if (first.empty()) {
                             if (!after || *after == LogPosition()) return {};
                             return no_such_position(*after, "it has no records yet");
                           }
                           if (after) return seek_in(snapshot, *after, first[0]);
                           stand_at(first[0]);
                           return {};
                         });
}

Result<void> LogReader::seek_in(const kv::ReadTransaction& transaction, const LogPosition& after,
                                const LogSegment& first) {
  const uint64_t number = after.segment;
  if (number == 0) {
    if (after.offset != 0) return no_such_position(after, "segments count from 1");
    if (first.number != 1) return no_longer_kept(after);
    stand_at(first);
    return {};
  }
  if (number > end_.active) return no_such_position(after, "it is ahead of the end");
  if (number < first.number) {
    // Whoever has read all of the last one that was dropped has missed nothing.
    if (number + 1 != first.number || after.offset != first.previous_bytes) return no_longer_kept(after);
    stand_at(first);
    return {};
  }
  ASSIGN_OR_RETURN(const auto segments, read_log_segments(transaction, space(), number, 2));
  if (segments.empty() || segments[0].number != number) return no_longer_kept(after);
  // A segment behind the active one was opened a moment ago; the reader goes there when the tail has.
  const bool ends = number < end_.active;
  if (ends && segments.size() < 2) return Error(ErrorCode::corruption, "a segment of the log is missing");
  const uint64_t bytes = ends ? segments[1].previous_bytes : end_.active_bytes;
  if (after.offset > bytes) {
    return no_such_position(after, ends ? "its segment is shorter" : "it is ahead of the end");
  }
  stand_at(segments[0]);
  return walk_to(transaction, segments[0], after.offset, ends ? segments[1].after : end_.stamp);
}

Result<void> LogReader::walk_to(const kv::ReadTransaction& transaction, const LogSegment& segment, uint64_t offset,
                                const Stamp& last) {
  const LogPosition wanted{segment.number, offset};
  if (const auto waypoint = tail_->waypoint_before(wanted)) {
    position_ = waypoint->position;
    stamp_ = waypoint->stamp;
    lsn_ = waypoint->records;
  }
  while (position_.offset < offset) {
    ASSIGN_OR_RETURN(const records::LogPage page,
                     read_log_page(transaction, space(), {.after = stamp_, .last = last, .max_bytes = walk_bytes}));
    if (page.records.empty()) return Error(ErrorCode::corruption, "a segment of the log is shorter than it was");
    for (const records::RawLogRecord& record : page.records) {
      position_.offset += record.bytes.size();
      stamp_ = record.stamp;
      ++lsn_;
      if (position_.offset >= offset) break;
    }
    tail_->add_waypoint({position_, stamp_, lsn_});
  }
  if (position_.offset != offset) return no_such_position(wanted, "it is inside of a record");
  return {};
}

Result<LogReader::Page> LogReader::read_page(const Context& context, const LogBatchLimits& limits) const {
  return run_transaction(
      shared_->database, context, *shared_->options.clock, shared_->options.durability,
      [&](kv::Transaction& transaction) -> Result<Page> {
        const kv::ReadTransaction snapshot = transaction.snapshot();
        RETURN_IF_ERROR(require_namespace(snapshot, tail_->name(), space()));
        Page page;
        ASSIGN_OR_RETURN(page.segments, read_log_segments(snapshot, space(), position_.segment, 2));
        ASSIGN_OR_RETURN(
            page.records,
            read_log_page(
                snapshot, space(),
                {.after = stamp_, .last = end_.stamp, .max_records = limits.records, .max_bytes = limits.bytes}));
        return page;
      });
}

Result<bool> LogReader::move_on(const Page& page) {
  if (page.segments.empty()) return no_longer_kept(position_);
  const LogSegment& first = page.segments[0];
  if (first.number != position_.segment) {
    // Before the first record, or the reader's segment was dropped when it had been read to its end.
    const bool continues =
        position_.segment + 1 == first.number && first.totals_known && position_.offset == first.previous_bytes;
    if (!continues) return no_longer_kept(position_);
    stand_at(first);
    return true;
  }
  if (page.segments.size() < 2 || page.records.records.empty()) return false;
  const LogSegment& next = page.segments[1];
  if (view(page.records.records[0].stamp) <= view(next.after)) return false;
  if (next.before.records != lsn_ || next.previous_bytes != position_.offset) {
    return Error(ErrorCode::corruption, "a segment of the log does not join the one before it");
  }
  stand_at(next);
  return true;
}

Result<LogBatch> LogReader::next(const Context& context, const LogBatchLimits& limits) {
  LogBatch batch;
  for (bool looked = false;;) {
    if (view(stamp_) >= view(end_.stamp)) {
      if (looked) return batch;
      looked = true;
      seen_ = shared_->signal.sequence(space().id);
      ASSIGN_OR_RETURN(end_, tail_->advance(context));
      continue;
    }
    ASSIGN_OR_RETURN(Page page, read_page(context, limits));
    ASSIGN_OR_RETURN(const bool moved, move_on(page));
    if (moved) continue;
    if (page.records.records.empty()) {
      // A log that ends with a seal: the tail stands at the seal, not at the record before it.
      stamp_ = end_.stamp;
      continue;
    }
    batch.entries.reserve(page.records.records.size());
    for (const records::RawLogRecord& record : page.records.records) {
      if (page.segments.size() > 1 && view(record.stamp) > view(page.segments[1].after)) break;
      position_.offset += record.bytes.size();
      stamp_ = record.stamp;
      batch.entries.push_back({stamp_, ++lsn_, position_, record.bytes});
    }
    batch.page = std::move(page.records);
    shared_->counters.records_read.add(batch.entries.size());
    return batch;
  }
}

Future<void> LogReader::changed() const { return shared_->signal.changed(space().id, seen_); }

}  // namespace strata::service
