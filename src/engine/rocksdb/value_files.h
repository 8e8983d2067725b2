// ValueFiles: the files beside the tree in which large values lie, each written once.
//
// Purpose:       a value of 64 KiB that went through the log, a memtable and a table would be copied into the page
//                cache twice and more; here it is appended to a file and synced, and the log and the tree hold a
//                reference.
// Ownership:     owns the open files of a store's directory that are named NNNNNN.values.
// Thread safety: append, sync: one thread at a time. Everything else from any thread.
// Invariants:    a file that was there when the store was opened, that is full, or that a write failed in is sealed:
//                nothing is appended to it any more. A file is removed only when its owner knows that no reference to
//                it is left (value_collector.h). A value that is read has the hash its reference names.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/result.h"
#include "engine/rocksdb/log_file_system.h"
#include "engine/rocksdb/value_reference.h"

namespace strata::kv {

class ValueFiles {
 public:
  struct File;
  // While one lives its file counts as in use.
  using Use = std::shared_ptr<const File>;
  struct Listed {
    uint64_t number = 0;
    uint64_t bytes = 0;
  };
  // Files that are open for reading: a store of 1 TB of large values has 4,000 of them.
  static constexpr size_t most_readers = 256;

  struct Counters {
    std::atomic<uint64_t> bytes = 0;
    std::atomic<uint64_t> syncs = 0;
  };

  // `files` outlives it.
  static Result<std::unique_ptr<ValueFiles>> open(LogFileSystem& files, const std::filesystem::path& directory,
                                                  uint64_t most_file_bytes);
  ~ValueFiles();
  ValueFiles(const ValueFiles&) = delete;
  ValueFiles& operator=(const ValueFiles&) = delete;

  // On disk after the next sync() that succeeds; nothing may refer to it before. Errors: disk_full, io_error; the value
  // is nowhere then, and the next one goes into another file.
  struct Appended {
    ValueReference reference;
    Use use;
  };
  Result<Appended> append(BytesView key, BytesView value);
  // Errors: nothing that was appended since the last sync may be referred to.
  Result<void> sync();

  // Appends the value to `out`. Errors: corruption (not there, or not what the reference says), io_error.
  Result<void> read(const ValueReference& reference, Bytes& out) const;
  // The value that the tree holds as `stored`, appended to `out`.
  Result<void> append_value(BytesView stored, Bytes& out) const;

  // Appends go to another file from now on. The appending thread's.
  void seal();
  // The file that is appended to, if one is and nobody uses it.
  std::optional<Listed> written_and_unused() const;
  // No reference to them can come into being any more.
  std::vector<Listed> sealed_and_unused() const;
  void remove(uint64_t number);
  // The values of a file in their order, those that it held when this was called, until `visit` answers false. It ends
  // at the first record that is not whole: what a crash left behind the last sync.
  using Visit = std::function<Result<bool>(BytesView key, const ValueReference& reference)>;
  Result<void> visit(uint64_t number, const Visit& visit) const;
  std::vector<Listed> all() const;
  const Counters& counters() const { return counters_; }

 private:
  ValueFiles(LogFileSystem& files, std::filesystem::path directory, uint64_t most_file_bytes)
      : files_(files), directory_(std::move(directory)), most_file_bytes_(most_file_bytes) {}

  Result<void> begin_file();
  Result<void> sync_file();
  Result<std::shared_ptr<File>> find(uint64_t number) const;
  Result<std::shared_ptr<rocksdb::FSRandomAccessFile>> reader_of(const File& file) const;
  // The next in turn that is open, but for this one.
  void close_a_reader(uint64_t number) const;
  Result<rocksdb::Slice> read_at(const File& file, uint64_t offset, size_t size, char* into) const;
  Error error_of(const rocksdb::Status& status, uint64_t number) const;
  std::filesystem::path name_of(uint64_t number) const;

  LogFileSystem& files_;
  const std::filesystem::path directory_;
  const uint64_t most_file_bytes_;
  // A file that is in use may outlive this.
  const std::shared_ptr<std::atomic<size_t>> readers_ = std::make_shared<std::atomic<size_t>>(0);
  mutable std::mutex mutex_;
  std::map<uint64_t, std::shared_ptr<File>> all_;
  uint64_t next_number_ = 1;
  mutable uint64_t closed_last_ = 0;
  Counters counters_;

  // The writing thread's.
  std::shared_ptr<File> writing_;
  std::unique_ptr<rocksdb::FSWritableFile> writable_;
  bool unsynced_ = false;
  bool append_failed_ = false;
  std::optional<Error> sync_error_;  // of a file that was sealed since the last sync()
};

}  // namespace strata::kv
