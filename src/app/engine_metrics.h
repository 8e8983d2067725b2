// The engine's statistics as metrics.
//
// Ownership:     the registry keeps the engine alive.
// Thread safety: once, before the server starts.
#pragma once

#include <memory>

#include "base/metrics.h"
#include "engine/rocksdb/rocksdb_engine.h"

namespace strata::app {

void register_engine_metrics(MetricsRegistry& registry, std::shared_ptr<kv::RocksdbEngine> engine);

}  // namespace strata::app
