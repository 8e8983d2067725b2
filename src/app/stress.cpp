#include "app/stress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>

#include "app/signals.h"

namespace strata::app {
namespace {

double seconds_of(int64_t us) { return static_cast<double>(us) / 1e6; }
double ms_of(int64_t us) { return static_cast<double>(us) / 1e3; }

std::string_view name_of(service::StressOperation operation) {
  switch (operation) {
    case service::StressOperation::write:
      return "write";
    case service::StressOperation::read:
      return "read";
    case service::StressOperation::mixed:
      break;
  }
  return "mixed";
}

// One line that is written over and over, where somebody watches.
class ProgressLine {
 public:
  void show(const service::StressProgress& progress, int64_t duration_ms) {
    if (!is_terminal_) return;
    fmt::print(stderr, "\r\033[K{:.0f}s of {:.0f}s: {} operations, {:.0f}/s, {} errors",
               seconds_of(progress.elapsed_us), static_cast<double>(duration_ms) / 1e3, progress.operations,
               static_cast<double>(progress.operations) / std::max(seconds_of(progress.elapsed_us), 1e-3),
               progress.errors);
    std::fflush(stderr);
    shown_ = true;
  }
  void clear() {
    if (shown_) fmt::print(stderr, "\r\033[K");
  }

 private:
  const bool is_terminal_ = isatty(STDERR_FILENO) == 1;
  bool shown_ = false;
};

void print_result(const StressCommand& command, const service::StressResult& result) {
  const uint64_t operations = result.reads + result.writes;
  const double seconds = std::max(seconds_of(result.elapsed_us), 1e-6);
  fmt::print("Stress test: {}, {} connections, files of {} bytes, {:.1f} s\n", name_of(command.options.operation),
             command.options.concurrency, command.options.file_bytes, seconds);
  fmt::print("Operations:   {} ({} reads, {} writes)\n", operations, result.reads, result.writes);
  fmt::print("Errors:       {}\n", result.errors);
  fmt::print("Operations/s: {:.1f}\n", static_cast<double>(operations) / seconds);
  fmt::print("MB/s:         {:.2f}\n", static_cast<double>(result.bytes) / 1e6 / seconds);
  fmt::print("Latency p50:  {:.2f} ms\n", ms_of(result.latencies.percentile_us(0.5)));
  fmt::print("Latency p90:  {:.2f} ms\n", ms_of(result.latencies.percentile_us(0.9)));
  fmt::print("Latency p99:  {:.2f} ms\n", ms_of(result.latencies.percentile_us(0.99)));
  fmt::print("Latency max:  {:.2f} ms\n", ms_of(result.latencies.max_us()));
}

}  // namespace

Exit run_stress(const StressCommand& command) {
  // Shared with a thread that may outlast this function.
  struct Interruption {
    service::StopFlag stop;
    std::atomic<int> signal{0};
  };
  const auto interruption = std::make_shared<Interruption>();
  block_termination_signals();
  on_termination_signal([interruption](int signal) {
    interruption->signal = signal;
    interruption->stop.set();
  });
  ProgressLine line;
  const auto on_progress = [&](const service::StressProgress& progress) {
    line.show(progress, command.options.duration_ms);
  };
  const auto result = service::run_stress(command.options, on_progress, interruption->stop);
  line.clear();
  if (!result.ok()) {
    fmt::print(stderr, "strata: {}\n", result.error().message());
    return Exit::failed;
  }
  print_result(command, *result);
  if (result->errors > 0) fmt::print(stderr, "strata: the last error was: {}\n", result->last_error);
  if (const int signal = interruption->signal; signal != 0) return exit_of_signal(signal);
  return result->errors == 0 ? Exit::ok : Exit::failed;
}

}  // namespace strata::app
