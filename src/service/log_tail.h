// LogTail: the end of one namespace's log, kept in memory and moved on demand.
//
// Purpose:       the one who decides where segments begin: it walks the records behind the last one it has seen, and
//                where a record does not fit its segment any more it persists the next segment before it goes on.
// Ownership:     shared by the service and the readers of the namespace.
// Thread safety: any thread. One call walks at a time, others wait for it and share what it found.
// Invariants:    whatever end() and advance() tell is persisted: every reader of the store, also of another process,
//                derives the same positions. Nothing is held in memory of the records themselves.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "layers/records/log_page.h"
#include "layers/records/log_record.h"
#include "layers/records/log_segments.h"
#include "service/context.h"
#include "service/log_options.h"

namespace strata::service {

using records::LogPosition;
using records::Stamp;

struct LogEnd {
  // Of the last record; {0, 0}: there was never one.
  LogPosition position;
  Stamp stamp{};
  records::LogTotals totals;
  int64_t record_us = 0;  // wall clock of its writer
  // The segment that the next record goes to if nothing happens; its records so far.
  uint64_t active = 0;
  uint64_t active_bytes = 0;
  uint64_t active_weight = 0;
  // Not a record's stamp: records up to here are counted.
  Stamp passed{};
};

class LogTail {
 public:
  LogTail(LogShared& shared, std::string name, records::Namespace space);

  const std::string& name() const { return name_; }
  const records::Namespace& space() const { return space_; }

  // Everything that was committed before the call. not_found: the namespace is no more.
  Result<LogEnd> advance(const Context& context);
  // What the last advance found.
  LogEnd end() const;

  // Where to begin to walk to a position: the start of a record that is known, in the position's segment.
  struct Waypoint {
    LogPosition position;
    Stamp stamp{};
    uint64_t records = 0;
  };
  std::optional<Waypoint> waypoint_before(LogPosition position) const;
  // Keeps it where none is near.
  void add_waypoint(const Waypoint& waypoint);

  // What the log holds, as the last background pass left it.
  struct Kept {
    uint64_t weight = 0;
    int64_t since_us = 0;  // the first segment was opened then; 0: no pass has looked
  };
  void set_kept(const Kept& kept);
  Kept kept() const;

 private:
  struct Step;
  Result<void> walk(const Context& context);
  Result<void> load(const Context& context);
  Result<Step> read_step(const Context& context);
  // True: the records of the step are all counted and there may be no more.
  Result<bool> take_step(const Context& context, const Step& step);
  Result<void> open_segment(const Context& context, uint64_t number);
  Result<void> enter_segment(const Context& context, const records::LogSegment& segment);
  Result<void> fill_totals(const Context& context, const records::LogSegment& segment);
  void count(const records::RawLogRecord& record, const records::LogRecordSummary& summary);

  LogShared& shared_;
  const std::string name_;
  const records::Namespace space_;

  // Of the walk that is under way; only its caller touches these.
  bool loaded_ = false;
  LogEnd walked_;
  uint64_t limit_bytes_ = 0;  // of the active segment

  mutable std::mutex mutex_;
  LogEnd end_;
  uint64_t started_ = 0;   // walks, each has a number
  uint64_t finished_ = 0;  // the last one that succeeded
  bool walking_ = false;
  std::vector<Promise<void>> waiting_;
  std::map<LogPosition, Waypoint> waypoints_;
  Kept kept_;
};

// Serializable: who writes under the namespace's number conflicts with its removal.
Result<void> require_namespace(const kv::ReadTransaction& transaction, std::string_view name,
                               const records::Namespace& space);

}  // namespace strata::service
