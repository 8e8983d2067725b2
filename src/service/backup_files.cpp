#include "service/backup_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace strata::service {
namespace {

constexpr size_t max_path_bytes = 1'024;
constexpr size_t max_names = 32;
constexpr size_t max_name_bytes = 255 - backup_temporary_suffix.size();
// So much is left to the kernel before it is told to begin writing: one sync of gigabytes at the end would make every
// commit wait for it.
constexpr uint64_t write_back_bytes = 8u << 20;

Error file_error(std::string_view what, std::string_view path, int number) {
  if (number == ENOSPC || number == EDQUOT) return ErrorCode::disk_full;
  return {ErrorCode::io_error, fmt::format("{} {}: {}", what, path, std::generic_category().message(number))};
}

Error invalid(std::string_view field, std::string_view what) {
  return {ErrorCode::invalid_argument, fmt::format("{} {}", field, what)};
}

Result<void> check_name(std::string_view name, std::string_view field) {
  if (name == "..") return invalid(field, "must not contain ..");
  if (name.size() > max_name_bytes)
    return invalid(field, fmt::format("holds a name of more than {} bytes", max_name_bytes));
  if (std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
    return invalid(field, "must not contain control characters");
  }
  return {};
}

Result<std::vector<std::string>> split(std::string_view text, std::string_view field) {
  if (text.empty()) return invalid(field, "must not be empty");
  if (text.size() > max_path_bytes) return invalid(field, fmt::format("is longer than {} bytes", max_path_bytes));
  if (text.front() == '/') return invalid(field, "must be relative to the backup root");
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find('/'));
    RETURN_IF_ERROR(check_name(name, field));
    if (!name.empty() && name != ".") names.emplace_back(name);
    text.remove_prefix(std::min(text.size(), name.size() + 1));
  }
  if (names.size() > max_names) return invalid(field, fmt::format("is deeper than {} names", max_names));
  return names;
}

// Below `parent`, never through a symbolic link.
int open_directory(int parent, const std::string& name) {
  return ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// What stands in the way of a name that should be a directory, or a plain file.
bool in_the_way(int number) { return number == ENOTDIR || number == ELOOP || number == EISDIR || number == ENXIO; }

}  // namespace

Result<BackupPath> BackupPath::of_file(std::string_view text, std::string_view field) {
  BackupPath path;
  ASSIGN_OR_RETURN(path.names_, split(text, field));
  if (path.names_.empty() || !text.ends_with(path.names_.back())) return invalid(field, "must name a file");
  if (path.names_.back().ends_with(backup_temporary_suffix)) {
    return invalid(field,
                   fmt::format("must not end with {}: files are written under such names", backup_temporary_suffix));
  }
  return path;
}

Result<BackupPath> BackupPath::of_directory(std::string_view text, std::string_view field) {
  BackupPath path;
  ASSIGN_OR_RETURN(path.names_, split(text, field));
  return path;
}

BackupPath BackupPath::file(std::string name) const {
  BackupPath path = *this;
  path.names_.push_back(std::move(name));
  return path;
}

BackupPath BackupPath::below(std::string_view name) const {
  BackupPath path = *this;
  path.names_.emplace(path.names_.begin(), name);
  return path;
}

std::string BackupPath::text() const {
  std::string text;
  for (const std::string& name : names_) text += text.empty() ? name : "/" + name;
  return text;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

BackupFile::BackupFile(Descriptor directory, Descriptor file, std::string name, std::string path)
    : directory_(std::move(directory)), file_(std::move(file)), name_(std::move(name)), path_(std::move(path)) {}

BackupFile::~BackupFile() {
  const std::string temporary = name_ + std::string(backup_temporary_suffix);
  if (!finished_) ::unlinkat(directory_.number(), temporary.c_str(), 0);
}

Result<void> BackupFile::write(BytesView bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.number(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error("cannot write", path_, errno);
    bytes.remove_prefix(static_cast<size_t>(count));
    written_ += static_cast<uint64_t>(count);
  }
  if (written_ - started_ >= write_back_bytes) {
    // A hint: what goes wrong here is told by the sync.
    ::sync_file_range(file_.number(), static_cast<off64_t>(started_), static_cast<off64_t>(written_ - started_),
                      SYNC_FILE_RANGE_WRITE);
    started_ = written_;
  }
  return {};
}

Result<void> BackupFile::finish() {
  if (::fsync(file_.number()) != 0) return file_error("cannot sync", path_, errno);
  const std::string temporary = name_ + std::string(backup_temporary_suffix);
  if (::renameat(directory_.number(), temporary.c_str(), directory_.number(), name_.c_str()) != 0) {
    const int number = errno;
    if (number == EISDIR) return Error(ErrorCode::invalid_argument, fmt::format("{} is a directory", path_));
    return file_error("cannot rename to", path_, number);
  }
  finished_ = true;
  if (::fsync(directory_.number()) != 0) return file_error("cannot sync the directory of", path_, errno);
  return {};
}

Result<FileSource> FileSource::open(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open()) return file_error("cannot open", path, errno);
  return FileSource(std::move(file));
}

Result<size_t> FileSource::read(std::span<char> into) {
  for (;;) {
    const ssize_t count = ::read(file_.number(), into.data(), into.size());
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EINTR) return file_error("cannot read", "the backup", errno);
  }
}

BackupFiles::BackupFiles(std::string root) : root_(std::filesystem::absolute(root).lexically_normal().string()) {}

std::string BackupFiles::absolute(const BackupPath& path) const { return fmt::format("{}/{}", root_, path.text()); }

Result<Descriptor> BackupFiles::open_parent(const BackupPath& path, bool make) const {
  if (make) {
    std::error_code error;
    const bool made = std::filesystem::create_directories(root_, error);
    if (error) return file_error("cannot create", root_, error.value());
    if (made) {
      // Else a power cut takes the directory with the backup that was answered for.
      const std::string above = std::filesystem::path(root_).parent_path().string();
      const Descriptor parent(::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!parent.open() || ::fsync(parent.number()) != 0) return file_error("cannot sync", above, errno);
    }
  }
  // The root itself may be a link: it is the operator's, who may want backups on another disk.
  Descriptor at(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at.open() && errno == ENOENT && !make) return Descriptor();
  if (!at.open()) return file_error("cannot open", root_, errno);
  std::string walked = root_;
  for (size_t i = 0; i + 1 < path.names().size(); ++i) {
    const std::string& name = path.names()[i];
    walked += "/" + name;
    Descriptor next(open_directory(at.number(), name));
    if (!next.open() && errno == ENOENT && !make) return Descriptor();
    if (!next.open() && errno == ENOENT) {
      if (::mkdirat(at.number(), name.c_str(), 0777) != 0 && errno != EEXIST) {
        return file_error("cannot create", walked, errno);
      }
      if (::fsync(at.number()) != 0) return file_error("cannot sync the directory of", walked, errno);
      next = Descriptor(open_directory(at.number(), name));
    }
    if (!next.open() && in_the_way(errno)) {
      return Error(ErrorCode::invalid_argument, fmt::format("{} is no directory", walked));
    }
    if (!next.open()) return file_error("cannot open", walked, errno);
    at = std::move(next);
  }
  return at;
}

Result<std::unique_ptr<BackupFile>> BackupFiles::create(const BackupPath& path) const {
  STRATA_ASSERT(!path.names().empty());
  ASSIGN_OR_RETURN(Descriptor directory, open_parent(path, true));
  const std::string& name = path.names().back();
  const std::string text = absolute(path);
  struct stat found{};
  if (::fstatat(directory.number(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(found.st_mode)) {
    return Error(ErrorCode::invalid_argument, fmt::format("{} stands there and is no plain file", text));
  }
  const std::string temporary = name + std::string(backup_temporary_suffix);
  for (;;) {
    constexpr int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    Descriptor file(::openat(directory.number(), temporary.c_str(), flags, 0666));
    struct stat opened{};
    if (!file.open() && !in_the_way(errno)) return file_error("cannot create", text, errno);
    if (!file.open() || ::fstat(file.number(), &opened) != 0 || !S_ISREG(opened.st_mode)) {
      return Error(ErrorCode::invalid_argument,
                   fmt::format("{}{} stands there and is no plain file", text, backup_temporary_suffix));
    }
    // Held until the file is closed, also by a kill: whoever comes meanwhile writes the same file.
    if (::flock(file.number(), LOCK_EX | LOCK_NB) != 0) {
      return Error(ErrorCode::already_exists, fmt::format("another backup writes {} now", text));
    }
    // Between open and lock the one before us may have given this very file its final name.
    struct stat named{};
    const bool there = ::fstatat(directory.number(), temporary.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there || named.st_ino != opened.st_ino || named.st_dev != opened.st_dev) continue;
    if (::ftruncate(file.number(), 0) != 0) return file_error("cannot truncate", text, errno);
    return std::make_unique<BackupFile>(std::move(directory), std::move(file), name, text);
  }
}

Result<std::unique_ptr<FileSource>> BackupFiles::open(const BackupPath& path) const {
  ASSIGN_OR_RETURN(const Descriptor directory, open_parent(path, false));
  if (!directory.open()) return nullptr;
  constexpr int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  Descriptor file(::openat(directory.number(), path.names().back().c_str(), flags));
  if (!file.open() && errno == ENOENT) return nullptr;
  if (!file.open()) return file_error("cannot open", absolute(path), errno);
  return std::make_unique<FileSource>(std::move(file));
}

Result<std::vector<blobs::BlobInfo>> BackupFiles::list(const BackupPath& directory) const {
  std::vector<blobs::BlobInfo> files;
  ASSIGN_OR_RETURN(const Descriptor opened, open_parent(directory.file("."), false));
  if (!opened.open()) return files;
  // The stream closes a descriptor of its own.
  const int copy = ::fcntl(opened.number(), F_DUPFD_CLOEXEC, 0);
  DIR* const entries = copy < 0 ? nullptr : ::fdopendir(copy);
  if (entries == nullptr) {
    const int number = errno;
    if (copy >= 0) ::close(copy);
    return file_error("cannot list", absolute(directory), number);
  }
  while (const dirent* entry = ::readdir(entries)) {
    const std::string name = entry->d_name;
    struct stat found{};
    if (name.ends_with(backup_temporary_suffix) ||
        ::fstatat(opened.number(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(found.st_mode)) {
      continue;
    }
    files.push_back({name, static_cast<uint64_t>(found.st_size)});
  }
  ::closedir(entries);
  return files;
}

Result<void> BackupFiles::remove(const BackupPath& path) const {
  ASSIGN_OR_RETURN(const Descriptor directory, open_parent(path, false));
  if (!directory.open()) return {};
  if (::unlinkat(directory.number(), path.names().back().c_str(), 0) != 0 && errno != ENOENT) {
    return file_error("cannot remove", absolute(path), errno);
  }
  if (::fsync(directory.number()) != 0) return file_error("cannot sync the directory of", absolute(path), errno);
  return {};
}

}  // namespace strata::service
