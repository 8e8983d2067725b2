// power_loss: a library to preload (LD_PRELOAD) that lets SIGKILL mean a power cut.
//
// Purpose:       a killed process leaves all its writes in the kernel's cache, so that a store which never syncs passes
//                every kill. This library writes, before each change of a file below STRATA_POWER_LOSS_DATA, what was
//                there into STRATA_POWER_LOSS_UNDO/<inode>.undo, and empties that file after a successful fsync or
//                fdatasync. Who undoes the rest after the kill (power_cut.py) has the files as the last syncs left
//                them, and keeps of what came later what a power cut might have kept.
// Not modelled:  names (creation, rename and removal of files are kept), and writes through mmap.
// Thread safety: a lock for each file, held over its sync: nobody writes a file while it is synced.
// Record:        offset, size before, number of old bytes (8 bytes each, as the machine has them), then the old bytes.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace {

struct File {
  std::mutex mutex;
  int undo_fd = -1;
  int read_fd = -1;
};

template <class Function>
Function* next(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) abort();
  return reinterpret_cast<Function*>(found);
}

using WriteFunction = ssize_t(int, const void*, size_t);
using PwriteFunction = ssize_t(int, const void*, size_t, off_t);
using SyncFunction = int(int);
using TruncateFunction = int(int, off_t);
using AllocateFunction = int(int, int, off_t, off_t);

WriteFunction* real_write() {
  static auto* function = next<WriteFunction>("write");
  return function;
}

constexpr int max_fds = 65'536;
// Which descriptor is which file; `untracked` for all that is not a file of the store, null: not asked yet.
std::array<std::atomic<File*>, max_fds> files_of_fds;
File untracked;
std::mutex files_mutex;

// By inode. Files are never closed: an inode that is held is not given to another file.
std::map<ino_t, File*>& files() {
  static auto* map = new std::map<ino_t, File*>;
  return *map;
}

std::string undo_path(ino_t inode) {
  return std::string(getenv("STRATA_POWER_LOSS_UNDO")) + "/" + std::to_string(inode) + ".undo";
}

File* look_up(int fd) {
  const char* data = getenv("STRATA_POWER_LOSS_DATA");
  struct stat status{};
  char path[4'096] = {};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  if (data == nullptr || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return &untracked;
  if (readlink(link.c_str(), path, sizeof(path) - 1) < 0) return &untracked;
  if (strncmp(path, data, strlen(data)) != 0 || path[strlen(data)] != '/') return &untracked;
  std::lock_guard lock(files_mutex);
  File*& file = files()[status.st_ino];
  if (file == nullptr) {
    file = new File;
    file->undo_fd = open(undo_path(status.st_ino).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    file->read_fd = open(link.c_str(), O_RDONLY | O_CLOEXEC);
    if (file->undo_fd < 0 || file->read_fd < 0) abort();
  }
  return file;
}

File* file_of(int fd) {
  if (fd < 0 || fd >= max_fds) return nullptr;
  File* file = files_of_fds[fd].load();
  if (file == nullptr) {
    file = look_up(fd);
    files_of_fds[fd] = file;
  }
  return file == &untracked ? nullptr : file;
}

// Before [offset, offset + size) changes. Under the file's lock.
void remember(File& file, uint64_t offset, uint64_t size) {
  struct stat status{};
  if (fstat(file.read_fd, &status) != 0) abort();
  const auto size_before = static_cast<uint64_t>(status.st_size);
  uint64_t old_bytes = 0;
  if (offset < size_before) old_bytes = size < size_before - offset ? size : size_before - offset;
  std::vector<char> record(24 + old_bytes);
  memcpy(record.data(), &offset, 8);
  memcpy(record.data() + 8, &size_before, 8);
  memcpy(record.data() + 16, &old_bytes, 8);
  const auto wanted = static_cast<ssize_t>(old_bytes);
  if (pread(file.read_fd, record.data() + 24, old_bytes, static_cast<off_t>(offset)) != wanted) abort();
  if (real_write()(file.undo_fd, record.data(), record.size()) != static_cast<ssize_t>(record.size())) abort();
}

uint64_t size_of(const File& file) {
  struct stat status{};
  if (fstat(file.read_fd, &status) != 0) abort();
  return static_cast<uint64_t>(status.st_size);
}

int sync_with(SyncFunction* real, int fd) {
  File* file = file_of(fd);
  if (file == nullptr) return real(fd);
  std::lock_guard lock(file->mutex);
  const int result = real(fd);
  static auto* real_truncate = next<TruncateFunction>("ftruncate");
  if (result == 0 && real_truncate(file->undo_fd, 0) != 0) abort();
  return result;
}

ssize_t pwrite_with(PwriteFunction* real, int fd, const void* data, size_t size, off_t offset) {
  File* file = file_of(fd);
  if (file == nullptr) return real(fd, data, size, offset);
  std::lock_guard lock(file->mutex);
  remember(*file, static_cast<uint64_t>(offset), size);
  return real(fd, data, size, offset);
}

int truncate_with(TruncateFunction* real, int fd, off_t size) {
  File* file = file_of(fd);
  if (file == nullptr) return real(fd, size);
  std::lock_guard lock(file->mutex);
  const uint64_t before = size_of(*file);
  const auto after = static_cast<uint64_t>(size);
  remember(*file, after < before ? after : before, after < before ? before - after : 0);
  return real(fd, size);
}

int allocate_with(AllocateFunction* real, int fd, int mode, off_t offset, off_t size) {
  File* file = file_of(fd);
  if (file == nullptr) return real(fd, mode, offset, size);
  std::lock_guard lock(file->mutex);
  remember(*file, static_cast<uint64_t>(offset), static_cast<uint64_t>(size));
  return real(fd, mode, offset, size);
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  File* file = file_of(fd);
  if (file == nullptr) return real_write()(fd, data, size);
  std::lock_guard lock(file->mutex);
  const bool appends = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
  remember(*file, appends ? size_of(*file) : static_cast<uint64_t>(lseek(fd, 0, SEEK_CUR)), size);
  return real_write()(fd, data, size);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  static auto* real = next<PwriteFunction>("pwrite");
  return pwrite_with(real, fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) {
  static auto* real = next<PwriteFunction>("pwrite64");
  return pwrite_with(real, fd, data, size, offset);
}

int ftruncate(int fd, off_t size) noexcept {
  static auto* real = next<TruncateFunction>("ftruncate");
  return truncate_with(real, fd, size);
}

int ftruncate64(int fd, off_t size) noexcept {
  static auto* real = next<TruncateFunction>("ftruncate64");
  return truncate_with(real, fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  static auto* real = next<AllocateFunction>("fallocate");
  return allocate_with(real, fd, mode, offset, size);
}

int fallocate64(int fd, int mode, off_t offset, off_t size) {
  static auto* real = next<AllocateFunction>("fallocate64");
  return allocate_with(real, fd, mode, offset, size);
}

int fsync(int fd) {
  static auto* real = next<SyncFunction>("fsync");
  return sync_with(real, fd);
}

int fdatasync(int fd) {
  static auto* real = next<SyncFunction>("fdatasync");
  return sync_with(real, fd);
}

int close(int fd) {
  static auto* real = next<SyncFunction>("close");
  if (fd >= 0 && fd < max_fds) files_of_fds[fd] = nullptr;
  return real(fd);
}

}  // extern "C"
