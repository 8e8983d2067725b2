#include "engine/rocksdb/log_file_system.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "engine/rocksdb/manifest_note.h"
#include "engine/rocksdb/sync_spinner.h"

namespace strata::kv {
namespace {

// How far ahead a log is written: a sync of this much takes 1 to 2 ms, once in a hundred batches of 10 KB.
constexpr uint64_t first_ahead_bytes = 256 << 10;
constexpr uint64_t later_ahead_bytes = 1 << 20;
// Longer appends are bandwidth, not latency, and need no filler: see log_file_system.h.
constexpr size_t long_append_bytes = 64 << 10;

const std::string& filler() {
  static const std::string bytes(64 << 10, '\xff');
  return bytes;
}

bool is_log_name(const std::string& name) { return name.ends_with(".log"); }

}  // namespace

struct LogFileSystem::Shared {
  explicit Shared(std::shared_ptr<rocksdb::FileSystem> target) : files(std::move(target)), manifest_note(*files) {}

  // Of every log that is still open: what was appended is on the disk afterwards.
  rocksdb::IOStatus sync_open_logs(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug);

  const std::shared_ptr<rocksdb::FileSystem> files;
  ManifestNote manifest_note;
  std::mutex open_logs_mutex;
  std::set<LogFile*> open_logs;
  LogCounters counters;
  // RocksDB syncs an old log and the new one from different threads at times; one of them spins.
  std::mutex spinner_mutex;
  std::optional<SyncSpinner> spinner;
};

class LogFileSystem::LogFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  LogFile(std::unique_ptr<rocksdb::FSWritableFile> target, std::shared_ptr<Shared> shared)
      : FSWritableFileOwnerWrapper(std::move(target)), shared_(std::move(shared)), counters_(&shared_->counters) {
    std::lock_guard lock(shared_->open_logs_mutex);
    shared_->open_logs.insert(this);
  }
  ~LogFile() override {
    std::lock_guard lock(shared_->open_logs_mutex);
    shared_->open_logs.erase(this);
  }

  bool is_synced() const { return synced_size_.load() == size_ && failure_.ok(); }

  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    if (!failure_.ok()) return failure_;
    rocksdb::IOStatus status = write_ahead(data.size(), options, debug);
    if (status.ok()) status = FSWritableFileOwnerWrapper::PositionedAppend(data, size_, options, debug);
    if (!status.ok()) {
      counters_->failed_appends.fetch_add(1);
      failure_ = status;
      return status;
    }
    size_ += data.size();
    filled_end_ = std::max(filled_end_, size_.load());
    counters_->bytes.fetch_add(data.size(), std::memory_order_relaxed);
    return status;
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo&, rocksdb::IODebugContext* debug) override {
    return Append(data, options, debug);
  }

  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    return timed([&] { return FSWritableFileOwnerWrapper::Sync(options, debug); });
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    return timed([&] { return FSWritableFileOwnerWrapper::Fsync(options, debug); });
  }

  rocksdb::IOStatus Close(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status;
    if (filled_end_ > size_) status = FSWritableFileOwnerWrapper::Truncate(size_, options, debug);
    const rocksdb::IOStatus closed = FSWritableFileOwnerWrapper::Close(options, debug);
    return status.ok() ? closed : status;
  }
  uint64_t GetFileSize(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return size_; }

  // Space is allocated by the filler.
  void SetPreallocationBlockSize(size_t) override {}
  void PrepareWrite(size_t, size_t, const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {}
  rocksdb::IOStatus Allocate(uint64_t, uint64_t, const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }

 private:
  // So that `next` bytes fit into filler that is on the disk. A failure leaves the log as it was.
  rocksdb::IOStatus write_ahead(size_t next, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) {
    if (size_ + next <= filled_end_ || next >= long_append_bytes) return rocksdb::IOStatus::OK();
    const uint64_t end = size_ + next + (filled_end_ == 0 ? first_ahead_bytes : later_ahead_bytes);
    while (filled_end_ < end) {
      const uint64_t count = std::min<uint64_t>(filler().size(), end - filled_end_);
      const rocksdb::IOStatus status = FSWritableFileOwnerWrapper::PositionedAppend(
          rocksdb::Slice(filler().data(), count), filled_end_, options, debug);
      if (!status.ok()) return status;
      filled_end_ += count;
    }
    counters_->syncs.fetch_add(1, std::memory_order_relaxed);
    return FSWritableFileOwnerWrapper::Sync(options, debug);
  }

  template <class SyncFile>
  rocksdb::IOStatus timed(SyncFile sync_file) {
    if (!failure_.ok()) return failure_;
    std::unique_lock spinning(shared_->spinner_mutex, std::try_to_lock);
    const bool spin = shared_->spinner && spinning.owns_lock();
    if (spin) shared_->spinner->begin();
    const uint64_t size = size_;
    const auto began = std::chrono::steady_clock::now();
    rocksdb::IOStatus status = sync_file();
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
    if (spin) shared_->spinner->end(took.count());

    const auto took_us = static_cast<uint64_t>(took.count());
    const int bucket = std::min(static_cast<int>(std::bit_width(took_us)), LogCounters::sync_buckets - 1);
    counters_->syncs.fetch_add(1, std::memory_order_relaxed);
    counters_->sync_us_bucket[bucket].fetch_add(1, std::memory_order_relaxed);
    counters_->sync_us_sum.fetch_add(took_us, std::memory_order_relaxed);
    counters_->last_sync_us.store(took.count(), std::memory_order_relaxed);
    if (status.ok()) {
      synced_size_ = size;
    } else {
      counters_->failed_syncs.fetch_add(1);
      failure_ = status;
    }
    return status;
  }

  const std::shared_ptr<Shared> shared_;
  LogCounters* const counters_;
  // Read by whoever makes the next log, which RocksDB does from any thread that flushes.
  std::atomic<uint64_t> size_ = 0;
  uint64_t filled_end_ = 0;
  std::atomic<uint64_t> synced_size_ = 0;
  rocksdb::IOStatus failure_;
};

rocksdb::IOStatus LogFileSystem::Shared::sync_open_logs(const rocksdb::IOOptions& options,
                                                        rocksdb::IODebugContext* debug) {
  std::lock_guard lock(open_logs_mutex);
  for (LogFile* log : open_logs) {
    if (log->is_synced()) continue;
    rocksdb::IOStatus status = log->Sync(options, debug);
    if (!status.ok()) return status;
  }
  return rocksdb::IOStatus::OK();
}

class LogFileSystem::ManifestFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  ManifestFile(std::unique_ptr<rocksdb::FSWritableFile> target, const std::string& name, uint64_t number,
               std::shared_ptr<Shared> shared)
      : FSWritableFileOwnerWrapper(std::move(target)),
        directory_(name.substr(0, name.rfind('/'))),
        number_(number),
        shared_(std::move(shared)),
        hash_(XXH3_createState(), &XXH3_freeState) {
    XXH3_64bits_reset(hash_.get());
  }

  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = FSWritableFileOwnerWrapper::Append(data, options, debug);
    XXH3_64bits_update(hash_.get(), data.data(), data.size());
    size_ += data.size();
    failed_ = failed_ || !status.ok();
    return status;
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo&, rocksdb::IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    return noted(FSWritableFileOwnerWrapper::Sync(options, debug));
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    return noted(FSWritableFileOwnerWrapper::Fsync(options, debug));
  }

 private:
  rocksdb::IOStatus noted(rocksdb::IOStatus status) {
    failed_ = failed_ || !status.ok();
    // RocksDB gives a MANIFEST up after a failure: nothing that comes later in it counts.
    if (failed_) return status;
    return shared_->manifest_note.write(directory_, {number_, size_, XXH3_64bits_digest(hash_.get())});
  }

  const std::string directory_;
  const uint64_t number_;
  const std::shared_ptr<Shared> shared_;
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> hash_;
  uint64_t size_ = 0;
  bool failed_ = false;
};

LogFileSystem::LogFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target, bool spin)
    : FileSystemWrapper(target), shared_(std::make_shared<Shared>(target)) {
  if (spin) shared_->spinner.emplace();
}
LogFileSystem::~LogFileSystem() = default;

const LogCounters& LogFileSystem::counters() const { return shared_->counters; }

rocksdb::IOStatus LogFileSystem::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                                 std::unique_ptr<rocksdb::FSWritableFile>* file,
                                                 rocksdb::IODebugContext* debug) {
  rocksdb::IOStatus status;
  if (is_log_name(name)) status = shared_->sync_open_logs({}, debug);
  if (status.ok()) status = FileSystemWrapper::NewWritableFile(name, options, file, debug);
  if (!status.ok()) return status;
  if (is_log_name(name)) *file = std::make_unique<LogFile>(std::move(*file), shared_);
  if (const auto number = manifest_number(name)) {
    *file = std::make_unique<ManifestFile>(std::move(*file), name, *number, shared_);
  }
  return status;
}

}  // namespace strata::kv
