// LogReader: one consumer's way through the log of a namespace.
//
// Purpose:       records behind a position, in commit order, each exactly once, with the position to come back with.
// Ownership:     made by Log::read; refers to the service, which outlives it. A batch owns its bytes.
// Thread safety: one thread or coroutine at a time.
// Invariants:    holds no transaction and no lock between calls: a reader that stalls costs nothing, and finds itself
//                overtaken (gone) when retention has dropped what comes next.
#pragma once

#include <memory>
#include <vector>

#include "layers/records/log_record.h"
#include "service/log_tail.h"

namespace strata::service {

struct LogEntry {
  Stamp stamp{};
  // Which record of the namespace's log this is, from 1.
  uint64_t lsn = 0;
  // To continue behind it.
  LogPosition position;
  BytesView bytes;  // as stored: records::decode_log_record
};

struct LogBatch {
  std::vector<LogEntry> entries;
  // What their bytes are views of.
  records::LogPage page;
};

struct LogBatchLimits {
  size_t records = 0;  // 0: no limit
  // The record that goes beyond it is the last one.
  size_t bytes = 256u << 10;
};

class LogReader {
 public:
  LogReader(LogReader&& other) noexcept;
  LogReader& operator=(LogReader&&) = delete;
  ~LogReader();

  // Empty: the end, as of now. gone: retention was faster. not_found: the namespace was removed.
  Result<LogBatch> next(const Context& context, const LogBatchLimits& limits = {});
  // After an empty batch: ready when there may be more, about each second without a reason, and when cancelled.
  Future<void> changed() const;

  // Behind the last record that next() returned.
  LogPosition position() const { return position_; }
  const records::Namespace& space() const { return tail_->space(); }
  // As of the last call: how far there is to go. A replica's lag comes from it.
  const LogEnd& end() const { return end_; }

 private:
  friend class Log;
  LogReader(LogShared& shared, std::shared_ptr<LogTail> tail);
  // Goes to the position, or to the first record that is kept.
  Result<void> seek(const Context& context, const std::optional<LogPosition>& after);
  Result<void> seek_in(const kv::ReadTransaction& transaction, const LogPosition& after,
                       const records::LogSegment& first);
  Result<void> walk_to(const kv::ReadTransaction& transaction, const records::LogSegment& segment, uint64_t offset,
                       const Stamp& last);
  void stand_at(const records::LogSegment& segment);
  struct Page;
  Result<Page> read_page(const Context& context, const LogBatchLimits& limits) const;
  // Moves to the segment that holds the next record. False: it is in this one.
  Result<bool> move_on(const Page& page);

  LogShared* shared_;
  std::shared_ptr<LogTail> tail_;
  LogEnd end_;
  LogPosition position_;
  Stamp stamp_{};      // records up to here are behind us
  uint64_t lsn_ = 0;   // so many
  uint64_t seen_ = 0;  // of the signal, before the last look
};

}  // namespace strata::service
