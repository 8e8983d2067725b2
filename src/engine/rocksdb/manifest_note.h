// ManifestNote: how far the MANIFEST is known to be on disk, so that what a power cut left behind it can be cut off.
//
// Purpose:       RocksDB reads its MANIFEST to the end and refuses to open a store when a record there is damaged. A
//                power cut may leave such a record: pages of an append that was never synced, some of them lost. After
//                each sync of the MANIFEST its size and hash are noted; at the next open what lies behind is cut off.
//                Nothing depends on it: RocksDB acts on a record of the MANIFEST after the sync alone.
// Ownership:     a note owns its open file; borrows the file system.
// Thread safety: write: any thread.
// Invariants:    docs/formats/rocksdb-store.md. What the note covers is never cut: damage there stays RocksDB's to
//                report. A note that does not fit the MANIFEST (another file, another hash) counts for nothing. The
//                newest note on the MANIFEST that CURRENT names is never written over.
#pragma once

#include <rocksdb/file_system.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::kv {

struct ManifestState {
  uint64_t number = 0;  // of MANIFEST-number
  uint64_t size = 0;
  uint64_t hash = 0;  // XXH3 of the first `size` bytes
};

class ManifestNote {
 public:
  explicit ManifestNote(rocksdb::FileSystem& files) : files_(files) {}

  // Durable when it returns, and with the first note on a MANIFEST its name too: RocksDB lets CURRENT name it next, and
  // does not sync it before. The file is made with the first note of all and takes the place of the last run's: whoever
  // writes a MANIFEST holds the store's lock.
  rocksdb::IOStatus write(const std::string& directory, const ManifestState& state);

 private:
  rocksdb::IOStatus create(const std::filesystem::path& directory, BytesView note);
  uint64_t offset_of_note() const;

  rocksdb::FileSystem& files_;
  std::mutex mutex_;
  std::unique_ptr<rocksdb::FSWritableFile> file_;
  uint64_t sequence_ = 0;
  uint64_t number_ = 0;  // of the MANIFEST that was noted last
};

// nullopt: not the name of a MANIFEST.
std::optional<uint64_t> manifest_number(const std::string& name);

// How many bytes were cut off. Under the store's lock.
Result<uint64_t> cut_unsynced_manifest(rocksdb::FileSystem& files, const std::filesystem::path& directory);

}  // namespace strata::kv
