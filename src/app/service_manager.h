// What systemd (Type=notify) is told about the program's state.
//
// Purpose:       units that need the server start when it serves, not when it was forked. One datagram a state, as
//                sd_notify(3) describes; libsystemd would be a dependency for twenty lines.
// Thread safety: one thread.
// Invariants:    without NOTIFY_SOCKET in the environment nothing happens; a failure to tell is not an error.
#pragma once

#include <string_view>

namespace strata::app {

// "READY=1", "STOPPING=1".
void tell_service_manager(std::string_view state);

}  // namespace strata::app
