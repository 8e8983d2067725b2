// bench_records: what the log of a namespace costs its writers, and how fast its readers are, in process.
//
// cost:   puts of 100 bytes, each on disk before the next, by 64 coroutines on 2 threads as in the server: as they are,
//         and without the record of the log and the passes that look at it. Requests over HTTP cost more around both,
//         so that the log weighs less there.
// reader: records a second that a reader gets, as they are stored and as the lines of GET /log.
#include "service/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <string>

#include "base/assert.h"
#include "base/coroutine_thread.h"
#include "base/random.h"
#include "core/harness.h"
#include "engine/rocksdb/rocksdb_engine.h"
#include "faces/rest/log_json.h"
#include "kv/database.h"
#include "layers/records/apply.h"
#include "layers/records/namespaces.h"
#include "service/run.h"

namespace strata::bench {
namespace {

using records::Operation;
using records::OperationType;

constexpr size_t value_bytes = 100;
constexpr int io_threads = 2;
constexpr uint64_t keys = 100'000;

// One server's store.
struct Store {
  explicit Store(const std::filesystem::path& directory) {
    kv::RocksdbOptions options;
    options.directory = directory;
    engine = kv::RocksdbEngine::open(options).value();
    database = std::make_unique<kv::Database>(engine);
    STRATA_ASSERT(
        database->run([](kv::Transaction& transaction) { return records::ensure_namespace(transaction, "default", 1); })
            .ok());
  }

  void put(std::span<const Operation> operations, bool with_log, kv::Durability durability) const {
    const auto written = service::run_transaction(
        *database, {}, system_clock(), durability, [&](kv::Transaction& transaction) -> Result<void> {
          ASSIGN_OR_RETURN(const auto space, service::namespace_or_error(transaction, "default"));
          if (!with_log) return records::apply_unlogged(transaction, space, operations);
          return records::apply(transaction, space, operations, system_clock().wall_us());
        });
    STRATA_ASSERT(written.ok());
  }

  std::shared_ptr<kv::RocksdbEngine> engine;
  std::unique_ptr<kv::Database> database;
};

// Puts by settings.clients at once, and what they cost together.
struct Writers {
  Writers(const Settings& its_settings, const Store& its_store, bool its_log)
      : settings(its_settings), store(its_store), with_log(its_log), log(*its_store.database, signal, {}) {
    if (with_log) STRATA_ASSERT(log.open().ok());
  }

  double run() {
    std::atomic<bool> stop = false;
    std::atomic<uint64_t> done = 0;
    const double cpu_before = cpu_seconds();
    const uint64_t syncs_before = store.engine->stats().syncs;
    const Stopwatch watch;
    {
      CoroutineThread threads[io_threads];
      for (int i = 0; i < settings.clients; ++i) {
        threads[i % io_threads].start([this, i, &stop, &done] {
          Random random(static_cast<uint64_t>(i) + 1);
          const Bytes value(value_bytes, 'v');
          uint64_t puts = 0;
          for (; !stop.load(std::memory_order_relaxed); ++puts) {
            const std::string key = fmt::format("key:{:012}", random.below(keys));
            const Operation operation{.type = OperationType::put_value, .key = key, .value = value};
            store.put(std::span(&operation, 1), with_log, kv::Durability::sync);
            if (with_log) signal.notify(1);
          }
          done += puts;
        });
      }
      std::this_thread::sleep_for(std::chrono::duration<double>(settings.seconds));
      stop = true;
    }
    const auto puts = static_cast<double>(done.load());
    total += puts;
    cpu += cpu_seconds() - cpu_before;
    syncs += static_cast<double>(store.engine->stats().syncs - syncs_before);
    return puts / watch.seconds();
  }
  std::string note() const {
    return fmt::format("{:.1f} syncs per 1,000 commits, {:.1f} us CPU each", 1'000 * syncs / total, 1e6 * cpu / total);
  }

  const Settings& settings;
  const Store& store;
  const bool with_log;
  service::LogSignal signal;
  service::Log log;  // its passes, each second
  double total = 0;
  double syncs = 0;
  double cpu = 0;
};

bool bench_cost(const Settings& settings) {
  const Store logged(settings.directory / "logged");
  const Store unlogged(settings.directory / "unlogged");
  Writers with(settings, logged, true);
  Writers without(settings, unlogged, false);
  return compare(fmt::format("Durable puts of {} bytes, {} clients", value_bytes, settings.clients),
                 {"with the log", [&] { return with.run(); }, [&] { return with.note(); }},
                 {{"without", [&] { return without.run(); }, [&] { return without.note(); }}}, settings.rounds, 0.75);
}

class NoStream final : public rest::ResponseStream {
 public:
  Result<void> write(BytesView bytes) override {
    total += bytes.size();
    return {};
  }
  Result<void> flush() override { return {}; }
  uint64_t total = 0;
};

// From the first record to the last; use(entry) with each.
template <class Use>
double read_log(service::Log& log, Use use) {
  const Stopwatch watch;
  auto reader = log.read({}, {.name_space = "default", .after = std::nullopt, .log_id = {}}).value();
  uint64_t records = 0;
  for (;;) {
    const auto batch = reader.next({}).value();
    if (batch.entries.empty()) break;
    for (const service::LogEntry& entry : batch.entries) use(entry);
    records += batch.entries.size();
  }
  return static_cast<double>(records) / watch.seconds();
}

bool bench_reader(const Settings& settings) {
  const Store store(settings.directory / "read");
  const Bytes value(value_bytes, 'v');
  {
    CoroutineThread thread;
    for (int client = 0; client < settings.clients; ++client) {
      thread.start([&, client] {
        for (int i = client; i < settings.rows; i += settings.clients) {
          const std::string key = fmt::format("key:{:012}", i);
          const Operation operation{.type = OperationType::put_value, .key = key, .value = value};
          store.put(std::span(&operation, 1), true, kv::Durability::async);
        }
      });
    }
  }
  service::LogSignal signal;
  service::Log log(*store.database, signal, {.pass_interval_us = 0});
  STRATA_ASSERT(log.open().ok());
  uint64_t bytes = 0;
  NoStream stream;
  return compare(
      fmt::format("Readers of a log of {} records, values of {} bytes", settings.rows, value_bytes),
      {"lines of GET /log",
       [&] {
         rest::LogJson json(stream, false);
         return read_log(log, [&](const auto& entry) { STRATA_ASSERT(json.write(entry).ok()); });
       }},
      {{"records as stored", [&] { return read_log(log, [&](const auto& entry) { bytes += entry.bytes.size(); }); }}},
      settings.rounds, 0);
}

}  // namespace
}  // namespace strata::bench

int main(int argc, char** argv) {
  strata::bench::Settings settings;
  // Durable figures need a disk: the system's temporary directory may be memory.
  settings.directory = "/var/tmp";
  settings.rows = 500'000;
  std::string only;
  CLI::App app("What the log of a namespace costs, and how fast it is read, in process");
  app.add_option("--directory", settings.directory, "where the stores are made")->capture_default_str();
  app.add_option("--rounds", settings.rounds, "runs of each side")->capture_default_str();
  app.add_option("--seconds", settings.seconds, "of each run of puts")->capture_default_str();
  app.add_option("--clients", settings.clients, "that put at once")->capture_default_str();
  app.add_option("--rows", settings.rows, "records that are read")->capture_default_str();
  app.add_option("--only", only, "cost or reader");
  CLI11_PARSE(app, argc, argv);
  settings.directory /= "strata-bench-records-" + std::to_string(getpid());
  std::filesystem::create_directories(settings.directory);
  bool good = true;
  if (only.empty() || only == "cost") good = strata::bench::bench_cost(settings) && good;
  if (only.empty() || only == "reader") good = strata::bench::bench_reader(settings) && good;
  std::filesystem::remove_all(settings.directory);
  return good ? 0 : 1;
}
