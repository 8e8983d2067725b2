// What the parts of the log service share: options, counters, the database.
//
// Ownership:     borrows database and signal.
// Thread safety: any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"
#include "base/metrics.h"
#include "kv/database.h"
#include "service/log_signal.h"

namespace strata::service {

struct LogOptions {
  Clock* clock = &system_clock();
  // That of the writers; the log's own commits are as durable.
  kv::Durability durability = kv::Durability::sync;
  // Of segments that begin from now on.
  uint64_t segment_bytes = 16u << 20;
  // The oldest segments go while the log weighs more than this, and when all they hold is older than that.
  uint64_t retention_bytes = uint64_t{1} << 30;
  int64_t retention_age_us = int64_t{7} * 24 * 3'600 * 1'000'000;
  // Between background passes, in which readers also look for what other processes wrote. 0: no pass but run_pass().
  int64_t pass_interval_us = 1'000'000;
};

struct LogCounters {
  // That the end of a log was moved over.
  Counter records;
  Counter record_bytes;
  Counter records_read;
  Counter segments_opened;
  Counter segments_dropped;
  Counter passes;
  Counter failed_passes;
  std::atomic<int64_t> readers{0};  // now
};

struct LogShared {
  const kv::Database& database;
  LogSignal& signal;
  const LogOptions options;
  LogCounters counters;
};

}  // namespace strata::service
