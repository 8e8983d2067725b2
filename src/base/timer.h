// Waiting for time to pass, as a Future.
//
// Purpose:       back-off and deadlines without blocking the thread that waits.
// Ownership:     one timer thread for the process, started by the first use, stopped at exit.
// Thread safety: any thread.
// Invariants:    a future is fulfilled no earlier than asked, from the timer's thread.
#pragma once

#include <cstdint>

#include "base/future.h"

namespace strata {

// Ready after `delay_us`; at once when that is not positive.
Future<void> sleep_us(int64_t delay_us);

}  // namespace strata
