// Stress: many clients that write and read files of a running server, and what they saw.
//
// Purpose:       `strata stress`. Requests go over HTTP as anybody's do.
// Ownership:     the caller's options are copied.
// Thread safety: run_stress from any thread; it returns when its own threads have ended.
// Invariants:    each worker has one connection and one request under way. What is read was put before the time began.
//                Memory does not grow with the number of requests.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "service/long_jobs.h"

namespace strata::service {

enum class StressOperation : uint8_t { write, read, mixed };

struct StressOptions {
  // http://host[:port] or https://...
  std::string target;
  // Sent as a bearer token where not empty.
  std::string api_key;
  size_t concurrency = 10;
  int64_t duration_ms = 10'000;
  StressOperation operation = StressOperation::mixed;
  size_t file_bytes = 1'024;
  // Below it everything is put; begins with a slash and ends with none, empty is the root.
  std::string path_prefix = "/stress-test";
};

// Latencies, each within 1/32 of what it was.
class LatencyHistogram {
 public:
  void add(int64_t us);
  void add(const LatencyHistogram& other);
  uint64_t count() const { return count_; }
  int64_t max_us() const { return max_us_; }
  // 0 < fraction <= 1; at most max_us(), 0 where there is none.
  int64_t percentile_us(double fraction) const;

 private:
  static constexpr size_t steps = 32;  // in an octave
  std::array<uint64_t, steps * 40> counts_{};
  uint64_t count_ = 0;
  int64_t max_us_ = 0;
};

struct StressResult {
  uint64_t reads = 0;
  uint64_t writes = 0;
  uint64_t errors = 0;
  // Of the files that were written and read.
  uint64_t bytes = 0;
  int64_t elapsed_us = 0;
  LatencyHistogram latencies;
  // What the last error was.
  std::string last_error;
};

struct StressProgress {
  int64_t elapsed_us = 0;
  uint64_t operations = 0;
  uint64_t errors = 0;
};

// on_progress: about twice a second, on the calling thread. stop: the requests under way are dropped, and the result is
// of those that ended before. unavailable and others: the files to read could not be put.
Result<StressResult> run_stress(const StressOptions& options,
                                const std::function<void(const StressProgress&)>& on_progress, const StopFlag& stop);

}  // namespace strata::service
