#include "app/engine_metrics.h"

namespace strata::app {
namespace {

struct Row {
  std::string_view name;
  MetricType type;
  std::string_view help;
  double (*value)(const kv::RocksdbStats&);
};

template <auto member>
double as_is(const kv::RocksdbStats& stats) {
  return static_cast<double>(stats.*member);
}

using Stats = kv::RocksdbStats;
constexpr auto counter = MetricType::counter;
constexpr auto gauge = MetricType::gauge;

constexpr Row rows[] = {
    {"strata_engine_commits_total", counter, "Transactions committed", as_is<&Stats::commits>},
    {"strata_engine_batches_total", counter, "Batches that commits were written in", as_is<&Stats::batches>},
    {"strata_engine_conflicts_total", counter, "Transactions refused for a conflict", as_is<&Stats::conflicts>},
    {"strata_engine_too_old_total", counter, "Transactions refused for an old read version", as_is<&Stats::too_old>},
    {"strata_engine_syncs_total", counter, "Syncs of the write-ahead log", as_is<&Stats::syncs>},
    {"strata_engine_sync_seconds_total", counter, "Time spent in those syncs",
     [](const Stats& stats) { return static_cast<double>(stats.sync_us_sum) / 1e6; }},
    {"strata_engine_log_bytes_total", counter, "Bytes written to the write-ahead log", as_is<&Stats::log_bytes>},
    {"strata_engine_value_bytes_total", counter, "Bytes written to files of large values", as_is<&Stats::value_bytes>},
    {"strata_engine_value_syncs_total", counter, "Syncs of files of large values", as_is<&Stats::value_syncs>},
    {"strata_engine_last_batch_commits", gauge, "Commits of the last batch", as_is<&Stats::last_batch_commits>},
    {"strata_engine_waiting_commits", gauge, "Commits that wait for a batch", as_is<&Stats::waiting_commits>},
    {"strata_engine_block_cache_bytes", gauge, "Blocks in the cache", as_is<&Stats::block_cache_bytes>},
    {"strata_engine_memtable_bytes", gauge, "Writes not yet in table files", as_is<&Stats::memtable_bytes>},
    {"strata_engine_conflict_history_bytes", gauge, "Write ranges kept to find conflicts",
     as_is<&Stats::conflict_history_bytes>},
    {"strata_engine_snapshots", gauge, "Versions held for readers", as_is<&Stats::snapshots>},
    {"strata_engine_watches", gauge, "Watches set", as_is<&Stats::watches>},
    {"strata_engine_writes_stopped", gauge, "1 after a failed write or sync: nothing is written until a restart",
     [](const Stats& stats) { return stats.stopped.empty() ? 0.0 : 1.0; }},
};

}  // namespace

void register_engine_metrics(MetricsRegistry& registry, std::shared_ptr<kv::RocksdbEngine> engine) {
  registry.collector([engine = std::move(engine)](MetricsWriter& writer) {
    const kv::RocksdbStats stats = engine->stats();
    for (const Row& row : rows) {
      writer.family(row.name, row.type, row.help);
      writer.sample(row.value(stats));
    }
  });
}

}  // namespace strata::app
