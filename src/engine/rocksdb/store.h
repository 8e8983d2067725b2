// Store: a RocksDB database in a directory that is marked as ours.
//
// Purpose:       creates, recognises, opens and verifies the directory; the key layout; RocksDB's statuses as Errors.
// Ownership:     a Store owns the database, its cache and its file system; they go in that order.
// Thread safety: as RocksDB's DB; the functions from any thread.
// Invariants:    a directory without our FORMAT file is touched only when it is empty; a newer format never.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <atomic>
#include <memory>

#include "engine/rocksdb/format_file.h"
#include "engine/rocksdb/insertion_hint.h"
#include "engine/rocksdb/log_file_system.h"
#include "engine/rocksdb/rocksdb_engine.h"
#include "engine/rocksdb/value_files.h"

namespace strata::kv {

// Users' keys are below it; from here on are the engine's own.
inline constexpr BytesView user_keys_end("\xff\xff");
// Big-endian: the version of the batch it was written with.
inline constexpr BytesView version_key("\xff\xff/strata/version");

inline rocksdb::Slice to_slice(BytesView bytes) { return {bytes.data(), bytes.size()}; }
inline BytesView to_view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// What was written before it nobody reads any more: the oldest snapshot's, or the last one.
rocksdb::SequenceNumber oldest_visible(rocksdb::DB& db);
rocksdb::Status flush_memtables(rocksdb::DB& db);
// Others go on meanwhile.
rocksdb::CompactRangeOptions background_compaction(std::atomic<bool>& canceled);

struct Store {
  std::shared_ptr<LogFileSystem> file_system;
  std::unique_ptr<rocksdb::Env> env;
  std::shared_ptr<rocksdb::Cache> cache;
  std::unique_ptr<ValueFiles> values;
  std::shared_ptr<InsertionHint> insertion_hint = std::make_shared<InsertionHint>();
  std::unique_ptr<rocksdb::DB> db;
  // Written when the store was opened and durable: above every version that it ever answered with.
  Version start_version = invalid_version;
};

Result<Store> open_store(const RocksdbOptions& options);
Result<RocksdbReport> verify_store(const std::filesystem::path& directory, rocksdb::Env* env);

}  // namespace strata::kv
