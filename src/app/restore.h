// `strata restore`: a namespace from backup files, into a data directory that no server has open.
#pragma once

#include "app/command_line.h"

namespace strata::app {

Exit run_restore(const RestoreCommand& command);

}  // namespace strata::app
