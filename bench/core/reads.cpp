// Reads of cached rows, one thread: single keys and whole ranges.
#include <fmt/format.h>

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

template <class Body>
double per_second(double seconds, uint64_t per_call, Body body) {
  const Stopwatch watch;
  uint64_t done = 0;
  while (watch.seconds() < seconds) {
    body();
    done += per_call;
  }
  return static_cast<double>(done) / watch.seconds();
}

std::shared_ptr<kv::RocksdbEngine> load_ours(const Settings& settings) {
  kv::RocksdbOptions options;
  options.directory = settings.directory / "ours-reads";
  {
    const kv::Database database(kv::RocksdbEngine::open(options).value());
    for (int begin = 0; begin < settings.rows; begin += 1'000) {
      kv::Transaction transaction = database.create_transaction();
      for (int i = begin; i < std::min(begin + 1'000, settings.rows); ++i) {
        transaction.set(row_key(static_cast<uint64_t>(i)), row_value(static_cast<uint64_t>(i)));
      }
      STRATA_ASSERT(transaction.commit().get().ok());
    }
  }
  // Opening writes the log's rows into a table.
  return kv::RocksdbEngine::open(options).value();
}

std::unique_ptr<rocksdb::DB> load_raw(const Settings& settings) {
  const std::string directory = (settings.directory / "raw-reads").string();
  {
    const auto db = open_raw_store(directory);
    for (int i = 0; i < settings.rows; ++i) {
      const auto number = static_cast<uint64_t>(i);
      STRATA_ASSERT(db->Put(rocksdb::WriteOptions(), row_key(number), row_value(number)).ok());
    }
  }
  return open_raw_store(directory);
}

}  // namespace

bool bench_reads(const Settings& settings) {
  const kv::Database database(load_ours(settings));
  const auto raw = load_raw(settings);
  const auto rows = static_cast<uint64_t>(settings.rows);
  Random own_random(1);
  Random raw_random(1);

  auto gets_of = [&](uint64_t gets) {
    return [&, gets] {
      return per_second(settings.seconds, gets, [&] {
        const kv::Transaction transaction = database.create_transaction();
        for (uint64_t i = 0; i < gets; ++i) {
          const auto value = transaction.get(row_key(own_random.below(rows))).get();
          STRATA_ASSERT(value.ok() && value->has_value());
        }
      });
    };
  };
  const Side raw_get{"RocksDB Get", [&] {
                       return per_second(settings.seconds, 1, [&] {
                         std::string value;
                         const auto key = row_key(raw_random.below(rows));
                         STRATA_ASSERT(raw->Get(rocksdb::ReadOptions(), key, &value).ok());
                       });
                     }};
  bool good = compare(fmt::format("Point reads, one thread, {} rows of 16 + {} bytes in the cache", rows, value_bytes),
                      {"kv::Transaction, 100 gets each", gets_of(100)}, {raw_get}, settings.rounds, 0.85);
  // A transaction of its own for each get: for the record, without a target.
  compare("Point reads, a transaction each", {"kv::Transaction, 1 get each", gets_of(1)}, {raw_get}, settings.rounds,
          0);

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
      const std::unique_ptr<rocksdb::Iterator> found(raw->NewIterator(rocksdb::ReadOptions()));
      uint64_t seen = 0;
      uint64_t bytes = 0;
      for (found->SeekToFirst(); found->Valid(); found->Next()) {
        ++seen;
        bytes += found->key().size() + found->value().size();
      }
      STRATA_ASSERT(seen == rows && bytes == rows * (16 + value_bytes));
    });
  };
  good = compare(fmt::format("Range scans, one thread, all {} rows", rows),
                 {"kv::Transaction, RangeIterator, want_all", scan_ours}, {{"RocksDB Iterator", scan_raw}},
                 settings.rounds, 0.75) &&
         good;
  return good;
}

}  // namespace strata::bench
