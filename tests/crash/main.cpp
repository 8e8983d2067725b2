// crash_verify DIRECTORY: opens a store as a server does, recovery included, and runs check_log on `default`: after a
// server has started on it and stopped in order, so that nothing staged may be left.

#include <fmt/format.h>

#include <cstdio>

#include "engine/rocksdb/rocksdb_engine.h"
#include "log_check.h"

namespace {

using namespace strata;

Result<std::string> verify(const char* directory) {
  kv::RocksdbOptions options;
  options.directory = directory;
  ASSIGN_OR_RETURN(auto engine, kv::RocksdbEngine::open(std::move(options)));
  return check_log(kv::Database(engine), "default", Staged::is_cleared);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: crash_verify DIRECTORY\n");
    return 2;
  }
  const Result<std::string> verified = verify(argv[1]);
  if (!verified.ok()) {
    fmt::print(stderr, "crash_verify: {}\n", verified.error().message());
    return 1;
  }
  fmt::print("{}\n", *verified);
  return 0;
}
