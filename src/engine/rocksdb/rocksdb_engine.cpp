#include "engine/rocksdb/rocksdb_engine.h"

#include <algorithm>

#include "engine/rocksdb/committer.h"
#include "engine/rocksdb/estimates.h"
#include "engine/rocksdb/value_collector.h"

namespace strata::kv {
namespace {

// A page without limits ends here: a caller that wants all asks again.
constexpr size_t most_page_bytes = 4u << 20;
constexpr size_t row_overhead_bytes = 8;
// So many rows tell how many there will be on a full page, or one, where few are asked for: growing step by step would
// copy each byte once more.
constexpr size_t rows_before_reserving = 16;

Result<RangePage> read_range(rocksdb::DB& db, const ValueFiles& values, const rocksdb::Snapshot* snapshot,
                             const RangeRequest& request) {
  RangePage page;
  const BytesView end = std::min(request.end, user_keys_end);
  if (request.begin >= end) return page;
  rocksdb::ReadOptions read;
  read.snapshot = snapshot;
  read.fill_cache = !request.one_pass;
  const rocksdb::Slice lower = to_slice(request.begin);
  const rocksdb::Slice upper = to_slice(end);
  // Only where the walk goes: each bound costs a comparison a row.
  (request.reverse ? read.iterate_lower_bound : read.iterate_upper_bound) = request.reverse ? &lower : &upper;
  const std::unique_ptr<rocksdb::Iterator> iterator(db.NewIterator(read));
  if (request.reverse) {
    iterator->SeekForPrev(upper);
    if (iterator->Valid() && iterator->key() == upper) iterator->Prev();
  } else {
    iterator->Seek(lower);
  }
  const size_t limit_bytes =
      request.limit_bytes == 0 ? most_page_bytes : std::min(request.limit_bytes, most_page_bytes);
  const size_t limit_rows = request.limit_rows == 0 ? SIZE_MAX : request.limit_rows;
  size_t bytes = 0;
  Bytes whole;
  while (iterator->Valid()) {
    const BytesView key = to_view(iterator->key());
    BytesView value = to_view(iterator->value());
    if (is_reference(value)) {
      whole.clear();
      RETURN_IF_ERROR(values.append_value(value, whole));
      value = whole;
    }
    page.rows.append(key, value);
    bytes += key.size() + value.size() + row_overhead_bytes;
    const size_t read_rows = page.rows.size();
    if (read_rows == rows_before_reserving || (read_rows == 1 && limit_rows <= rows_before_reserving)) {
      const size_t rows = std::min(limit_rows, (limit_bytes / bytes + 1) * read_rows);
      page.rows.reserve(rows, std::min(limit_bytes, rows * bytes / read_rows) + bytes);
    }
    if (page.rows.size() >= limit_rows || bytes >= limit_bytes) {
      page.more = true;
      return page;
    }
    if (request.reverse) {
      iterator->Prev();
    } else {
      iterator->Next();
    }
  }
  if (!iterator->status().ok()) return to_error(iterator->status());
  return page;
}

}  // namespace

RocksdbOptions bulk_load_options(std::filesystem::path directory) {
  RocksdbOptions options;
  options.directory = std::move(directory);
  options.write_buffer_bytes = 128u << 20;
  options.bulk_load = true;
  return options;
}

// In the order in which they depend on each other; destroyed the other way round.
struct RocksdbEngine::Parts {
  explicit Parts(RocksdbOptions engine_options, Store opened)
      : options(std::move(engine_options)),
        store(std::move(opened)),
        views(*store.db, *options.clock, options.limits.read_lifetime_ms),
        watches(options.limits.watches),
        reclaimer(*store.db, options.reclaim_delay_ms),
        committer(store, views, watches, reclaimer, options),
        writer(*store.values, committer, options),
        collector(store, committer, writer, options) {
    reclaimer.start(collector);
  }
  ~Parts() { reclaimer.stop(); }

  const RocksdbOptions options;
  Store store;
  ReadViews views;
  Watches watches;
  SpaceReclaimer reclaimer;
  Committer committer;
  ValueWriter writer;
  ValueCollector collector;
};

RocksdbEngine::RocksdbEngine(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
RocksdbEngine::~RocksdbEngine() = default;

Result<std::shared_ptr<RocksdbEngine>> RocksdbEngine::open(RocksdbOptions options) {
  ASSIGN_OR_RETURN(Store store, open_store(options));
  auto parts = std::make_unique<Parts>(std::move(options), std::move(store));
  return std::shared_ptr<RocksdbEngine>(new RocksdbEngine(std::move(parts)));
}

Result<RocksdbReport> RocksdbEngine::verify(const std::filesystem::path& directory, rocksdb::Env* env) {
  return verify_store(directory, env);
}

Result<void> RocksdbEngine::health() const { return parts_->committer.health(); }

Result<void> RocksdbEngine::sync() { return parts_->committer.sync().get(); }

RocksdbStats RocksdbEngine::stats() const {
  RocksdbStats stats;
  parts_->committer.add_stats(stats);
  stats.waiting_commits += parts_->writer.waiting();
  const LogCounters& log = parts_->store.file_system->counters();
  stats.syncs = log.syncs.load();
  stats.log_bytes = log.bytes.load();
  stats.sync_us_sum = log.sync_us_sum.load();
  stats.value_bytes = parts_->store.values->counters().bytes.load();
  stats.value_syncs = parts_->store.values->counters().syncs.load();
  static_assert(RocksdbStats::sync_buckets == LogCounters::sync_buckets);
  for (int i = 0; i < RocksdbStats::sync_buckets; ++i) stats.sync_us_bucket[i] = log.sync_us_bucket[i].load();
  parts_->store.db->GetIntProperty(rocksdb::DB::Properties::kBlockCacheUsage, &stats.block_cache_bytes);
  parts_->store.db->GetIntProperty(rocksdb::DB::Properties::kSizeAllMemTables, &stats.memtable_bytes);
  stats.snapshots = parts_->views.snapshots();
  stats.watches = parts_->watches.size();
  return stats;
}

const Limits& RocksdbEngine::limits() const { return parts_->options.limits; }

Future<Version> RocksdbEngine::read_version() { return parts_->views.hand_out(); }

Future<std::optional<Bytes>> RocksdbEngine::get(BytesView key, Version version) {
  Result<ReadViews::Pin> pin = parts_->views.pin(version);
  if (!pin.ok()) return std::move(pin).error();
  if (key >= user_keys_end) return std::optional<Bytes>();
  rocksdb::ReadOptions read;
  read.snapshot = pin->snapshot();
  rocksdb::DB& db = *parts_->store.db;
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = db.Get(read, db.DefaultColumnFamily(), to_slice(key), &value);
  if (status.ok()) {
    Bytes whole;
    RETURN_IF_ERROR(parts_->store.values->append_value(to_view(value), whole));
    return std::optional<Bytes>(std::move(whole));
  }
  if (status.IsNotFound()) return std::optional<Bytes>();
  return to_error(status);
}

Future<RangePage> RocksdbEngine::range(const RangeRequest& request) {
  Result<ReadViews::Pin> pin = parts_->views.pin(request.version);
  if (!pin.ok()) return std::move(pin).error();
  return read_range(*parts_->store.db, *parts_->store.values, pin->snapshot(), request);
}

Future<Committed> RocksdbEngine::commit(CommitRequest request) { return parts_->writer.commit(std::move(request)); }

Future<void> RocksdbEngine::watch(BytesView key, std::optional<Bytes> value, Version version) {
  Future<void> future = parts_->watches.add(key, std::move(value));
  // Registered first: what is published from now on finds the watch, what was published before is seen here.
  const Version newest = parts_->views.hand_out();
  if (newest <= version) return future;
  const Result<std::optional<Bytes>> now = get(key, newest).get();
  if (now.ok()) parts_->watches.settle(key, *now);
  return future;
}

Future<int64_t> RocksdbEngine::estimated_bytes(BytesView begin, BytesView end) {
  const Result<ReadViews::Pin> pin = parts_->views.pin(parts_->views.hand_out());
  if (!pin.ok()) return pin.error();
  return estimate_bytes(*parts_->store.db, pin->snapshot(), begin, std::min(end, user_keys_end));
}

Future<std::vector<Bytes>> RocksdbEngine::split_points(BytesView begin, BytesView end, int64_t chunk_bytes) {
  const Result<ReadViews::Pin> pin = parts_->views.pin(parts_->views.hand_out());
  if (!pin.ok()) return pin.error();
  return find_split_points(*parts_->store.db, pin->snapshot(), begin, std::min(end, user_keys_end), chunk_bytes);
}

}  // namespace strata::kv
