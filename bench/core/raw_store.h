// The peer: RocksDB as it is, with the options that matter set as the engine sets them.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/statistics.h>
#include <rocksdb/table.h>

#include <memory>
#include <string>

#include "base/assert.h"

namespace strata::bench {

inline rocksdb::Options raw_options(std::shared_ptr<rocksdb::Statistics> statistics) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.statistics = std::move(statistics);
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(256 << 20);
  table.block_size = 8 << 10;
  table.format_version = 5;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.checksum = rocksdb::kXXH3;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

inline std::unique_ptr<rocksdb::DB> open_raw_store(const std::string& directory,
                                                   std::shared_ptr<rocksdb::Statistics> statistics = nullptr) {
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(raw_options(std::move(statistics)), directory, &db);
  STRATA_ASSERT(status.ok());
  return std::unique_ptr<rocksdb::DB>(db);
}

}  // namespace strata::bench
