// The file that marks a directory as a store of ours: STRATA-FORMAT, docs/formats/rocksdb-store.md.
//
// Purpose:       creates, recognises and refuses directories before RocksDB touches them.
// Ownership:     borrows the file system.
// Thread safety: one process at a time in a directory; RocksDB's LOCK comes later.
// Invariants:    a directory without the file is touched only when it is empty; a newer format never. When
//                prepare_directory has answered, the directory and the file are there after a power cut. An older
//                format is left as it is until mark_format.
#pragma once

#include <rocksdb/file_system.h>

#include <filesystem>

#include "base/result.h"

namespace strata::kv {

Error to_error(const rocksdb::Status& status);
// The names in it.
rocksdb::IOStatus sync_directory(rocksdb::FileSystem& files, const std::filesystem::path& directory);

Result<void> prepare_directory(rocksdb::FileSystem& files, const std::filesystem::path& directory);
// Of a directory that is locked: it names this version's format from now on, which older versions refuse.
Result<void> mark_format(rocksdb::FileSystem& files, const std::filesystem::path& directory);
// The format's number. invalid_argument: no file, not ours, or newer.
Result<int> check_format(rocksdb::FileSystem& files, const std::filesystem::path& directory);

}  // namespace strata::kv
