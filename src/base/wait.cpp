#include "base/wait.h"

namespace strata {
namespace {
thread_local Suspender* current = nullptr;
}  // namespace

// Not inline: a coroutine may resume on a stack whose compiler-cached thread-local address is another thread's.
[[gnu::noinline]] Suspender* current_suspender() { return current; }

[[gnu::noinline]] Suspender* set_current_suspender(Suspender* suspender) {
  Suspender* before = current;
  current = suspender;
  return before;
}

}  // namespace strata
