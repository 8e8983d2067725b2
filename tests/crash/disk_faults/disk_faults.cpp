// disk_faults: a library to preload (LD_PRELOAD) that kills the process at a named point of its writing, or lets it
// find the disk full. The release is what runs; nothing of this is in it.
//
// Purpose:       STRATA_FAULT_DATA names the directory of the files that are meant.
//                STRATA_KILL_AT="CALL WHEN N NAME": at the N-th CALL on a file whose name contains NAME the process
//                ends by SIGKILL, WHEN being `before` it, `after` it, or `half`, when a write has done half of its
//                bytes. CALL is write, fill (a write of bytes FF alone: a log that is written ahead), sync, rename
//                (NAME is the new one), unlink or truncate. STRATA_DISK_SPACE names a file with a number: by so many
//                bytes may files grow in all; then ENOSPC, after as much as fits. Who writes a larger number there
//                gives space back.
// Thread safety: counters are atomic; two threads may pass the number of bytes together by one write each.
// Not modelled:  writes through mmap; the space that removed files give back.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

template <class Function>
Function* next(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) abort();
  return reinterpret_cast<Function*>(found);
}

using PwriteFunction = ssize_t(int, const void*, size_t, off_t);
using WriteFunction = ssize_t(int, const void*, size_t);

const std::string& data_directory() {
  static const std::string* path = new std::string(getenv("STRATA_FAULT_DATA") ? getenv("STRATA_FAULT_DATA") : "");
  return *path;
}

struct KillPoint {
  std::string call;
  std::string when;
  long number = 0;
  std::string name;
};

const KillPoint* kill_point() {
  static const KillPoint* point = []() -> const KillPoint* {
    const char* text = getenv("STRATA_KILL_AT");
    char call[32], when[32], name[128];
    long number = 0;
    if (text == nullptr || sscanf(text, "%31s %31s %ld %127s", call, when, &number, name) != 4) return nullptr;
    return new KillPoint{call, when, number, name};
  }();
  return point;
}

// Empty: not a file below the directory.
std::string name_of(const std::string& path) {
  const std::string& directory = data_directory();
  if (directory.empty() || !path.starts_with(directory + "/")) return "";
  return path.substr(path.rfind('/') + 1);
}

std::string name_of(int fd) {
  char path[4'096] = {};
  struct stat status{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  if (data_directory().empty() || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return "";
  if (readlink(link.c_str(), path, sizeof(path) - 1) < 0) return "";
  return name_of(std::string(path));
}

std::atomic<long> passed = 0;

// Where this call ends the process; nullptr: nowhere.
const char* when_to_kill(const char* call, const std::string& name) {
  const KillPoint* point = kill_point();
  if (point == nullptr || name.empty() || point->call != call) return nullptr;
  if (name.find(point->name) == std::string::npos) return nullptr;
  return ++passed == point->number ? point->when.c_str() : nullptr;
}

[[noreturn]] void die() {
  raise(SIGKILL);
  abort();
}

// Does it in between, if it is still there.
template <class Call>
auto at_point(const char* call, const std::string& name, Call real) {
  const char* when = when_to_kill(call, name);
  if (when != nullptr && strcmp(when, "after") != 0) die();
  const int before = errno;
  const auto result = real();
  if (when != nullptr) die();
  if (result >= 0) errno = before;
  return result;
}

// How many of `bytes` that a file would grow by have room.
size_t room_for(size_t bytes) {
  static const char* const file = getenv("STRATA_DISK_SPACE");
  static std::atomic<long> used = 0;
  if (file == nullptr || bytes == 0) return bytes;
  const int fd = open(file, O_RDONLY | O_CLOEXEC);
  char text[32] = {};
  if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0) abort();
  close(fd);
  const long left = std::max(0L, atol(text) - used.load());
  const size_t fits = std::min(bytes, static_cast<size_t>(left));
  used += static_cast<long>(fits);
  return fits;
}

size_t growth(int fd, size_t size, off_t offset) {
  struct stat status{};
  if (fstat(fd, &status) != 0) return 0;
  const off_t end = offset + static_cast<off_t>(size);
  return end > status.st_size ? std::min(size, static_cast<size_t>(end - status.st_size)) : 0;
}

bool is_fill(const void* data, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  return size >= 4'096 && std::all_of(bytes, bytes + size, [](unsigned char byte) { return byte == 0xFF; });
}

// real(n): writes the first n bytes.
template <class Write>
ssize_t write_with(int fd, const void* data, size_t size, off_t offset, Write real) {
  const std::string name = name_of(fd);
  if (name.empty()) return real(size);
  const size_t grows = growth(fd, size, offset);
  const size_t fits = size - grows + room_for(grows);
  if (fits < size) {
    if (fits > 0) return real(fits);
    errno = ENOSPC;
    return -1;
  }
  const char* when = when_to_kill(is_fill(data, size) ? "fill" : "write", name);
  if (when == nullptr) return real(size);
  if (strcmp(when, "half") == 0) real(size / 2);
  if (strcmp(when, "after") == 0) real(size);
  die();
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  static auto* real = next<WriteFunction>("write");
  if (fd <= 2) return real(fd, data, size);
  const bool appends = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
  struct stat status{};
  const off_t offset = appends && fstat(fd, &status) == 0 ? status.st_size : lseek(fd, 0, SEEK_CUR);
  return write_with(fd, data, size, offset, [&](size_t count) { return real(fd, data, count); });
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  static auto* real = next<PwriteFunction>("pwrite");
  return write_with(fd, data, size, offset, [&](size_t count) { return real(fd, data, count, offset); });
}

ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) {
  static auto* real = next<PwriteFunction>("pwrite64");
  return write_with(fd, data, size, offset, [&](size_t count) { return real(fd, data, count, offset); });
}

int fsync(int fd) {
  static auto* real = next<int(int)>("fsync");
  return at_point("sync", name_of(fd), [fd] { return real(fd); });
}

int fdatasync(int fd) {
  static auto* real = next<int(int)>("fdatasync");
  return at_point("sync", name_of(fd), [fd] { return real(fd); });
}

int ftruncate(int fd, off_t size) noexcept {
  static auto* real = next<int(int, off_t)>("ftruncate");
  return at_point("truncate", name_of(fd), [&] { return real(fd, size); });
}

int ftruncate64(int fd, off_t size) noexcept {
  static auto* real = next<int(int, off_t)>("ftruncate64");
  return at_point("truncate", name_of(fd), [&] { return real(fd, size); });
}

int rename(const char* from, const char* to) noexcept {
  static auto* real = next<int(const char*, const char*)>("rename");
  return at_point("rename", name_of(std::string(to)), [&] { return real(from, to); });
}

int unlink(const char* path) noexcept {
  static auto* real = next<int(const char*)>("unlink");
  return at_point("unlink", name_of(std::string(path)), [&] { return real(path); });
}

}  // extern "C"
