// How a command that failed tells of it: a line for the reader, a number for the script.
//
// Purpose:       the same words and exits for every command.
// Ownership:     values.
// Thread safety: pure functions, but for the line.
// Invariants:    the caller's mistakes are usage, what is wrong in the data is damage, all else failed.
#pragma once

#include "app/command_line.h"
#include "base/error.h"

namespace strata::app {

Exit exit_of(ErrorCode code);

// Prints what was wrong, and returns the exit.
Exit say(const Error& error, Exit exit);
Exit say(const Error& error);

}  // namespace strata::app
