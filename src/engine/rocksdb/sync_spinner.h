// SyncSpinner: keeps a core awake while a sync is outstanding, where that helps.
//
// Purpose:       on some machines (virtual ones above all) a thread that waits for the disk is woken with the next
//                timer tick only, 4 ms later, unless a core is busy. A thread of the lowest scheduling class that spins
//                meanwhile brings a lone sync from 3.9 ms to 0.1 ms there, and takes no time from anybody else.
// Ownership:     owns its thread, which sleeps when there are no syncs.
// Thread safety: begin and end: one thread at a time.
// Invariants:    spins only where the policy saw that it pays: not on disks that are slow by themselves, not where
//                syncs are fast anyway.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace strata::kv {

// When to spin. Every sync is one sample.
class SpinPolicy {
 public:
  bool should_spin() const { return spinning_; }
  // How long the sync took for which should_spin was asked.
  void took(int64_t us);

 private:
  static constexpr int64_t slow_us = 1'000;
  static constexpr int trial_syncs = 8;
  static constexpr int good_syncs = 256;       // with spinning, until one without it is tried again
  static constexpr int useless_syncs = 1'024;  // without, after spinning did not help

  bool spinning_ = false;
  bool trial_ = false;
  int left_ = 0;  // of the trial, or until the next change
  int faster_ = 0;
  int64_t without_us_ = 0;
};

class SyncSpinner {
 public:
  SyncSpinner();
  ~SyncSpinner();
  SyncSpinner(const SyncSpinner&) = delete;
  SyncSpinner& operator=(const SyncSpinner&) = delete;

  void begin();
  void end(int64_t took_us);

 private:
  enum State : int { parked, spinning, stopped };
  void run();

  SpinPolicy policy_;
  std::atomic<int> state_{parked};
  std::thread thread_;
};

}  // namespace strata::kv
