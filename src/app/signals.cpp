#include "app/signals.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>
#include <utility>

#include "base/assert.h"

namespace strata::app {
namespace {

sigset_t termination_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

void block_termination_signals() {
  const sigset_t signals = termination_signals();
  STRATA_ASSERT(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  STRATA_ASSERT(sigaction(SIGPIPE, &ignore, nullptr) == 0);
}

int wait_for_termination_signal() {
  const sigset_t signals = termination_signals();
  int signal = 0;
  const int error = sigwait(&signals, &signal);
  STRATA_ASSERT(error == 0);
  return signal;
}

Exit exit_of_signal(int signal) { return static_cast<Exit>(128 + signal); }

void end_at_once_on_next_signal() { on_termination_signal({}); }

void on_termination_signal(std::function<void(int)> function) {
  std::thread([function = std::move(function)] {
    if (function) function(wait_for_termination_signal());
    _exit(static_cast<int>(exit_of_signal(wait_for_termination_signal())));
  }).detach();
}

}  // namespace strata::app
