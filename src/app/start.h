// `strata start`: the parts put together, served, and taken apart again.
//
// Purpose:       the one place where engine, services and faces meet.
// Thread safety: the main thread, once, before it starts any other.
#pragma once

#include "app/command_line.h"

namespace strata::app {

// Returns when a signal ended the server, or when it could not start.
Exit run_start(const StartCommand& command);

}  // namespace strata::app
