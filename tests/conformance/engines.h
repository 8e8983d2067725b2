// The engines that the suites run against.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kv/engine.h"

namespace strata::kv {

// memory_later answers every call from another thread, in an order of its own: the ways of a remote engine.
enum class EngineKind { memory, memory_later, rocksdb };

std::vector<EngineKind> engine_kinds();
std::string name_of(EngineKind kind);

// Removes what the engine left on disk when it goes.
struct OpenEngine {
  std::shared_ptr<void> directory;  // first: it goes last
  std::shared_ptr<Engine> engine;
};
OpenEngine open_engine(EngineKind kind);

}  // namespace strata::kv
