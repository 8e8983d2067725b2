// What RocksDB calls.
#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "engine/rocksdb/testing/simulated_disk.h"

namespace strata::kv {
namespace {

using rocksdb::IOStatus;

std::string normal(std::string name) {
  for (size_t at = name.find("//"); at != std::string::npos; at = name.find("//")) name.erase(at, 1);
  if (name.size() > 1 && name.ends_with('/')) name.pop_back();
  return name;
}

}  // namespace

class SimulatedDisk::Reader final : public rocksdb::FSRandomAccessFile {
 public:
  Reader(SimulatedDisk& disk, std::string name, NodePointer node)
      : disk_(disk), name_(std::move(name)), node_(std::move(node)) {}
  IOStatus Read(uint64_t offset, size_t count, const IOOptions&, rocksdb::Slice* result, char* scratch,
                Debug*) const override {
    *result = rocksdb::Slice();
    IOStatus status = disk_.begin(DiskCall::read, name_, false);
    if (!status.ok()) return status;
    std::lock_guard lock(disk_.mutex_);
    const BytesView data = node_->data;
    if (offset >= data.size()) return status;
    const BytesView found = data.substr(offset, count);
    memcpy(scratch, found.data(), found.size());
    *result = rocksdb::Slice(scratch, found.size());
    return status;
  }

 private:
  SimulatedDisk& disk_;
  const std::string name_;
  const NodePointer node_;
};

class SimulatedDisk::Sequential final : public rocksdb::FSSequentialFile {
 public:
  Sequential(SimulatedDisk& disk, const std::string& name, NodePointer node) : reader_(disk, name, std::move(node)) {}
  IOStatus Read(size_t count, const IOOptions& options, rocksdb::Slice* result, char* scratch, Debug* debug) override {
    IOStatus status = reader_.Read(at_, count, options, result, scratch, debug);
    at_ += result->size();
    return status;
  }
  IOStatus Skip(uint64_t count) override {
    at_ += count;
    return IOStatus::OK();
  }

 private:
  const Reader reader_;
  uint64_t at_ = 0;
};

class SimulatedDisk::Writable final : public rocksdb::FSWritableFile {
 public:
  Writable(SimulatedDisk& disk, std::string name, NodePointer node)
      : disk_(disk), name_(std::move(name)), node_(std::move(node)), end_(node_->data.size()) {}

  using FSWritableFile::Append;
  using FSWritableFile::PositionedAppend;
  IOStatus Append(const rocksdb::Slice& data, const IOOptions&, Debug*) override { return write(data, end_); }
  IOStatus PositionedAppend(const rocksdb::Slice& data, uint64_t offset, const IOOptions&, Debug*) override {
    return write(data, offset);
  }
  IOStatus Truncate(uint64_t size, const IOOptions&, Debug*) override {
    IOStatus status = disk_.begin(DiskCall::truncate, name_, true);
    if (!status.ok()) return status;
    std::lock_guard lock(disk_.mutex_);
    node_->resize(size);
    end_ = size;
    return status;
  }
  IOStatus Close(const IOOptions&, Debug*) override { return disk_.begin(DiskCall::close, name_, false); }
  IOStatus Flush(const IOOptions&, Debug*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, Debug*) override {
    IOStatus status = disk_.begin(DiskCall::sync, name_, true);
    std::lock_guard lock(disk_.mutex_);
    if (status.ok()) {
      node_->synced();
    } else {
      node_->failed_sync();
    }
    return status;
  }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions&, Debug*) override { return end_; }

 private:
  IOStatus write(const rocksdb::Slice& data, uint64_t offset) {
    IOStatus status = disk_.append(name_, *node_, {data.data(), data.size()}, offset);
    end_ = std::max<uint64_t>(end_, offset + (status.ok() ? data.size() : data.size() / 2));
    return status;
  }

  SimulatedDisk& disk_;
  const std::string name_;
  const NodePointer node_;
  uint64_t end_;
};

class SimulatedDisk::Directory final : public rocksdb::FSDirectory {
 public:
  Directory(SimulatedDisk& disk, std::string name) : disk_(disk), name_(std::move(name)) {}
  IOStatus Fsync(const IOOptions&, Debug*) override {
    IOStatus status = disk_.begin(DiskCall::sync_directory, name_, true);
    if (!status.ok()) return status;
    std::lock_guard lock(disk_.mutex_);
    std::erase_if(disk_.name_changes_, [this](const NameChange& change) {
      if (parent_of(change.name) != name_) return false;
      if (!change.from.empty()) disk_.durable_names_.erase(change.from);
      if (change.node) disk_.durable_names_[change.name] = change.node;
      if (!change.node) disk_.durable_names_.erase(change.name);
      return true;
    });
    return status;
  }
  IOStatus Close(const IOOptions&, Debug*) override { return IOStatus::OK(); }

 private:
  SimulatedDisk& disk_;
  const std::string name_;
};

class SimulatedDisk::Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::string locked) : name(std::move(locked)) {}
  const std::string name;
};

IOStatus SimulatedDisk::open_for_reading(const std::string& name, NodePointer* node) {
  IOStatus status = begin(DiskCall::open, name, false);
  return status.ok() ? find(name, node) : status;
}

IOStatus SimulatedDisk::NewSequentialFile(const std::string& given, const FileOptions&,
                                          std::unique_ptr<rocksdb::FSSequentialFile>* file, Debug*) {
  const std::string name = normal(given);
  NodePointer node;
  IOStatus status = open_for_reading(name, &node);
  if (status.ok()) *file = std::make_unique<Sequential>(*this, name, std::move(node));
  return status;
}

IOStatus SimulatedDisk::NewRandomAccessFile(const std::string& given, const FileOptions&,
                                            std::unique_ptr<rocksdb::FSRandomAccessFile>* file, Debug*) {
  const std::string name = normal(given);
  NodePointer node;
  IOStatus status = open_for_reading(name, &node);
  if (status.ok()) *file = std::make_unique<Reader>(*this, name, std::move(node));
  return status;
}

IOStatus SimulatedDisk::NewWritableFile(const std::string& given, const FileOptions&,
                                        std::unique_ptr<rocksdb::FSWritableFile>* file, Debug*) {
  const std::string name = normal(given);
  IOStatus status = begin(DiskCall::create, name, true);
  if (!status.ok()) return status;
  std::lock_guard lock(mutex_);
  if (!names_.contains(parent_of(name))) return IOStatus::PathNotFound(name, "No such file or directory");
  NodePointer& node = names_[name];
  if (node) {
    node->resize(0);
  } else {
    node = std::make_shared<Node>();
    name_changes_.push_back({name, node, {}});
  }
  *file = std::make_unique<Writable>(*this, name, node);
  return status;
}

IOStatus SimulatedDisk::ReopenWritableFile(const std::string& given, const FileOptions&,
                                           std::unique_ptr<rocksdb::FSWritableFile>* file, Debug*) {
  const std::string name = normal(given);
  NodePointer node;
  IOStatus status = begin(DiskCall::create, name, true);
  if (status.ok()) status = find(name, &node);
  if (status.ok()) *file = std::make_unique<Writable>(*this, name, std::move(node));
  return status;
}

IOStatus SimulatedDisk::NewDirectory(const std::string& given, const IOOptions&,
                                     std::unique_ptr<rocksdb::FSDirectory>* directory, Debug*) {
  const std::string name = normal(given);
  NodePointer node;
  IOStatus status = open_for_reading(name, &node);
  if (status.ok()) *directory = std::make_unique<Directory>(*this, name);
  return status;
}

IOStatus SimulatedDisk::FileExists(const std::string& given, const IOOptions&, Debug*) {
  NodePointer node;
  const std::string name = normal(given);
  IOStatus status = begin(DiskCall::list, name, false);
  if (status.ok() && !find(name, &node).ok()) status = IOStatus::NotFound(name);
  return status;
}

IOStatus SimulatedDisk::GetChildren(const std::string& given, const IOOptions&, std::vector<std::string>* names,
                                    Debug*) {
  const std::string directory = normal(given);
  IOStatus status = begin(DiskCall::list, directory, false);
  if (!status.ok()) return status;
  std::lock_guard lock(mutex_);
  names->clear();
  if (!names_.contains(directory)) return IOStatus::NotFound(directory);
  for (const auto& [name, node] : names_) {
    if (name != "/" && parent_of(name) == directory) names->push_back(name.substr(name.rfind('/') + 1));
  }
  return status;
}

IOStatus SimulatedDisk::DeleteFile(const std::string& given, const IOOptions&, Debug*) {
  const std::string name = normal(given);
  IOStatus status = begin(DiskCall::remove, name, true);
  if (!status.ok()) return status;
  std::lock_guard lock(mutex_);
  if (!names_.contains(name)) return IOStatus::PathNotFound(name, "No such file or directory");
  link(name, nullptr);
  return status;
}

IOStatus SimulatedDisk::Truncate(const std::string& given, size_t size, const IOOptions&, Debug*) {
  const std::string name = normal(given);
  NodePointer node;
  IOStatus status = begin(DiskCall::truncate, name, true);
  if (status.ok()) status = find(name, &node);
  if (!status.ok()) return status;
  std::lock_guard lock(mutex_);
  node->resize(size);
  return status;
}

IOStatus SimulatedDisk::CreateDir(const std::string& given, const IOOptions&, Debug*) {
  const std::string name = normal(given);
  IOStatus status = begin(DiskCall::make_directory, name, true);
  if (!status.ok()) return status;
  std::lock_guard lock(mutex_);
  if (names_.contains(name)) return IOStatus::IOError(name, "File exists");
  if (!names_.contains(parent_of(name))) return IOStatus::PathNotFound(name, "No such file or directory");
  link(name, directory_node());
  return status;
}

IOStatus SimulatedDisk::CreateDirIfMissing(const std::string& given, const IOOptions& options, Debug* debug) {
  NodePointer node;
  if (find(normal(given), &node).ok()) return IOStatus::OK();
  return CreateDir(given, options, debug);
}

IOStatus SimulatedDisk::DeleteDir(const std::string& given, const IOOptions& options, Debug* debug) {
  return DeleteFile(given, options, debug);
}

IOStatus SimulatedDisk::GetFileSize(const std::string& given, const IOOptions&, uint64_t* size, Debug*) {
  const std::string name = normal(given);
  NodePointer node;
  IOStatus status = begin(DiskCall::list, name, false);
  if (status.ok()) status = find(name, &node);
  if (!status.ok()) return status;
  std::lock_guard lock(mutex_);
  *size = node->data.size();
  return status;
}

IOStatus SimulatedDisk::GetFileModificationTime(const std::string& given, const IOOptions&, uint64_t* time, Debug*) {
  NodePointer node;
  *time = 0;
  return find(normal(given), &node);
}

IOStatus SimulatedDisk::RenameFile(const std::string& given_from, const std::string& given_to, const IOOptions&,
                                   Debug*) {
  const std::string from = normal(given_from);
  const std::string to = normal(given_to);
  STRATA_ASSERT(parent_of(from) == parent_of(to));
  IOStatus status = begin(DiskCall::rename, from, true);
  NodePointer node;
  if (status.ok()) status = find(from, &node);
  if (!status.ok()) return status;
  std::lock_guard lock(mutex_);
  link(to, std::move(node), from);
  return status;
}

IOStatus SimulatedDisk::LockFile(const std::string& given, const IOOptions&, rocksdb::FileLock** lock, Debug*) {
  const std::string name = normal(given);
  *lock = nullptr;
  IOStatus status = begin(DiskCall::lock, name, true);
  if (!status.ok()) return status;
  std::lock_guard guard(mutex_);
  if (!locks_.insert(name).second) return IOStatus::IOError("lock hold by current process: " + name);
  if (!names_.contains(name)) link(name, std::make_shared<Node>());
  *lock = new Lock(name);
  return status;
}

IOStatus SimulatedDisk::UnlockFile(rocksdb::FileLock* lock, const IOOptions&, Debug*) {
  const std::unique_ptr<Lock> held(static_cast<Lock*>(lock));
  std::lock_guard guard(mutex_);
  locks_.erase(held->name);
  return IOStatus::OK();
}

IOStatus SimulatedDisk::GetTestDirectory(const IOOptions&, std::string* path, Debug*) {
  *path = "/";
  return IOStatus::OK();
}

IOStatus SimulatedDisk::GetAbsolutePath(const std::string& path, const IOOptions&, std::string* absolute, Debug*) {
  *absolute = normal(path);
  return IOStatus::OK();
}

IOStatus SimulatedDisk::GetFreeSpace(const std::string&, const IOOptions&, uint64_t* bytes, Debug*) {
  std::lock_guard lock(mutex_);
  const int64_t all = space_ < 0 ? int64_t{1} << 40 : space_;
  *bytes = static_cast<uint64_t>(std::max<int64_t>(0, all - used_space_locked()));
  return IOStatus::OK();
}

IOStatus SimulatedDisk::IsDirectory(const std::string& given, const IOOptions&, bool* is_directory, Debug*) {
  NodePointer node;
  IOStatus status = find(normal(given), &node);
  *is_directory = status.ok() && node->is_directory;
  return status;
}

}  // namespace strata::kv
