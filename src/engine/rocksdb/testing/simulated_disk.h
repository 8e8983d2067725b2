// SimulatedDisk: a file system in memory that forgets what was not synced, and fails when it is told to. For tests.
//
// Purpose:       shows what a store leaves behind when its process is killed (killed()) or the power goes
//                (cut_power()), at any call of the file system, and what it does when a call fails. A cut costs a copy
//                in memory.
// Ownership:     owns all files; handles share them. A copy shares nothing with its original: the store that still runs
//                on the original cannot reach it.
// Thread safety: any thread. The hook runs on the thread that made the call.
// Invariants:    what a power cut keeps of unsynced changes, the seed draws: any subset of the 4 KiB pages, some of
//                them torn between their sectors of 512 bytes; the file's old or new size, with zeros where pages are
//                missing; any subset of the names that were made, renamed or removed since their directory was synced,
//                a directory's own name included. Synced bytes under synced names are always there. A sync that fails
//                leaves its pages as a kernel does: clean, and perhaps never written; the next sync succeeds without
//                them. An append that fails has written the first half.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"

namespace strata::kv {

enum class DiskCall : uint8_t {
  open,  // of an existing file, for reading
  create,
  read,
  append,
  sync,
  truncate,
  close,
  rename,
  remove,
  sync_directory,
  make_directory,
  list,  // also: does it exist, how large is it
  lock,
};
inline constexpr size_t disk_call_kinds = 13;
std::string_view name_of(DiskCall call);

struct DiskFault {
  DiskCall call = DiskCall::append;
  // The n-th such call from now, counted from 1, among those of names that contain `name_part`.
  int64_t nth = 1;
  std::string name_part = {};
  // Else EIO.
  bool no_space = false;
  // How many calls in a row fail from there; -1: all.
  int64_t times = 1;
};

class SimulatedDisk final : public rocksdb::FileSystem {
 public:
  SimulatedDisk() = default;
  const char* Name() const override { return "SimulatedDisk"; }

  // What a killed process leaves: everything that was written.
  std::shared_ptr<SimulatedDisk> killed() const;
  // What a power cut may leave.
  std::shared_ptr<SimulatedDisk> cut_power(uint64_t seed) const;

  // One at a time; replaces the last one.
  void fail(const DiskFault& fault);
  void heal();
  // How often the fault has failed a call since fail().
  int64_t failures() const;
  // The name that it failed last.
  std::string failed_name() const;
  // Calls so far, of names that contain `name_part`, of the kind that the fault counts.
  int64_t calls() const;
  // Files may hold so many bytes altogether; -1: no limit.
  void limit_space(int64_t bytes);
  // Damage that no crash leaves.
  void flip_bit(const std::string& name, uint64_t offset);
  int64_t used_space() const;
  // Of all names and bytes: two disks with the same one need not both be looked at.
  uint64_t fingerprint() const;
  // Called before each call that changes something, with its number; nullptr: nobody. One call at a time; returns when
  // the last hook is no longer called, so that it may use what belongs to the caller. A hook must not call this.
  void watch_changes(std::function<void(int64_t number)> hook);

  using FileOptions = rocksdb::FileOptions;
  using IOOptions = rocksdb::IOOptions;
  using IOStatus = rocksdb::IOStatus;
  using Debug = rocksdb::IODebugContext;
  IOStatus NewSequentialFile(const std::string& name, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* file, Debug*) override;
  IOStatus NewRandomAccessFile(const std::string& name, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* file, Debug*) override;
  IOStatus NewWritableFile(const std::string& name, const FileOptions&, std::unique_ptr<rocksdb::FSWritableFile>* file,
                           Debug*) override;
  IOStatus ReopenWritableFile(const std::string& name, const FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>* file, Debug*) override;
  IOStatus NewDirectory(const std::string& name, const IOOptions&, std::unique_ptr<rocksdb::FSDirectory>* directory,
                        Debug*) override;
  IOStatus FileExists(const std::string& name, const IOOptions&, Debug*) override;
  IOStatus GetChildren(const std::string& directory, const IOOptions&, std::vector<std::string>* names,
                       Debug*) override;
  IOStatus DeleteFile(const std::string& name, const IOOptions&, Debug*) override;
  IOStatus Truncate(const std::string& name, size_t size, const IOOptions&, Debug*) override;
  IOStatus CreateDir(const std::string& name, const IOOptions&, Debug*) override;
  IOStatus CreateDirIfMissing(const std::string& name, const IOOptions&, Debug*) override;
  IOStatus DeleteDir(const std::string& name, const IOOptions&, Debug*) override;
  IOStatus GetFileSize(const std::string& name, const IOOptions&, uint64_t* size, Debug*) override;
  IOStatus GetFileModificationTime(const std::string& name, const IOOptions&, uint64_t* time, Debug*) override;
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&, Debug*) override;
  IOStatus LockFile(const std::string& name, const IOOptions&, rocksdb::FileLock** lock, Debug*) override;
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, Debug*) override;
  IOStatus GetTestDirectory(const IOOptions&, std::string* path, Debug*) override;
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* absolute, Debug*) override;
  IOStatus GetFreeSpace(const std::string& path, const IOOptions&, uint64_t* bytes, Debug*) override;
  IOStatus IsDirectory(const std::string& name, const IOOptions&, bool* is_directory, Debug*) override;

 private:
  // A file or a directory.
  struct Node {
    struct Dirty {
      Bytes on_disk;         // what the page held at the last sync
      bool dropped = false;  // by a failed sync: no later one writes it
    };
    bool is_directory = false;
    Bytes data;
    uint64_t synced_size = 0;
    std::map<uint64_t, Dirty> dirty;  // by page

    void touch(uint64_t begin, uint64_t end);
    void write(uint64_t offset, BytesView bytes);
    void resize(uint64_t size);
    void synced();
    void failed_sync();
    Bytes after_cut(Random& random, double kept) const;
  };
  using NodePointer = std::shared_ptr<Node>;
  using Names = std::map<std::string, NodePointer>;
  // A change of a directory that was not synced yet: `name` now is `node` (nullptr: gone); a rename also ends `from`.
  struct NameChange {
    std::string name;
    NodePointer node;
    std::string from;
  };
  class Reader;
  class Sequential;
  class Writable;
  class Directory;
  class Lock;

  // Counts the call; its failure, if it is the one that fails. `changes`: the hook hears of it first.
  IOStatus begin(DiskCall call, const std::string& name, bool changes);
  IOStatus append(const std::string& name, Node& node, BytesView bytes, uint64_t offset);
  IOStatus find(const std::string& name, NodePointer* node) const;
  IOStatus open_for_reading(const std::string& name, NodePointer* node);
  void link(const std::string& name, NodePointer node, const std::string& from = {});
  int64_t used_space_locked() const;

  mutable std::mutex mutex_;
  Names names_ = {{"/", directory_node()}};
  Names durable_names_ = names_;
  std::vector<NameChange> name_changes_;  // oldest first
  std::set<std::string> locks_;
  DiskFault fault_;
  bool has_fault_ = false;
  int64_t matching_calls_ = 0;
  int64_t failures_ = 0;
  std::string failed_name_;
  int64_t space_ = -1;

  std::mutex hook_mutex_;  // before mutex_
  int64_t changes_ = 0;
  std::function<void(int64_t)> hook_;

  static NodePointer directory_node();
  static std::string parent_of(const std::string& name);
};

}  // namespace strata::kv
