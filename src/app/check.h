// `strata check`: verifies a data directory.
#pragma once

#include "app/command_line.h"

namespace strata::app {

Exit run_check(const CheckCommand& command);

}  // namespace strata::app
