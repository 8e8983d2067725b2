// FaultFileSystem: the machine's files, with failures and power cuts on request. For tests.
//
// Purpose:       fails or holds the n-th log sync, runs out of space, and shows what a disk holds after a power cut.
// Ownership:     wraps a file system; keeps a copy of every byte written through it, synced and not.
// Thread safety: any thread.
// Invariants:    a power cut keeps what was synced. Of what was not, each 4 KiB page is there or not, as the seed says;
//                names (creation, renaming, deletion) are durable at once.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>

#include "base/bytes.h"
#include "base/random.h"

namespace strata::kv {

class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FaultFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FaultFileSystem"; }

  // The n-th sync of a log from now fails, and every later one succeeds, as the kernel has it; 0: none.
  void fail_log_sync(int64_t n) { syncs_until_failure_ = n; }
  // Appends fail with "no space left" once `bytes` more were written to files that end in `suffix`; -1: no limit.
  void limit_space(std::string suffix, int64_t bytes) {
    std::lock_guard lock(mutex_);
    limited_suffix_ = std::move(suffix);
    space_left_ = bytes;
  }
  // Log syncs wait while it holds.
  void hold_log_syncs(bool hold) {
    std::lock_guard lock(mutex_);
    holding_ = hold;
    released_.notify_all();
  }
  // How many log syncs wait now.
  int held() {
    std::lock_guard lock(mutex_);
    return held_;
  }

  // Writes what the disk would hold if the power went now into `to`. Files that were not written through this file
  // system are copied as they are.
  void cut_power(const std::filesystem::path& from, const std::filesystem::path& to, uint64_t seed) {
    Random random(seed);
    // No name comes or goes meanwhile.
    std::lock_guard lock(mutex_);
    std::filesystem::copy(from, to);
    for (const auto& [name, contents] : files_) {
      if (std::filesystem::path(name).parent_path() != from) continue;
      const auto target = to / std::filesystem::path(name).filename();
      Bytes bytes = contents->synced;
      const Bytes& written = contents->written;
      for (size_t page = 0; page < written.size(); page += page_bytes) {
        const BytesView now = BytesView(written).substr(page, page_bytes);
        if (page + now.size() <= bytes.size() && BytesView(bytes).substr(page, now.size()) == now) continue;
        if (random.one_in(2)) continue;
        if (bytes.size() < page + now.size()) bytes.resize(page + now.size(), '\0');
        bytes.replace(page, now.size(), now);
      }
      std::ofstream(target, std::ios::binary | std::ios::trunc) << bytes;
    }
  }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    std::lock_guard lock(mutex_);
    rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(name, options, file, debug);
    if (!status.ok()) return status;
    auto contents = std::make_shared<Contents>();
    files_[name] = contents;
    *file = std::make_unique<File>(std::move(*file), name, std::move(contents), *this);
    return status;
  }
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    std::lock_guard lock(mutex_);
    rocksdb::IOStatus status = FileSystemWrapper::RenameFile(from, to, options, debug);
    if (auto node = files_.extract(from); status.ok() && node) files_[to] = node.mapped();
    return status;
  }
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    std::lock_guard lock(mutex_);
    rocksdb::IOStatus status = FileSystemWrapper::DeleteFile(name, options, debug);
    if (status.ok()) files_.erase(name);
    return status;
  }

 private:
  static constexpr size_t page_bytes = 4'096;
  struct Contents {
    Bytes written;
    Bytes synced;
  };

  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile> target, std::string name, std::shared_ptr<Contents> contents,
         FaultFileSystem& system)
        : FSWritableFileOwnerWrapper(std::move(target)),
          name_(std::move(name)),
          contents_(std::move(contents)),
          system_(system) {}

    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      rocksdb::IOStatus status = system_.take_space(name_, data.size());
      if (status.ok()) status = FSWritableFileOwnerWrapper::Append(data, options, debug);
      if (status.ok()) record(data, contents_->written.size());
      return status;
    }
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo&, rocksdb::IODebugContext* debug) override {
      return Append(data, options, debug);
    }
    rocksdb::IOStatus PositionedAppend(const rocksdb::Slice& data, uint64_t offset, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override {
      rocksdb::IOStatus status = system_.take_space(name_, data.size());
      if (status.ok()) status = FSWritableFileOwnerWrapper::PositionedAppend(data, offset, options, debug);
      if (status.ok()) record(data, offset);
      return status;
    }
    rocksdb::IOStatus Truncate(uint64_t size, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
      std::lock_guard lock(system_.mutex_);
      contents_->written.resize(size, '\0');
      return FSWritableFileOwnerWrapper::Truncate(size, options, debug);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      return finish_sync(FSWritableFileOwnerWrapper::Sync(options, debug));
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      return finish_sync(FSWritableFileOwnerWrapper::Fsync(options, debug));
    }

   private:
    void record(const rocksdb::Slice& data, uint64_t offset) {
      std::lock_guard lock(system_.mutex_);
      Bytes& written = contents_->written;
      if (written.size() < offset + data.size()) written.resize(offset + data.size(), '\0');
      written.replace(offset, data.size(), data.data(), data.size());
    }
    rocksdb::IOStatus finish_sync(rocksdb::IOStatus status) {
      const bool log = name_.ends_with(".log");
      if (log) system_.wait_while_held();
      if (log && system_.syncs_until_failure_ > 0 && --system_.syncs_until_failure_ == 0) {
        return rocksdb::IOStatus::IOError("injected failure of a sync");
      }
      if (!status.ok()) return status;
      std::lock_guard lock(system_.mutex_);
      contents_->synced = contents_->written;
      return status;
    }

    const std::string name_;
    const std::shared_ptr<Contents> contents_;
    FaultFileSystem& system_;
  };

  rocksdb::IOStatus take_space(const std::string& name, size_t bytes) {
    std::lock_guard lock(mutex_);
    if (space_left_ < 0 || !name.ends_with(limited_suffix_)) return rocksdb::IOStatus::OK();
    if (static_cast<int64_t>(bytes) > space_left_) return rocksdb::IOStatus::NoSpace("injected: no space left");
    space_left_ -= static_cast<int64_t>(bytes);
    return rocksdb::IOStatus::OK();
  }
  void wait_while_held() {
    std::unique_lock lock(mutex_);
    ++held_;
    released_.wait(lock, [this] { return !holding_; });
    --held_;
  }

  std::atomic<int64_t> syncs_until_failure_{0};
  std::mutex mutex_;
  std::condition_variable released_;
  bool holding_ = false;
  int held_ = 0;
  std::string limited_suffix_;
  int64_t space_left_ = -1;
  std::map<std::string, std::shared_ptr<Contents>> files_;
};

}  // namespace strata::kv
