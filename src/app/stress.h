// `strata stress`: load on a running server, told while it runs and at its end.
#pragma once

#include "app/command_line.h"

namespace strata::app {

// SIGINT and SIGTERM end it ahead of its time; what was done until then is told.
Exit run_stress(const StressCommand& command);

}  // namespace strata::app
