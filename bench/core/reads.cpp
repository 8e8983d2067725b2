// Reads of cached rows, one thread: single keys and whole ranges.
#include <fmt/format.h>

#include <algorithm>

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

Bytes row_value(uint64_t number) {
  Random random(number);
  Bytes value;
  while (value.size() < value_bytes) append_be64(value, random.next());
  value.resize(value_bytes);
  return value;
}

// A second of this thread's CPU time: everything is cached and nobody waits, and so a shared machine disturbs little.
template <class Body>
double per_second(double seconds, uint64_t per_call, Body body) {
  const double began = thread_cpu_seconds();
  uint64_t done = 0;
  double took = 0;
  while (took < seconds) {
    body();
    done += per_call;
    took = thread_cpu_seconds() - began;
  }
  return static_cast<double>(done) / took;
}

void load(const std::filesystem::path& directory, const Settings& settings) {
  kv::RocksdbOptions options;
  options.directory = directory;
  const kv::Database database(kv::RocksdbEngine::open(options).value());
  for (int begin = 0; begin < settings.rows; begin += 1'000) {
    kv::Transaction transaction = database.create_transaction();
    for (int i = begin; i < std::min(begin + 1'000, settings.rows); ++i) {
      transaction.set(row_key(static_cast<uint64_t>(i)), row_value(static_cast<uint64_t>(i)));
    }
    STRATA_ASSERT(transaction.commit().get().ok());
  }
}

std::shared_ptr<kv::RocksdbEngine> open_engine(const std::filesystem::path& directory) {
  kv::RocksdbOptions options;
  options.directory = directory;
  return kv::RocksdbEngine::open(options).value();
}

}  // namespace

bool bench_reads(const Settings& settings) {
  const auto directory = settings.directory / "reads";
  load(directory, settings);
  // Opening writes the log's rows into a table: the peer gets the same one, and one row in its memtable as well.
  open_engine(directory).reset();
  std::filesystem::copy(directory, settings.directory / "raw-reads");
  const kv::Database database(open_engine(directory));
  const auto raw = open_raw_store((settings.directory / "raw-reads").string());
  STRATA_ASSERT(raw->Put(rocksdb::WriteOptions(), "\xff\xff/", "").ok());
  const auto rows = static_cast<uint64_t>(settings.rows);
  Random own_random(1);
  Random raw_random(1);

  auto gets_of = [&](int gets) {
    return [&, gets] {
      return per_second(settings.seconds, 100, [&] {
        for (int i = 0; i < 100; i += gets) {
          const kv::Transaction transaction = database.create_transaction();
          for (int j = 0; j < gets; ++j) {
            const auto value = transaction.get(row_key(own_random.below(rows))).get();
            STRATA_ASSERT(value.ok() && value->has_value());
          }
        }
      });
    };
  };
  const Side raw_get{"RocksDB Get", [&] {
                       return per_second(settings.seconds, 100, [&] {
                         for (int i = 0; i < 100; ++i) {
                           std::string value;
                           const auto key = row_key(raw_random.below(rows));
                           STRATA_ASSERT(raw->Get(rocksdb::ReadOptions(), key, &value).ok());
                         }
                       });
                     }};
  bool good =
      compare(fmt::format("Point reads per second of CPU time, one thread, {} rows of 16 + {} bytes in the cache", rows,
                          value_bytes),
              {"kv::Transaction, 100 gets each", gets_of(100)}, {raw_get}, settings.rounds, 0.85);
  // A transaction of its own for each get: for the record, without a target.
  compare("Point reads per second of CPU time, a transaction each", {"kv::Transaction, 1 get each", gets_of(1)},
          {raw_get}, settings.rounds, 0);

  auto scan_ours = [&] {
    return per_second(settings.seconds, rows, [&] {
      const kv::Transaction transaction = database.create_transaction();
      uint64_t seen = 0;
      uint64_t bytes = 0;
      kv::RangeIterator found(transaction, "", "\xff", {.mode = kv::StreamingMode::want_all});
      while (found.next()) {
        ++seen;
        bytes += found.key().size() + found.value().size();
      }
      STRATA_ASSERT(found.status().ok() && seen == rows && bytes == rows * (16 + value_bytes));
    });
  };
  auto scan_raw = [&] {
    return per_second(settings.seconds, rows, [&] {
      rocksdb::ReadOptions read;
      const rocksdb::Slice end("\xff");
      read.iterate_upper_bound = &end;
      const std::unique_ptr<rocksdb::Iterator> found(raw->NewIterator(read));
      uint64_t seen = 0;
      uint64_t bytes = 0;
      for (found->SeekToFirst(); found->Valid(); found->Next()) {
        ++seen;
        bytes += found->key().size() + found->value().size();
      }
      STRATA_ASSERT(seen == rows && bytes == rows * (16 + value_bytes));
    });
  };
  good = compare(fmt::format("Rows scanned per second of CPU time, one thread, all {} rows", rows),
                 {"kv::Transaction, RangeIterator, want_all", scan_ours}, {{"RocksDB Iterator", scan_raw}},
                 settings.rounds, 0.75) &&
         good;
  return good;
}

}  // namespace strata::bench
