// Metrics: counters, gauges and histograms, and their text for Prometheus.
//
// Purpose:       the server's own figures, and those that others register (engine statistics, memory).
// Ownership:     the registry owns every series; the references it returns live as long as it does. Callbacks must
//                outlive it or be there until the process ends.
// Thread safety: all of it, from any thread. Counting is one relaxed addition to a cell that few threads share.
// Invariants:    names start with "strata_" or "process_" and match [a-z_][a-z0-9_]*; a name has one type and one help
//                text; the same name and labels return the same series.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata {

// 8 cells of a cache line each: two I/O threads counting in one cell cost 20-60 ns an addition, apart 1 ns.
inline constexpr size_t metric_cells = 8;
size_t metric_cell_of_this_thread();

class Counter {
 public:
  void add(uint64_t count = 1) {
    cells_[metric_cell_of_this_thread()].value.fetch_add(count, std::memory_order_relaxed);
  }
  uint64_t value() const;

 private:
  struct alignas(64) Cell {
    std::atomic<uint64_t> value{0};
  };
  std::array<Cell, metric_cells> cells_;
};

// Of durations. Buckets from 50 us to 30 s.
class LatencyHistogram {
 public:
  static constexpr std::array<int64_t, 18> bounds_us = {
      50,     100,     250,     500,     1'000,     2'500,     5'000,     10'000,     25'000,
      50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000};
  void observe_us(int64_t duration_us);

  struct Snapshot {
    std::array<uint64_t, bounds_us.size() + 1> buckets{};  // not cumulative; the last is what exceeds all bounds
    uint64_t count = 0;
    uint64_t sum_us = 0;
  };
  Snapshot snapshot() const;

 private:
  struct alignas(64) Cell {
    std::array<std::atomic<uint64_t>, bounds_us.size() + 1> buckets{};
    std::atomic<uint64_t> sum_us{0};
  };
  std::array<Cell, metric_cells> cells_;
};

struct MetricLabel {
  std::string_view name;
  std::string_view value;
};
using MetricLabels = std::initializer_list<MetricLabel>;

enum class MetricType : uint8_t { counter, gauge, histogram };

// What a collector writes to: samples whose names or number are known only when asked.
class MetricsWriter {
 public:
  // Begins a family; sample() calls follow. Once a name.
  void family(std::string_view name, MetricType type, std::string_view help);
  void sample(double value, MetricLabels labels = {});

 private:
  friend class MetricsRegistry;
  std::string name_;
  std::string out_;
};

class MetricsRegistry {
 public:
  MetricsRegistry() = default;
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;

  Counter& counter(std::string_view name, std::string_view help, MetricLabels labels = {});
  LatencyHistogram& histogram(std::string_view name, std::string_view help, MetricLabels labels = {});
  // Asked at every scrape.
  void gauge(std::string_view name, std::string_view help, std::function<double()> value, MetricLabels labels = {});
  // A counter that somebody else keeps.
  void counter_callback(std::string_view name, std::string_view help, std::function<double()> value,
                        MetricLabels labels = {});
  void collector(std::function<void(MetricsWriter&)> collect);

  // Text exposition format 0.0.4, families in order of name, collectors' behind them.
  std::string render() const;

 private:
  struct Series {
    std::string labels;  // escaped, without braces
    std::unique_ptr<Counter> counter;
    std::unique_ptr<LatencyHistogram> histogram;
    std::function<double()> callback;
  };
  struct Family {
    MetricType type;
    std::string help;
    std::vector<std::unique_ptr<Series>> series;
  };
  // With mutex_ held.
  Series& series(std::string_view name, MetricType type, std::string_view help, MetricLabels labels);

  mutable std::mutex mutex_;
  std::map<std::string, Family, std::less<>> families_;
  std::vector<std::function<void(MetricsWriter&)>> collectors_;
};

// process_resident_memory_bytes, process_cpu_seconds_total, process_open_fds, process_start_time_seconds.
void register_process_metrics(MetricsRegistry& registry);

}  // namespace strata
