#include "conformance/engines.h"

#include "base/assert.h"
#include "engine/memory/memory_engine.h"

namespace strata::kv {

std::vector<EngineKind> engine_kinds() { return {EngineKind::memory, EngineKind::memory_later}; }

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

OpenEngine open_engine(EngineKind kind) {
  MemoryEngineOptions options;
  if (kind == EngineKind::memory_later) options.answers = MemoryAnswers::on_thread;
  return {nullptr, std::make_shared<MemoryEngine>(options)};
}

}  // namespace strata::kv
