// Clock: the only source of time.
//
// Purpose:       time is a seam: tests and simulations set it, the server reads the machine's.
// Thread safety: any thread.
// Invariants:    steady_us never goes back; wall_us may jump.
#pragma once

#include <atomic>
#include <cstdint>

namespace strata {

class Clock {
 public:
  virtual ~Clock() = default;
  // Microseconds since an arbitrary start; for time-outs and durations.
  virtual int64_t steady_us() const = 0;
  // Microseconds since 1970-01-01 UTC; for what people read.
  virtual int64_t wall_us() const = 0;
};

// The machine's clock. One instance for the process.
Clock& system_clock();

// A clock that moves when it is told to.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t start_us = 1'700'000'000'000'000) : now_us_(start_us) {}
  int64_t steady_us() const override { return now_us_.load(); }
  int64_t wall_us() const override { return now_us_.load(); }
  void advance_us(int64_t by_us) { now_us_ += by_us; }

 private:
  std::atomic<int64_t> now_us_;
};

}  // namespace strata
