// The examples' database: in memory, so that they leave nothing behind. A server's store opens with
// RocksdbEngine::open({.directory = "strata-data"}) instead; nothing else changes.
#pragma once

#include <cstdio>
#include <memory>

#include "engine/memory/memory_engine.h"
#include "kv/database.h"

namespace example {

inline strata::kv::Database open_database() {
  return strata::kv::Database(std::make_shared<strata::kv::MemoryEngine>());
}

inline void print(const char* label, strata::BytesView text) {
  std::printf("%s%.*s\n", label, static_cast<int>(text.size()), text.data());
}

// An example has nobody to return an error to: it says what went wrong and ends.
template <class T>
T must(strata::Result<T> result) {
  if (result.ok()) return std::move(result).value();
  std::fprintf(stderr, "error: %s\n", std::string(result.error().message()).c_str());
  std::exit(1);
}
inline void must(const strata::Result<void>& result) {
  if (result.ok()) return;
  std::fprintf(stderr, "error: %s\n", std::string(result.error().message()).c_str());
  std::exit(1);
}

}  // namespace example
