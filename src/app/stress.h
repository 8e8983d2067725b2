// `strata stress`: load on a running server, told while it runs and at its end.
#pragma once

#include "app/command_line.h"

namespace strata::app {

Exit run_stress(const StressCommand& command);

}  // namespace strata::app
