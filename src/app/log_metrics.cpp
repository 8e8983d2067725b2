#include "app/log_metrics.h"

namespace strata::app {

void register_log_metrics(MetricsRegistry& registry, const service::Log& log) {
  const service::LogCounters& counters = log.counters();
  const auto add = [&](std::string_view name, std::string_view help, const Counter& counter) {
    registry.counter_callback(name, help, [&counter] { return static_cast<double>(counter.value()); });
  };
  add("strata_log_records_total", "Records that the logs have got", counters.records);
  add("strata_log_record_bytes_total", "Their bytes, as encoded", counters.record_bytes);
  add("strata_log_records_read_total", "Records of logs that readers took", counters.records_read);
  add("strata_log_segments_opened_total", "Segments of logs that the last one was full for", counters.segments_opened);
  add("strata_log_segments_dropped_total", "Segments of logs that are no longer kept", counters.segments_dropped);
  add("strata_log_passes_total", "Background passes over a log", counters.passes);
  add("strata_log_failed_passes_total", "Background passes over a log that failed", counters.failed_passes);
  registry.gauge("strata_log_readers", "Readers of logs",
                 [&counters] { return static_cast<double>(counters.readers.load(std::memory_order_relaxed)); });
  registry.gauge("strata_log_kept_bytes", "What the logs keep, large objects included",
                 [&log] { return static_cast<double>(log.kept().weight); });
  registry.gauge("strata_log_oldest_kept_seconds", "Age of the oldest segment that is kept; 0: there is none", [&log] {
    const int64_t since_us = log.kept().since_us;
    return since_us == 0 ? 0.0 : static_cast<double>(system_clock().wall_us() - since_us) / 1e6;
  });
}

}  // namespace strata::app
