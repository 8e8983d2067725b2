// The counters of the namespaces' logs as metrics.
//
// Ownership:     the log outlives the registry's last render.
// Thread safety: once, before the server starts.
#pragma once

#include "base/metrics.h"
#include "service/log.h"

namespace strata::app {

void register_log_metrics(MetricsRegistry& registry, const service::Log& log);

}  // namespace strata::app
