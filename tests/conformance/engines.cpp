#include "conformance/engines.h"

#include <cstdlib>

#include "base/assert.h"
#include "engine/memory/memory_engine.h"
#include "engine/rocksdb/rocksdb_engine.h"

namespace strata::kv {

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "strata-test-XXXXXX").string();
  STRATA_ASSERT(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<EngineKind> engine_kinds() { return {EngineKind::memory, EngineKind::memory_later, EngineKind::rocksdb}; }

std::string name_of(EngineKind kind) {
  switch (kind) {
    case EngineKind::memory:
      return "memory";
    case EngineKind::memory_later:
      return "memory_later";
    case EngineKind::rocksdb:
      return "rocksdb";
  }
  return "";
}

OpenEngine open_engine(EngineKind kind, const EngineSettings& settings) {
  if (kind == EngineKind::rocksdb) {
    auto directory = std::make_shared<TemporaryDirectory>();
    RocksdbOptions options;
    options.directory = directory->path() / "store";
    options.clock = settings.clock;
    options.limits = settings.limits;
    // What is tested here does not depend on the disk, and a sync may take 4 ms.
    options.durability = Durability::async;
    Result<std::shared_ptr<RocksdbEngine>> engine = RocksdbEngine::open(options);
    STRATA_ASSERT(engine.ok());
    return {directory, *engine};
  }
  MemoryEngineOptions options;
  options.clock = settings.clock;
  options.limits = settings.limits;
  if (kind == EngineKind::memory_later) options.answers = MemoryAnswers::on_thread;
  return {nullptr, std::make_shared<MemoryEngine>(options)};
}

}  // namespace strata::kv
