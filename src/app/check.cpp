#include "app/check.h"

#include <fmt/format.h>

#include <cstdio>

#include "engine/rocksdb/rocksdb_engine.h"

namespace strata::app {

Exit run_check(const CheckCommand& command) {
  const std::string directory = database_directory(command.database);
  const Result<kv::RocksdbReport> report = kv::RocksdbEngine::verify(directory);
  if (!report.ok()) {
    const bool damaged = report.error().code() == ErrorCode::corruption;
    fmt::print(stderr, "strata: {}: {}{}\n", directory, damaged ? "damaged: " : "", report.error().message());
    return damaged ? Exit::damaged : Exit::database;
  }
  fmt::print("{}: sound; format {}, version {}, {} files of {} bytes, about {} keys\n", directory, report->format,
             report->version, report->files, report->file_bytes, report->keys);
  return Exit::ok;
}

}  // namespace strata::app
