// LogFileSystem: a file system whose write-ahead logs are written ahead of their records.
//
// Purpose:       an append that stays inside a file needs no change of its inode or its extents, so that a sync is the
//                data alone: 75-95 us against 180 us for appends past the end and 125-210 us for fallocate (medians, 8
//                KiB records, ext4, virtual disk). It also counts syncs and knows which writes failed.
// Ownership:     wraps the file system it is given; files wrap its files.
// Thread safety: as the wrapped one; counters from any thread.
// Invariants:    a record is written over filler that is on the disk already (bytes FF), or it is longer than a block
//                of the log. Then a page that a power cut takes from unsynced records leaves what RocksDB's reader
//                reports as corruption (FF is a length that fits no block; a long record lacks one of its parts), and
//                point-in-time recovery ends there. Zeros will not do: the reader skips them to the end of their block
//                without a word, and would go on with a later record behind the hole. Nor will old records: RocksDB 7
//                ignores recycle_log_file_num in this mode for that reason. After a failed append or sync a log accepts
//                nothing more. A new log is made when the ones before are synced to their ends: a record of it can
//                never be there without theirs.
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <cstdint>
#include <functional>

namespace strata::kv {

struct LogCounters {
  // Syncs that took less than 2^i microseconds; the last: all others.
  static constexpr int sync_buckets = 24;
  std::atomic<uint64_t> bytes = 0;
  std::atomic<uint64_t> syncs = 0;
  std::atomic<uint64_t> sync_us_bucket[sync_buckets] = {};
  std::atomic<uint64_t> sync_us_sum = 0;
  std::atomic<int64_t> last_sync_us = 0;
  std::atomic<uint64_t> failed_appends = 0;
  std::atomic<uint64_t> failed_syncs = 0;
};

// A MANIFEST's syncs are noted (manifest_note.h).
class LogFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  // spin: see SyncSpinner.
  LogFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target, bool spin);
  ~LogFileSystem() override;

  const char* Name() const override { return "StrataLogFileSystem"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;

  const LogCounters& counters() const;

 private:
  class LogFile;
  class ManifestFile;
  struct Shared;
  // The files' too: RocksDB closes some of them later than others.
  const std::shared_ptr<Shared> shared_;
};

}  // namespace strata::kv
