// What the tests of the log share: a store, its writer, and one or two servers' worth of log service over it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/memory/memory_engine.h"
#include "kv/database.h"
#include "service/log.h"
#include "service/records.h"

namespace strata::service {

class LogFixture : public testing::Test {
 protected:
  explicit LogFixture(std::shared_ptr<kv::Engine> engine = nullptr)
      : database_(
            engine ? std::move(engine) : std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{.clock = &clock_}),
            kv::DatabaseOptions{.clock = &clock_}),
        records_(database_, {.clock = &clock_, .durability = kv::Durability::engine_default, .signal = &signal_}) {
    EXPECT_TRUE(records_.open({}).ok());
    restart();
  }

  LogOptions options() {
    return {.clock = &clock_,
            .durability = kv::Durability::engine_default,
            .segment_bytes = segment_bytes_,
            .retention_bytes = retention_bytes_,
            .pass_interval_us = 0};
  }
  // Nothing that was in memory is left.
  void restart() {
    log_.reset();
    log_ = open_log();
  }
  std::unique_ptr<Log> open_log() {
    auto log = std::make_unique<Log>(database_, signal_, options());
    EXPECT_TRUE(log->open().ok());
    return log;
  }

  void put(BytesView key, BytesView value, std::string_view name = "default") {
    const Operation operation{.type = OperationType::put_value, .key = key, .value = value};
    const auto result = records_.write({}, {.name_space = name, .operations = std::span(&operation, 1)});
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message());
  }
  // Of a record that put() writes.
  static size_t record_bytes(BytesView key, BytesView value) {
    const Operation operation{.type = OperationType::put_value, .key = key, .value = value};
    return records::encode_log_record(0, std::span(&operation, 1)).size();
  }

  struct Seen {
    uint64_t lsn;
    LogPosition position;
    std::string key;
    Stamp stamp;
    friend bool operator==(const Seen&, const Seen&) = default;
  };
  static std::vector<Seen> drain(LogReader& reader, LogBatchLimits limits = {}) {
    std::vector<Seen> seen;
    for (;;) {
      auto batch = reader.next({}, limits);
      EXPECT_TRUE(batch.ok()) << (batch.ok() ? "" : batch.error().message());
      if (!batch.ok() || batch->entries.empty()) return seen;
      for (const LogEntry& entry : batch->entries) {
        const auto record = records::decode_log_record(entry.bytes);
        EXPECT_TRUE(record.ok());
        seen.push_back({entry.lsn, entry.position, Bytes(record->operations[0].key), entry.stamp});
      }
      EXPECT_EQ(reader.position(), seen.back().position);
    }
  }
  static std::vector<Seen> read_all(Log& log, std::optional<LogPosition> after = std::nullopt,
                                    LogBatchLimits limits = {}) {
    auto reader = log.read({}, {.name_space = "default", .after = after, .log_id = {}});
    EXPECT_TRUE(reader.ok()) << (reader.ok() ? "" : reader.error().message());
    return reader.ok() ? drain(*reader, limits) : std::vector<Seen>();
  }
  ErrorCode read_error(LogPosition after) {
    const auto reader = log_->read({}, {.name_space = "default", .after = after, .log_id = {}});
    return reader.ok() ? ErrorCode::already_exists : reader.error().code();
  }
  LogEnd end() {
    const auto status = log_->status({}, "default");
    EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().message());
    return status.ok() ? status->end : LogEnd();
  }

  ManualClock clock_;
  kv::Database database_;
  LogSignal signal_;
  Records records_;
  uint64_t segment_bytes_ = 1'000;
  uint64_t retention_bytes_ = uint64_t{1} << 30;
  std::unique_ptr<Log> log_;
};

}  // namespace strata::service
