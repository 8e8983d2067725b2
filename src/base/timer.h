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

// Between the pages of something long, on a thread that serves others too: whoever waits for it goes first. Its client
// may read as fast as it writes and would else keep the thread to itself.
inline Result<void> give_way() { return sleep_us(1).get(); }

}  // namespace strata
