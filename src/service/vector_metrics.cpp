// What of Vectors tells Prometheus.
#include "base/metrics.h"
#include "service/vector_collections.h"

namespace strata::service {
namespace {

struct Totals {
  double pending = 0;
  double deferred = 0;
  double commits = 0;
  double operations = 0;
  double blocked_us = 0;
  double searches = 0;
  double index_bytes = 0;
  double row_file_bytes = 0;
  double log_bytes = 0;
};

Totals totals_of(const VectorCollections& collections) {
  Totals totals;
  for (const auto& collection : collections.all()) {
    const auto readiness = collection->readiness();
    if (!readiness || !readiness->ok()) continue;
    const VectorView& view = collection->view();
    totals.pending += static_cast<double>(view.pending());
    totals.deferred += static_cast<double>(view.deferred_count());
    totals.commits += static_cast<double>(collection->writer().counters().commits);
    totals.operations += static_cast<double>(collection->writer().counters().operations);
    totals.blocked_us += static_cast<double>(collection->writer().counters().blocked_us);
    totals.searches += static_cast<double>(collection->reads);
    totals.index_bytes += static_cast<double>(view.memory_bytes());
    totals.row_file_bytes += static_cast<double>(view.index_memory().file_row_bytes);
    const Bytes begin = vectors::entity_prefix(collection->row().prefix, vectors::VectorEntity::log);
    const auto log = collections.database().engine().estimated_bytes(begin, *prefix_end(begin)).get();
    if (log.ok()) totals.log_bytes += static_cast<double>(*log);
  }
  return totals;
}

}  // namespace

void Vectors::register_metrics(MetricsRegistry& registry) {
  registry.gauge("strata_vector_collections", "Collections of vectors.",
                 [this] { return static_cast<double>(collection_count()); });
  registry.gauge("strata_vectors", "Vectors in all collections.",
                 [this] { return static_cast<double>(vector_count()); });
  registry.gauge("strata_vector_long_searches", "Searches that run on threads of their own.",
                 [this] { return static_cast<double>(long_searches_.running); });
  registry.collector([this](MetricsWriter& writer) {
    const Totals totals = totals_of(*collections_);
    const auto write = [&](std::string_view name, MetricType type, std::string_view help, double value) {
      writer.family(name, type, help);
      writer.sample(value);
    };
    write("strata_vectors_pending", MetricType::gauge, "Vectors that are committed and not in their graph yet.",
          totals.pending);
    write("strata_vectors_deferred", MetricType::gauge, "Vectors that wait for optimize.", totals.deferred);
    write("strata_vector_commits_total", MetricType::counter, "Transactions that wrote vectors.", totals.commits);
    write("strata_vector_writes_total", MetricType::counter, "Vectors written, changed or removed.", totals.operations);
    write("strata_vector_reads_total", MetricType::counter, "Searches and reads of vectors.", totals.searches);
    write("strata_vector_writers_blocked_seconds_total", MetricType::counter, "Time that writers waited for others.",
          totals.blocked_us / 1e6);
    write("strata_vector_index_memory_bytes", MetricType::gauge, "Memory of graphs, codes and metadata indexes.",
          totals.index_bytes);
    write("strata_vector_row_file_bytes", MetricType::gauge,
          "Rows of float32 in files, of which the page cache holds what it likes.", totals.row_file_bytes);
    write("strata_vector_log_bytes", MetricType::gauge, "Of the logs of all collections.", totals.log_bytes);
  });
}

}  // namespace strata::service
