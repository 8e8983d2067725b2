#include "base/metrics.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/assert.h"
#include "base/clock.h"

namespace strata {
namespace {

bool valid_name(std::string_view name) {
  if (!name.starts_with("strata_") && !name.starts_with("process_")) return false;
  return std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out.push_back(c);
    }
  }
}

std::string render_labels(MetricLabels labels) {
  std::string out;
  for (const MetricLabel& label : labels) {
    if (!out.empty()) out.push_back(',');
    out.append(label.name);
    out += "=\"";
    append_escaped(out, label.value, true);
    out.push_back('"');
  }
  return out;
}

void append_head(std::string& out, std::string_view name, MetricType type, std::string_view help) {
  static constexpr std::string_view type_names[] = {"counter", "gauge", "histogram"};
  out.append("# HELP ").append(name).push_back(' ');
  append_escaped(out, help, false);
  out.append("\n# TYPE ").append(name).push_back(' ');
  out.append(type_names[static_cast<size_t>(type)]).push_back('\n');
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else if (value == std::floor(value) && std::abs(value) < 9.0e15) {
    fmt::format_to(std::back_inserter(out), "{}", static_cast<int64_t>(value));
  } else {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
}

void append_sample(std::string& out, std::string_view name, std::string_view labels, double value) {
  out.append(name);
  if (!labels.empty()) out.append("{").append(labels).append("}");
  out.push_back(' ');
  append_number(out, value);
  out.push_back('\n');
}

void append_histogram(std::string& out, std::string_view name, std::string_view labels,
                      const LatencyHistogram::Snapshot& snapshot) {
  const std::string_view comma = labels.empty() ? "" : ",";
  uint64_t cumulative = 0;
  for (size_t i = 0; i < LatencyHistogram::bounds_us.size(); ++i) {
    cumulative += snapshot.buckets[i];
    fmt::format_to(std::back_inserter(out), "{}_bucket{{{}{}le=\"{}\"}} {}\n", name, labels, comma,
                   static_cast<double>(LatencyHistogram::bounds_us[i]) / 1e6, cumulative);
  }
  fmt::format_to(std::back_inserter(out), "{}_bucket{{{}{}le=\"+Inf\"}} {}\n", name, labels, comma, snapshot.count);
  append_sample(out, std::string(name) + "_sum", labels, static_cast<double>(snapshot.sum_us) / 1e6);
  append_sample(out, std::string(name) + "_count", labels, static_cast<double>(snapshot.count));
}

double resident_bytes() {
  // statm: total and resident pages.
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (!file) return 0;
  unsigned long total = 0;
  unsigned long resident = 0;
  const int read = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return read == 2 ? static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) : 0;
}

double open_files() {
  DIR* directory = opendir("/proc/self/fd");
  if (!directory) return 0;
  int count = -3;  // ".", ".." and the one being read
  while (readdir(directory)) ++count;
  closedir(directory);
  return count;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

size_t metric_cell_of_this_thread() {
  static std::atomic<size_t> next{0};
  thread_local const size_t cell = next.fetch_add(1, std::memory_order_relaxed) % metric_cells;
  return cell;
}

uint64_t Counter::value() const {
  uint64_t sum = 0;
  for (const Cell& cell : cells_) sum += cell.value.load(std::memory_order_relaxed);
  return sum;
}

void LatencyHistogram::observe_us(int64_t duration_us) {
  size_t bucket = 0;
  while (bucket < bounds_us.size() && duration_us > bounds_us[bucket]) ++bucket;
  Cell& cell = cells_[metric_cell_of_this_thread()];
  cell.buckets[bucket].fetch_add(1, std::memory_order_relaxed);
  cell.sum_us.fetch_add(static_cast<uint64_t>(std::max<int64_t>(duration_us, 0)), std::memory_order_relaxed);
}

LatencyHistogram::Snapshot LatencyHistogram::snapshot() const {
  Snapshot snapshot;
  for (const Cell& cell : cells_) {
    for (size_t i = 0; i < snapshot.buckets.size(); ++i) {
      const uint64_t count = cell.buckets[i].load(std::memory_order_relaxed);
      snapshot.buckets[i] += count;
      snapshot.count += count;
    }
    snapshot.sum_us += cell.sum_us.load(std::memory_order_relaxed);
  }
  return snapshot;
}

void MetricsWriter::family(std::string_view name, MetricType type, std::string_view help) {
  STRATA_ASSERT(valid_name(name) && type != MetricType::histogram);
  name_ = name;
  append_head(out_, name, type, help);
}

void MetricsWriter::sample(double value, MetricLabels labels) {
  append_sample(out_, name_, render_labels(labels), value);
}

MetricsRegistry::Series& MetricsRegistry::series(std::string_view name, MetricType type, std::string_view help,
                                                 MetricLabels labels) {
  STRATA_ASSERT(valid_name(name));
  auto found = families_.find(name);
  if (found == families_.end()) {
    found = families_.try_emplace(std::string(name)).first;
    found->second.type = type;
    found->second.help = help;
  }
  Family& family = found->second;
  STRATA_ASSERT(family.type == type && family.help == help);
  std::string rendered = render_labels(labels);
  for (auto& existing : family.series) {
    if (existing->labels == rendered) return *existing;
  }
  family.series.push_back(std::make_unique<Series>());
  family.series.back()->labels = std::move(rendered);
  return *family.series.back();
}

Counter& MetricsRegistry::counter(std::string_view name, std::string_view help, MetricLabels labels) {
  std::lock_guard lock(mutex_);
  Series& found = series(name, MetricType::counter, help, labels);
  if (!found.counter) found.counter = std::make_unique<Counter>();
  return *found.counter;
}

LatencyHistogram& MetricsRegistry::histogram(std::string_view name, std::string_view help, MetricLabels labels) {
  std::lock_guard lock(mutex_);
  Series& found = series(name, MetricType::histogram, help, labels);
  if (!found.histogram) found.histogram = std::make_unique<LatencyHistogram>();
  return *found.histogram;
}

void MetricsRegistry::gauge(std::string_view name, std::string_view help, std::function<double()> value,
                            MetricLabels labels) {
  std::lock_guard lock(mutex_);
  series(name, MetricType::gauge, help, labels).callback = std::move(value);
}

void MetricsRegistry::counter_callback(std::string_view name, std::string_view help, std::function<double()> value,
                                       MetricLabels labels) {
  std::lock_guard lock(mutex_);
  series(name, MetricType::counter, help, labels).callback = std::move(value);
}

void MetricsRegistry::collector(std::function<void(MetricsWriter&)> collect) {
  std::lock_guard lock(mutex_);
  collectors_.push_back(std::move(collect));
}

std::string MetricsRegistry::render() const {
  MetricsWriter writer;
  std::lock_guard lock(mutex_);
  for (const auto& [name, family] : families_) {
    append_head(writer.out_, name, family.type, family.help);
    for (const auto& series : family.series) {
      if (series->histogram) {
        append_histogram(writer.out_, name, series->labels, series->histogram->snapshot());
      } else {
        const double value = series->counter ? static_cast<double>(series->counter->value()) : series->callback();
        append_sample(writer.out_, name, series->labels, value);
      }
    }
  }
  for (const auto& collect : collectors_) collect(writer);
  return std::move(writer.out_);
}

void register_process_metrics(MetricsRegistry& registry) {
  registry.gauge("process_resident_memory_bytes", "Resident memory", resident_bytes);
  registry.gauge("process_open_fds", "Open file descriptors", open_files);
  registry.counter_callback("process_cpu_seconds_total", "User and system CPU time", cpu_seconds);
  const double started = static_cast<double>(system_clock().wall_us()) / 1e6;
  registry.gauge("process_start_time_seconds", "When the server registered its metrics, seconds since 1970",
                 [started] { return started; });
}

}  // namespace strata
