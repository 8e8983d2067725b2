#include "base/metrics.h"

#include <gtest/gtest.h>

#include <thread>

namespace strata {
namespace {

TEST(Metrics, CountersRenderWithHelpTypeAndLabels) {
  MetricsRegistry registry;
  registry.counter("strata_requests_total", "Requests", {{"operation", "getKv"}, {"status", "200"}}).add(3);
  registry.counter("strata_requests_total", "Requests", {{"operation", "putKv"}, {"status", "200"}}).add();
  EXPECT_EQ(registry.render(),
            "# HELP strata_requests_total Requests\n"
            "# TYPE strata_requests_total counter\n"
            "strata_requests_total{operation=\"getKv\",status=\"200\"} 3\n"
            "strata_requests_total{operation=\"putKv\",status=\"200\"} 1\n");
}

TEST(Metrics, SameNameAndLabelsAreTheSameSeries) {
  MetricsRegistry registry;
  Counter& first = registry.counter("strata_things_total", "Things", {{"kind", "a"}});
  EXPECT_EQ(&first, &registry.counter("strata_things_total", "Things", {{"kind", "a"}}));
  EXPECT_NE(&first, &registry.counter("strata_things_total", "Things", {{"kind", "b"}}));
}

TEST(Metrics, LabelValuesAndHelpAreEscaped) {
  MetricsRegistry registry;
  registry.gauge("strata_odd", "line\nbreak \\ \"quote\"", [] { return 1.5; }, {{"name", "a\"b\\c\nd"}});
  EXPECT_EQ(registry.render(),
            "# HELP strata_odd line\\nbreak \\\\ \"quote\"\n"
            "# TYPE strata_odd gauge\n"
            "strata_odd{name=\"a\\\"b\\\\c\\nd\"} 1.5\n");
}

TEST(Metrics, HistogramBucketsAreCumulativeAndBoundsInclusive) {
  MetricsRegistry registry;
  LatencyHistogram& histogram = registry.histogram("strata_seconds", "Time", {{"operation", "x"}});
  histogram.observe_us(50);          // in the first bucket: bounds are inclusive
  histogram.observe_us(51);          // in the second
  histogram.observe_us(60'000'000);  // beyond all
  const std::string text = registry.render();
  EXPECT_NE(text.find("strata_seconds_bucket{operation=\"x\",le=\"5e-05\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("strata_seconds_bucket{operation=\"x\",le=\"0.0001\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("strata_seconds_bucket{operation=\"x\",le=\"30\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("strata_seconds_bucket{operation=\"x\",le=\"+Inf\"} 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("strata_seconds_sum{operation=\"x\"} 60.000101\n"), std::string::npos) << text;
  EXPECT_NE(text.find("strata_seconds_count{operation=\"x\"} 3\n"), std::string::npos) << text;
}

TEST(Metrics, CountsFromManyThreadsAddUp) {
  MetricsRegistry registry;
  Counter& counter = registry.counter("strata_parallel_total", "Parallel");
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1'000; ++n) counter.add();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 12'000u);
}

TEST(Metrics, CollectorsWriteFamiliesOfTheirOwn) {
  MetricsRegistry registry;
  registry.collector([](MetricsWriter& writer) {
    writer.family("strata_level_bytes", MetricType::gauge, "Bytes of a level");
    writer.sample(10, {{"level", "0"}});
    writer.sample(1e18, {{"level", "1"}});
  });
  EXPECT_EQ(registry.render(),
            "# HELP strata_level_bytes Bytes of a level\n"
            "# TYPE strata_level_bytes gauge\n"
            "strata_level_bytes{level=\"0\"} 10\n"
            "strata_level_bytes{level=\"1\"} 1e+18\n");
}

TEST(Metrics, ProcessFiguresAreReal) {
  MetricsRegistry registry;
  register_process_metrics(registry);
  const std::string text = registry.render();
  const size_t at = text.find("\nprocess_resident_memory_bytes ");
  ASSERT_NE(at, std::string::npos);
  EXPECT_GT(std::stod(text.substr(at + 31)), 1e6);
}

}  // namespace
}  // namespace strata
