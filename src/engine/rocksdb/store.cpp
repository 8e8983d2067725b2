#include "engine/rocksdb/store.h"

#include <fmt/format.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <thread>

#include "base/log.h"
#include "engine/rocksdb/hardware_crc32c.h"
#include "engine/rocksdb/manifest_note.h"
#include "engine/rocksdb/value_usage.h"

namespace strata::kv {
namespace {

// A restart leaves a gap in the versions that exceeds whatever an unsynced log could have held: 100 ms are 100,000.
constexpr Version restart_gap = 100'000'000;

// What RocksDB warns of, among our own log's lines. Its LOG file would be one more file that can fail, and with a
// packaged RocksDB, which has assertions, a failed write of LOG (a full disk) ends the process at the next one.
class StoreLogger final : public rocksdb::Logger {
 public:
  StoreLogger() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < GetInfoLogLevel() || level >= rocksdb::InfoLogLevel::HEADER_LEVEL) return;
    char text[1'024];
    const int length = vsnprintf(text, sizeof text, format, arguments);
    if (length < 0) return;
    std::string_view message(text, std::min(static_cast<size_t>(length), sizeof text - 1));
    while (message.ends_with('\n')) message.remove_suffix(1);
    const auto has = [&](std::string_view part) { return message.find(part) != std::string_view::npos; };
    if (has(".log: dropping ") || has("immutable memtables (waiting for flush)")) {
      // What is written ahead of a log, after every crash (log_file_system.h); what comes in faster than the disk takes
      // it, and waits so that memory stays bounded.
      log::debug("rocksdb", {{"message", message}});
    } else if (level == rocksdb::InfoLogLevel::WARN_LEVEL) {
      log::warning("rocksdb", {{"message", message}});
    } else {
      log::error("rocksdb", {{"message", message}});
    }
  }
};

rocksdb::BlockBasedTableOptions table_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 8 << 10;
  table.format_version = 5;
  // A hash of each block's keys: 13 % less time for a get, 1.2 % more space.
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  // Packaged builds compute CRC32C in software: XXH3 is several times faster there.
  table.checksum = rocksdb::kXXH3;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // Counted as cache, and always there: looking them up in the cache for every read took 0.7 of 3.0 us. They are about
  // 1.6 % of rows of 116 bytes.
  table.cache_index_and_filter_blocks = true;
  table.metadata_cache_options.unpartitioned_pinning = rocksdb::PinningTier::kAll;
  return table;
}

// To whoever serves the store afterwards, unless there is very much.
void leave_compactions(rocksdb::Options& database) {
  database.level0_file_num_compaction_trigger = 16;
  database.level0_slowdown_writes_trigger = 32;
  database.level0_stop_writes_trigger = 48;
  database.max_bytes_for_level_base = 16 * database.write_buffer_size;
}

rocksdb::Options database_options(const RocksdbOptions& options, rocksdb::Env* env,
                                  const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::Options database;
  database.env = env;
  database.create_if_missing = true;
  database.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // A failed write is final (rocksdb_engine.h): no attempts to carry on behind our back.
  database.max_bgerror_resume_count = 0;
  database.write_buffer_size = options.write_buffer_bytes;
  // One that is written to and two on their way to the disk.
  database.max_write_buffer_number = 3;
  // A get looks into every memtable first, and most keys are in none: 0.3 MB of Bloom filter for one of 64 MiB.
  database.memtable_prefix_bloom_size_ratio = 0.005;
  database.memtable_whole_key_filtering = true;
  // One thread writes.
  database.allow_concurrent_memtable_write = false;
  database.max_background_jobs = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 2u, 8u));
  database.bytes_per_sync = 1 << 20;
  database.level_compaction_dynamic_level_bytes = true;
  using rocksdb::CompressionType;
  database.compression_per_level = {CompressionType::kNoCompression,  CompressionType::kNoCompression,
                                    CompressionType::kLZ4Compression, CompressionType::kLZ4Compression,
                                    CompressionType::kLZ4Compression, CompressionType::kLZ4Compression,
                                    CompressionType::kLZ4Compression};
  database.bottommost_compression = CompressionType::kZSTD;
  database.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(cache)));
  // Queues leave tombstones that every scan must step over: a file in which 256 of 1,024 entries in a row are
  // tombstones is compacted soon.
  if (!options.bulk_load) {
    database.table_properties_collector_factories.push_back(rocksdb::NewCompactOnDeletionCollectorFactory(1024, 256));
  }
  database.table_properties_collector_factories.push_back(value_usage_collector());
  if (options.bulk_load) leave_compactions(database);
  database.info_log = std::make_shared<StoreLogger>();
  database.stats_dump_period_sec = 0;
  database.stats_persist_period_sec = 0;
  return database;
}

Result<Version> stored_version(rocksdb::DB& db) {
  std::string value;
  const rocksdb::Status status = db.Get({}, to_slice(version_key), &value);
  if (status.IsNotFound()) return Version{0};
  if (!status.ok()) return to_error(status);
  if (value.size() != 8) return Error(ErrorCode::corruption, "the stored version is not 8 bytes long");
  return static_cast<Version>(read_be64(value));
}

Error open_error(const rocksdb::Status& status, const std::filesystem::path& directory) {
  const std::string text = status.ToString();
  // What fcntl says of another process, and RocksDB of this one.
  const bool is_held = text.find("Resource temporarily unavailable") != std::string::npos ||
                       text.find("lock hold by current process") != std::string::npos;
  if (status.IsIOError() && is_held && text.find("LOCK") != std::string::npos) {
    return {ErrorCode::unavailable, fmt::format("{} is already in use by another process", directory.string())};
  }
  const Error error = to_error(status);
  return {error.code(), fmt::format("cannot open {}: {}", directory.string(), error.message())};
}

// Only for as long as it takes: RocksDB takes the lock itself.
class StoreLock {
 public:
  static Result<StoreLock> take(rocksdb::Env& env, const std::filesystem::path& directory) {
    rocksdb::FileLock* lock = nullptr;
    const rocksdb::Status status = env.LockFile((directory / "LOCK").string(), &lock);
    if (!status.ok()) return open_error(status, directory);
    return StoreLock(env, lock);
  }

 private:
  struct Unlock {
    rocksdb::Env* env;
    void operator()(rocksdb::FileLock* lock) const { env->UnlockFile(lock).PermitUncheckedError(); }
  };
  StoreLock(rocksdb::Env& env, rocksdb::FileLock* lock) : lock_(lock, Unlock{&env}) {}

  std::unique_ptr<rocksdb::FileLock, Unlock> lock_;
};

Result<void> recover_manifest(rocksdb::Env& env, const std::filesystem::path& directory) {
  ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::take(env, directory));
  ASSIGN_OR_RETURN(const uint64_t bytes, cut_unsynced_manifest(*env.GetFileSystem(), directory));
  if (bytes > 0) {
    log::warning("cut off what a crash left behind the last sync of the manifest", {{"bytes", bytes}});
  }
  return {};
}

// VerifyChecksum reads the files of the tree; the values beside it are checked as they are read.
Result<void> verify_values(rocksdb::DB& db, const ValueFiles& values) {
  uint64_t old_files = 0;
  db.GetIntProperty(rocksdb::DB::Properties::kNumBlobFiles, &old_files);
  uint64_t unflushed = 0;
  db.GetIntProperty(rocksdb::DB::Properties::kNumEntriesActiveMemTable, &unflushed);
  ASSIGN_OR_RETURN(const ValueUsage usage, value_usage(db));
  if (usage.empty() && unflushed == 0 && old_files == 0) return {};
  rocksdb::ReadOptions read;
  read.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> iterator(db.NewIterator(read));
  Bytes value;
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    value.clear();
    if (is_reference(to_view(iterator->value()))) {
      RETURN_IF_ERROR(values.append_value(to_view(iterator->value()), value));
    }
  }
  if (!iterator->status().ok()) return to_error(iterator->status());
  return {};
}

}  // namespace

Error to_error(const rocksdb::Status& status) {
  ErrorCode code = ErrorCode::io_error;
  if (status.IsCorruption()) code = ErrorCode::corruption;
  const std::string text = status.ToString();
  // RocksDB knows ENOSPC alone.
  if (status.IsNoSpace() || text.find("Disk quota exceeded") != std::string::npos) code = ErrorCode::disk_full;
  return {code, text};
}

rocksdb::SequenceNumber oldest_visible(rocksdb::DB& db) {
  const rocksdb::SequenceNumber last = db.GetLatestSequenceNumber();
  uint64_t oldest = 0;  // 0: there is none
  db.GetIntProperty(rocksdb::DB::Properties::kOldestSnapshotSequence, &oldest);
  return oldest == 0 ? last : std::min(oldest, last);
}

rocksdb::Status flush_memtables(rocksdb::DB& db) {
  rocksdb::FlushOptions flush;
  flush.allow_write_stall = true;
  return db.Flush(flush);
}

rocksdb::CompactRangeOptions background_compaction(std::atomic<bool>& canceled) {
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.canceled = &canceled;
  return options;
}

Result<Store> open_store(const RocksdbOptions& options) {
  Store store;
  rocksdb::Env* base = options.env ? options.env : rocksdb::Env::Default();
  RETURN_IF_ERROR(prepare_directory(*base->GetFileSystem(), options.directory));
  store.file_system = std::make_shared<LogFileSystem>(base->GetFileSystem(), options.spin_during_sync);
  store.env = rocksdb::NewCompositeEnv(store.file_system);
  store.cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  RETURN_IF_ERROR(recover_manifest(*store.env, options.directory));
  rocksdb::DB* db = nullptr;
  rocksdb::Options database = database_options(options, store.env.get(), store.cache);
  database.memtable_insert_with_hint_prefix_extractor = store.insertion_hint;
  const rocksdb::Status opened = rocksdb::DB::Open(database, options.directory.string(), &db);
  if (!opened.ok()) return open_error(opened, options.directory);
  store.db.reset(db);
  // Held by RocksDB's lock now. An older version would show references as values.
  RETURN_IF_ERROR(mark_format(*base->GetFileSystem(), options.directory));
  ASSIGN_OR_RETURN(store.values, ValueFiles::open(*store.file_system, options.directory, options.value_file_bytes));
  ASSIGN_OR_RETURN(const Version stored, stored_version(*db));
  store.start_version = stored + restart_gap;
  Bytes value;
  append_be64(value, static_cast<uint64_t>(store.start_version));
  rocksdb::WriteOptions write;
  write.sync = true;
  const rocksdb::Status written = db->Put(write, to_slice(version_key), value);
  if (!written.ok()) return open_error(written, options.directory);
  log::debug("opened the store", {{"hardware_crc32c", library_uses_hardware_crc32c()}});
  return store;
}

Result<RocksdbReport> verify_store(const std::filesystem::path& directory, rocksdb::Env* env) {
  RocksdbReport report;
  if (env == nullptr) env = rocksdb::Env::Default();
  ASSIGN_OR_RETURN(report.format, check_format(*env->GetFileSystem(), directory));
  // Opening for reading takes no lock, and files that a server removes meanwhile would be taken for damage.
  ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::take(*env, directory));

  rocksdb::Options database = database_options({}, env, rocksdb::NewLRUCache(32 << 20));
  database.create_if_missing = false;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::OpenForReadOnly(database, directory.string(), &opened);
  if (!status.ok()) return open_error(status, directory);
  const std::unique_ptr<rocksdb::DB> db(opened);
  status = db->VerifyChecksum(rocksdb::ReadOptions());
  if (!status.ok()) return to_error(status);
  const auto files_of_values = std::make_shared<LogFileSystem>(env->GetFileSystem(), false);
  ASSIGN_OR_RETURN(const auto values, ValueFiles::open(*files_of_values, directory, RocksdbOptions().value_file_bytes));
  RETURN_IF_ERROR(verify_values(*db, *values));
  std::vector<rocksdb::LiveFileMetaData> files;
  db->GetLiveFilesMetaData(&files);
  report.files = files.size();
  for (const auto& file : files) report.file_bytes += file.size;
  uint64_t large_files = 0;
  uint64_t large_bytes = 0;
  db->GetIntProperty(rocksdb::DB::Properties::kNumBlobFiles, &large_files);
  db->GetIntProperty(rocksdb::DB::Properties::kTotalBlobFileSize, &large_bytes);
  report.files += large_files;
  report.file_bytes += large_bytes;
  for (const ValueFiles::Listed& file : values->all()) {
    ++report.files;
    report.file_bytes += file.bytes;
  }
  db->GetIntProperty(rocksdb::DB::Properties::kEstimateNumKeys, &report.keys);
  ASSIGN_OR_RETURN(report.version, stored_version(*db));
  return report;
}

}  // namespace strata::kv
