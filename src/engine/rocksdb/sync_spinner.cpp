#include "engine/rocksdb/sync_spinner.h"

#include <pthread.h>
#include <sched.h>

#include <chrono>

namespace strata::kv {
namespace {

// After a sync the next one often follows at once: waking a thread costs more than this.
constexpr auto linger = std::chrono::microseconds(100);

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void SpinPolicy::took(int64_t us) {
  if (!spinning_) {
    if (left_ > 0) --left_;
    if (left_ > 0 || us < slow_us) return;
    spinning_ = true;
    trial_ = true;
    left_ = trial_syncs;
    faster_ = 0;
    without_us_ = us;
    return;
  }
  if (trial_ && us * 2 < without_us_) ++faster_;
  if (--left_ > 0) return;
  if (trial_ && faster_ > trial_syncs / 2) {
    trial_ = false;
    left_ = good_syncs;
    return;
  }
  spinning_ = false;
  left_ = trial_ ? useless_syncs : 0;
}

SyncSpinner::SyncSpinner() : thread_([this] { run(); }) {}

SyncSpinner::~SyncSpinner() {
  state_.store(stopped);
  state_.notify_all();
  thread_.join();
}

void SyncSpinner::begin() {
  if (!policy_.should_spin()) return;
  state_.store(spinning, std::memory_order_relaxed);
  state_.notify_one();
}

void SyncSpinner::end(int64_t took_us) {
  state_.store(parked, std::memory_order_relaxed);
  policy_.took(took_us);
}

void SyncSpinner::run() {
  // Runs only where nobody else wants to. Where the kernel refuses, spinning would be at others' cost.
  sched_param none{};
  if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &none) != 0) return;
  for (;;) {
    state_.wait(parked);
    auto last = std::chrono::steady_clock::now();
    for (;;) {
      const int state = state_.load(std::memory_order_relaxed);
      if (state == stopped) return;
      const auto now = std::chrono::steady_clock::now();
      if (state == spinning) last = now;
      if (now - last > linger) break;
      relax();
    }
  }
}

}  // namespace strata::kv
