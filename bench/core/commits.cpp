// Durable commits of one small row each, from many threads at once.
#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/assert.h"
#include "base/random.h"
#include "core/harness.h"
#include "core/raw_store.h"
#include "engine/rocksdb/rocksdb_engine.h"
#include "kv/database.h"

namespace strata::bench {
namespace {

constexpr size_t value_bytes = 100;

std::string row_key(uint64_t number) { return fmt::format("{:016}", number); }

// Calls commit(random) from every client until the time is over; commits a second.
template <class Commit>
double run_clients(const Settings& settings, Commit commit) {
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> commits = 0;
  std::vector<std::thread> clients;
  const Stopwatch watch;
  for (int i = 0; i < settings.clients; ++i) {
    clients.emplace_back([&, i] {
      Random random(static_cast<uint64_t>(i) + 1);
      uint64_t done = 0;
      while (!stop.load(std::memory_order_relaxed)) {
        commit(random);
        ++done;
      }
      commits += done;
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(settings.seconds));
  stop = true;
  for (std::thread& client : clients) client.join();
  return static_cast<double>(commits.load()) / watch.seconds();
}

// Clients put their row into the open group; the first of a group writes it when the writer before it is done.
class GroupedWriter {
 public:
  explicit GroupedWriter(rocksdb::DB& db) : db_(db) {}

  void put(const std::string& key, const std::string& value) {
    Client client{&key, &value};
    std::unique_lock lock(mutex_);
    waiting_.push_back(&client);
    client.ready.wait(lock, [&] { return client.done || (!writing_ && waiting_.front() == &client); });
    if (client.done) return;
    writing_ = true;
    std::vector<Client*> group;
    group.swap(waiting_);
    lock.unlock();
    rocksdb::WriteBatch batch;
    for (const Client* member : group) batch.Put(*member->key, *member->value);
    rocksdb::WriteOptions write;
    write.sync = true;
    const rocksdb::Status status = db_.Write(write, &batch);
    STRATA_ASSERT(status.ok());
    lock.lock();
    writing_ = false;
    for (Client* member : group) {
      if (member == &client) continue;
      member->done = true;
      member->ready.notify_one();
    }
    ++groups;
    if (!waiting_.empty()) waiting_.front()->ready.notify_one();
  }

  uint64_t groups = 0;

 private:
  struct Client {
    const std::string* key;
    const std::string* value;
    bool done = false;
    std::condition_variable ready;
  };
  rocksdb::DB& db_;
  std::mutex mutex_;
  std::vector<Client*> waiting_;
  bool writing_ = false;
};

struct Counted {
  double commits = 0;
  double syncs = 0;
  double cpu = 0;
  std::string per_commit() const {
    return fmt::format("{:.1f} syncs per 1,000 commits, {:.1f} us CPU each", 1'000 * syncs / commits,
                       1e6 * cpu / commits);
  }
};

// Counts what `run` does beside what it returns.
template <class Run, class Syncs>
double counted(Counted& counts, const Settings& settings, Syncs syncs, Run run) {
  const double syncs_before = syncs();
  const double cpu_before = cpu_seconds();
  const Stopwatch watch;
  const double per_second = run(settings);
  counts.commits += per_second * watch.seconds();
  counts.syncs += syncs() - syncs_before;
  counts.cpu += cpu_seconds() - cpu_before;
  return per_second;
}

}  // namespace

bool bench_commits(const Settings& settings) {
  kv::RocksdbOptions options;
  options.directory = settings.directory / "ours";
  auto engine = kv::RocksdbEngine::open(options).value();
  const kv::Database database(engine);
  auto statistics = rocksdb::CreateDBStatistics();
  const auto grouped_store = open_raw_store((settings.directory / "grouped").string(), statistics);
  GroupedWriter writer(*grouped_store);
  auto plain_statistics = rocksdb::CreateDBStatistics();
  const auto plain_store = open_raw_store((settings.directory / "plain").string(), plain_statistics);
  const std::string value(value_bytes, 'v');

  Counted own;
  Counted grouped;
  Counted plain;
  const Side ours{"kv::Transaction, one put",
                  [&] {
                    return counted(
                        own, settings, [&] { return static_cast<double>(engine->stats().syncs); },
                        [&](const Settings& run) {
                          return run_clients(run, [&](Random& random) {
                            kv::Transaction transaction = database.create_transaction();
                            transaction.set(row_key(random.next() % 10'000'000), value);
                            STRATA_ASSERT(transaction.commit().get().ok());
                          });
                        });
                  },
                  [&] { return own.per_commit(); }};
  auto tickers = [](const auto& from) {
    return [&from] { return static_cast<double>(from->getTickerCount(rocksdb::WAL_FILE_SYNCED)); };
  };
  const Side group{"RocksDB, grouped by a leader of the bench",
                   [&] {
                     return counted(grouped, settings, tickers(statistics), [&](const Settings& run) {
                       return run_clients(
                           run, [&](Random& random) { writer.put(row_key(random.next() % 10'000'000), value); });
                     });
                   },
                   [&] { return grouped.per_commit(); }};
  const Side own_groups{"RocksDB, its own grouping",
                        [&] {
                          return counted(plain, settings, tickers(plain_statistics), [&](const Settings& run) {
                            return run_clients(run, [&](Random& random) {
                              rocksdb::WriteOptions write;
                              write.sync = true;
                              STRATA_ASSERT(plain_store->Put(write, row_key(random.next() % 10'000'000), value).ok());
                            });
                          });
                        },
                        [&] { return plain.per_commit(); }};
  const bool fast =
      compare(fmt::format("Durable commits (synced before the answer), {} threads, one row of 16 + {} bytes",
                          settings.clients, value_bytes),
              ours, {group, own_groups}, settings.rounds, 0.9);
  const double syncs = 1'000 * own.syncs / own.commits;
  const bool few = settings.clients < 64 || syncs <= 25;
  if (!few) fmt::print("  MISSED: {:.1f} syncs per 1,000 commits, target 25\n", syncs);
  return fast && few;
}

}  // namespace strata::bench
