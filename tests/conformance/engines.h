// The engines that the suites run against.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kv/engine.h"

namespace strata::kv {

// memory_later answers every call from another thread, in an order of its own: the ways of a remote engine.
enum class EngineKind { memory, memory_later, rocksdb };

std::vector<EngineKind> engine_kinds();
std::string name_of(EngineKind kind);

// A directory of its own below the system's for temporary files, removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct EngineSettings {
  Clock* clock = &system_clock();
  Limits limits = {};
};

// Removes what the engine left on disk when it goes.
struct OpenEngine {
  std::shared_ptr<void> directory;  // first: it goes last
  std::shared_ptr<Engine> engine;
};
OpenEngine open_engine(EngineKind kind, const EngineSettings& settings = {});

}  // namespace strata::kv
