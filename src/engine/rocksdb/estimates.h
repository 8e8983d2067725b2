// Estimates: how many bytes a range holds, and where to cut it.
//
// Purpose:       exact by counting where that is cheap, RocksDB's estimate (compressed bytes in files and memtables,
//                scaled back) where it is not.
// Thread safety: any thread.
#pragma once

#include <rocksdb/db.h>

#include <vector>

#include "kv/engine.h"

namespace strata::kv {

Result<int64_t> estimate_bytes(rocksdb::DB& db, const rocksdb::Snapshot* snapshot, BytesView begin, BytesView end);
Result<std::vector<Bytes>> find_split_points(rocksdb::DB& db, const rocksdb::Snapshot* snapshot, BytesView begin,
                                             BytesView end, int64_t chunk_bytes);

}  // namespace strata::kv
