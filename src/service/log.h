// Log: the use cases of a namespace's log: where it ends, what is kept, reading it from any position.
//
// Purpose:       what change streams, replicas and backups stand on. Positions are derived from the keys
//                (layers/records/log_segments.h); LogTail derives them, LogReader walks, and here are segments sealed,
//                pinned and dropped.
// Ownership:     borrows the database, the signal and the clock, which outlive it. Readers and pins die before it.
// Thread safety: any thread.
// Invariants:    a position, once handed out, means the same record for every reader of the store, after a restart too
//                (with --durability async: unless the crash took the record back). Status and reads see every write
//                that was answered before they began.
// Errors:        not_found ("namespace not found: X"); gone: the position is no longer kept, or of a namespace that was
//                made anew; invalid_argument: there is no such position.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "layers/records/namespaces.h"
#include "service/log_reader.h"

namespace strata::service {

struct LogStatus {
  std::string log_id;
  LogEnd end;
  // Those of `end` that a crash cannot take back.
  uint64_t durable_operations = 0;
  // By the clock of their writer, when the last of those was written; 0: none is.
  int64_t durable_us = 0;
  // nullopt: none yet.
  std::optional<records::LogCheckpoint> checkpoint;
};

struct ReadLogRequest {
  std::string_view name_space;
  // Records behind it; absent: from the first one that is kept.
  std::optional<LogPosition> after;
  // As log_id() gave it; empty: whichever log has the name now.
  std::string_view log_id;
};

// A segment that gets no more records: those behind the stamp `after` up to and with `last`.
struct SealedSegment {
  uint64_t number = 0;
  Stamp after{};
  Stamp last{};
  uint64_t first_lsn = 1;
  uint64_t records = 0;
  uint64_t bytes = 0;
  uint64_t weight = 0;
};

struct NamespaceList {
  struct Entry {
    std::string name;
    std::string log_id;
  };
  std::vector<Entry> entries;
  bool more = false;
};

// While it lives nothing behind its position is dropped. A restart forgets it.
using LogPin = std::shared_ptr<void>;

class Log {
 public:
  Log(const kv::Database& database, LogSignal& signal, const LogOptions& options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Once, before anything else: finds or makes the store's id and begins the background passes.
  Result<void> open();
  // Ends the background passes and wakes whoever waits for a change.
  void stop();

  // 16 bytes.
  const Bytes& store_id() const { return store_id_; }
  std::string log_id(const records::Namespace& space) const { return records::format_log_id(store_id_, space); }

  Result<LogStatus> status(const Context& context, std::string_view name_space);
  Result<LogReader> read(const Context& context, const ReadLogRequest& request);
  // By name, those behind `after`; limit > 0.
  Result<NamespaceList> list_namespaces(const Context& context, std::string_view after, size_t limit);

  // What is written from now on belongs to another segment than what was written before. Where the last segment is
  // empty there is nothing to do. Returns the number of the last sealed segment, 0: there is none.
  Result<uint64_t> seal(const Context& context, std::string_view name_space);
  // Kept ones with numbers > after, ascending, at most limit.
  Result<std::vector<SealedSegment>> sealed_segments(const Context& context, std::string_view name_space,
                                                     uint64_t after, size_t limit);
  // When it returns, what the log holds is on disk, also where writes are acknowledged before they are: for what keeps
  // a copy of it, which must not know more than the store will after a power cut.
  Result<void> make_durable(const Context& context, std::string_view name_space);
  // Of what lies behind `from`; gone when not all of that is kept any more.
  Result<LogPin> pin(const Context& context, std::string_view name_space, LogPosition from);

  // One background pass over the namespaces that were written to, or over all: checkpoint, seal by age, retention.
  void run_pass(bool all);

  const LogCounters& counters() const { return shared_.counters; }
  // All logs together as the last passes left them; since the oldest one.
  LogTail::Kept kept() const;

 private:
  // How far back each namespace's log must be kept, and how far it is being dropped.
  struct Pins {
    std::mutex mutex;
    std::map<int64_t, std::multiset<uint64_t>> pinned;  // namespace -> first segments
    std::map<int64_t, uint64_t> first;                  // namespace -> segments below are gone, or are about to be
  };

  // Of the namespace that has this name now, advanced to what is committed.
  Result<std::shared_ptr<LogTail>> find_tail(const Context& context, std::string_view name_space);
  std::shared_ptr<LogTail> known_tail(std::string_view name_space) const;
  std::shared_ptr<LogTail> tail_of(const std::string& name, const records::Namespace& space);
  void forget_tail(const LogTail& tail);
  Result<uint64_t> segment_behind(const Context& context, const LogTail& tail, LogPosition position) const;

  Result<void> pass(LogTail& tail);
  records::LogCheckpoint checkpoint_at(const LogEnd& end) const;
  Result<void> write_checkpoint(LogTail& tail, const LogEnd& end);
  Result<void> drop_segments(LogTail& tail, const LogEnd& end);
  size_t choose_first(const std::vector<records::LogSegment>& segments, const LogEnd& end) const;
  std::vector<std::shared_ptr<LogTail>> tails_to_pass(bool all);
  void loop();

  LogShared shared_;
  Bytes store_id_;
  mutable std::mutex tails_mutex_;
  std::unordered_map<std::string, std::shared_ptr<LogTail>> tails_;
  const std::shared_ptr<Pins> pins_;

  std::mutex stop_mutex_;
  std::condition_variable stop_changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace strata::service
