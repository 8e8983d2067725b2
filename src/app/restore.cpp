#include "app/restore.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "app/exit.h"
#include "engine/rocksdb/rocksdb_engine.h"
#include "kv/database.h"

namespace strata::app {
namespace {

void print_report(const RestoreCommand& command, const service::RestoreReport& report) {
  fmt::print(
      "{} {} from {} file{}: {} values, {} rows, {} objects of {} bytes, {} log records; state of {}:{}, record {}\n",
      command.dry_run ? "sound, nothing was changed:" : "restored", command.request.name_space, report.files,
      report.files == 1 ? "" : "s", report.values, report.rows, report.objects, report.object_bytes, report.records,
      report.segment, report.offset, report.lsn);
}

}  // namespace

Exit run_restore(const RestoreCommand& command) {
  if (command.dry_run) {
    const auto checked = service::check_restore(command.request);
    if (!checked.ok()) return say(checked.error());
    print_report(command, *checked);
    return Exit::ok;
  }
  const std::string directory = database_directory(command.database);
  kv::RocksdbOptions options;
  options.directory = directory;
  auto engine = kv::RocksdbEngine::open(std::move(options));
  if (!engine.ok()) {
    const bool damaged = engine.error().code() == ErrorCode::corruption;
    fmt::print(stderr, "strata: cannot open the data directory {}: {}\n", directory, engine.error().message());
    return damaged ? Exit::damaged : Exit::database;
  }
  const kv::Database database(*engine);
  const auto restored = service::restore(database, command.request);
  if (!restored.ok()) return say(restored.error());
  print_report(command, *restored);
  return Exit::ok;
}

}  // namespace strata::app
