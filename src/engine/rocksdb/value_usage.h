// Which value files the tables of a store refer to, and with how many bytes.
//
// Purpose:       every table carries, as a property, what its references add up to for each value file; the sum over
//                all tables says which files nobody refers to any more, without a look at a single key.
// Thread safety: pure functions, and a factory that RocksDB calls from any thread.
// Invariants:    what a snapshot still sees is in a table, and counts.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/table_properties.h>

#include <map>
#include <memory>
#include <optional>

#include "base/result.h"

namespace strata::kv {

std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> value_usage_collector();

// Bytes by number of the file.
using ValueUsage = std::map<uint64_t, uint64_t>;
// Of one table; nullopt: it was made before tables had the property, and has no references.
std::optional<ValueUsage> value_usage_of(const rocksdb::TableProperties& table);
// Of all tables of the store; what is in memtables alone is not in it. Errors: io_error, corruption.
Result<ValueUsage> value_usage(rocksdb::DB& db);

}  // namespace strata::kv
