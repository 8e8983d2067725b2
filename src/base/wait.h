// How a thread or a coroutine waits: decided here and nowhere else.
//
// Purpose:       Future::get() suspends the request that calls it where the caller runs as a coroutine, and blocks the
//                thread where it does not; no layer's signature carries the difference.
// Ownership:     the suspender belongs to whoever runs the coroutine (the HTTP server's session).
// Thread safety: the current suspender is a property of the thread; resume may be called from any thread.
// Invariants:    a suspender is current only while its coroutine runs. Whoever resumes a coroutine sets it, whoever
//                suspends one restores what was there before.
#pragma once

#include <functional>

namespace strata {

class Suspender {
 public:
  virtual ~Suspender() = default;
  // Calls arm(resume) once, then returns after resume() was called. resume may be called from any thread, also from
  // inside arm, exactly once.
  virtual void suspend_until(const std::function<void(std::function<void()> resume)>& arm) = 0;
};

// The suspender of the coroutine that runs on this thread; nullptr on a plain thread.
Suspender* current_suspender();
// Returns the one that was current.
Suspender* set_current_suspender(Suspender* suspender);

}  // namespace strata
