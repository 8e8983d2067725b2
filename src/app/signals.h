// Signals that end the program.
//
// Purpose:       SIGTERM and SIGINT become a value that a thread waits for; no code runs in a handler.
// Thread safety: block_termination_signals before the first thread is started, so that all inherit the mask.
// Invariants:    the first signal asks for a graceful end, the second ends the process at once.
#pragma once

#include <functional>

#include "app/command_line.h"

namespace strata::app {

// Also ignores SIGPIPE: a client that went away is an error of a write.
void block_termination_signals();
// The signal's number.
int wait_for_termination_signal();
// From now on a signal N ends the process with 128 + N.
void end_at_once_on_next_signal();
// The next signal calls `function` with its number, on a thread that nobody waits for; the one after it ends the
// process with 128 + N.
void on_termination_signal(std::function<void(int)> function);
// 128 + N.
Exit exit_of_signal(int signal);

}  // namespace strata::app
