#include "engine/rocksdb/format_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <vector>

namespace strata::kv {
namespace {

using std::filesystem::path;

// 2: large values in files of our own, with references in the tree.
constexpr int format_version = 2;
constexpr const char* format_name = "STRATA-FORMAT";
constexpr const char* format_temporary_name = "STRATA-FORMAT.new";
constexpr std::string_view format_first_line = "strata rocksdb store";

Result<void> checked(const rocksdb::Status& status, std::string_view what, const path& name) {
  if (status.ok()) return {};
  const Error error = to_error(status);
  return Error(error.code(), fmt::format("{} {}: {}", what, name.string(), error.message()));
}

Result<void> write_and_sync(rocksdb::FileSystem& files, const path& name, std::string_view text) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  RETURN_IF_ERROR(checked(files.NewWritableFile(name.string(), {}, &file, nullptr), "cannot create", name));
  rocksdb::IOStatus status = file->Append({text.data(), text.size()}, {}, nullptr);
  if (status.ok()) status = file->Fsync({}, nullptr);
  if (status.ok()) status = file->Close({}, nullptr);
  return checked(status, "cannot write", name);
}

Result<void> sync_names(rocksdb::FileSystem& files, const path& directory) {
  return checked(sync_directory(files, directory), "cannot sync", directory);
}

Result<bool> exists(rocksdb::FileSystem& files, const path& name) {
  const rocksdb::IOStatus status = files.FileExists(name.string(), {}, nullptr);
  if (status.IsNotFound()) return false;
  RETURN_IF_ERROR(checked(status, "cannot look for", name));
  return true;
}

// With all that is above it; each new name is synced, or the store would be lost with it.
Result<void> create_directories(rocksdb::FileSystem& files, const path& directory) {
  std::vector<path> missing;
  for (path at = directory; !at.empty(); at = at.parent_path()) {
    ASSIGN_OR_RETURN(const bool there, exists(files, at));
    if (there) break;
    if (at.has_filename()) missing.push_back(at);
    if (!at.has_relative_path()) break;
  }
  for (auto at = missing.rbegin(); at != missing.rend(); ++at) {
    RETURN_IF_ERROR(checked(files.CreateDirIfMissing(at->string(), {}, nullptr), "cannot create", *at));
    const path parent = at->parent_path();
    RETURN_IF_ERROR(sync_names(files, parent.empty() ? "." : parent));
  }
  return {};
}

// What may be in a directory that nobody has used yet: what mkfs leaves, and our own start that a crash cut short.
Result<bool> is_unused(rocksdb::FileSystem& files, const path& directory) {
  std::vector<std::string> names;
  RETURN_IF_ERROR(checked(files.GetChildren(directory.string(), {}, &names, nullptr), "cannot list", directory));
  return std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return name == "." || name == ".." || name == "lost+found" || name == format_temporary_name;
  });
}

// nullopt: there is no format file.
Result<std::optional<int>> read_format(rocksdb::FileSystem& files, const path& directory) {
  const path name = directory / format_name;
  ASSIGN_OR_RETURN(const bool there, exists(files, name));
  if (!there) return std::optional<int>();
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  RETURN_IF_ERROR(checked(files.NewSequentialFile(name.string(), {}, &file, nullptr), "cannot open", name));
  char buffer[256];
  rocksdb::Slice found;
  RETURN_IF_ERROR(checked(file->Read(sizeof buffer, {}, &found, buffer, nullptr), "cannot read", name));
  std::string_view text(found.data(), found.size());
  const auto next_line = [&text] {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    return line;
  };
  const std::string_view first_line = next_line();
  const std::string_view second_line = next_line();
  int format = 0;
  constexpr std::string_view word = "format ";
  const bool shaped = first_line == format_first_line && second_line.starts_with(word);
  const char* end = second_line.data() + second_line.size();
  if (!shaped || std::from_chars(second_line.data() + word.size(), end, format).ptr != end || format < 1) {
    return Error(ErrorCode::invalid_argument, fmt::format("{} is not the format file of a store", name.string()));
  }
  return std::optional<int>(format);
}

Result<void> write_format(rocksdb::FileSystem& files, const path& directory) {
  const path temporary = directory / format_temporary_name;
  const path name = directory / format_name;
  RETURN_IF_ERROR(write_and_sync(files, temporary, fmt::format("{}\nformat {}\n", format_first_line, format_version)));
  RETURN_IF_ERROR(checked(files.RenameFile(temporary.string(), name.string(), {}, nullptr), "cannot create", name));
  return sync_names(files, directory);
}

}  // namespace

rocksdb::IOStatus sync_directory(rocksdb::FileSystem& files, const path& directory) {
  std::unique_ptr<rocksdb::FSDirectory> names;
  const rocksdb::IOStatus status = files.NewDirectory(directory.string(), {}, &names, nullptr);
  return status.ok() ? names->Fsync({}, nullptr) : status;
}

Result<int> check_format(rocksdb::FileSystem& files, const path& directory) {
  ASSIGN_OR_RETURN(const std::optional<int> format, read_format(files, directory));
  if (!format) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("{} holds no {} file: it is not a store of this engine. Nothing was changed; name an "
                             "empty or a new directory",
                             directory.string(), format_name));
  }
  if (*format > format_version) {
    return Error(
        ErrorCode::invalid_argument,
        fmt::format("{} has format {}, written by a newer Strata; this one reads up to {}. Nothing was changed",
                    directory.string(), *format, format_version));
  }
  return *format;
}

// The format file is the first thing in the directory: whatever comes later is ours.
Result<void> prepare_directory(rocksdb::FileSystem& files, const path& directory) {
  RETURN_IF_ERROR(create_directories(files, directory));
  ASSIGN_OR_RETURN(const std::optional<int> format, read_format(files, directory));
  bool unused = false;
  if (!format) {
    ASSIGN_OR_RETURN(unused, is_unused(files, directory));
  }
  if (unused) return write_format(files, directory);
  RETURN_IF_ERROR(check_format(files, directory));
  // A start that was cut short may have ended between the renaming and this.
  return sync_names(files, directory);
}

Result<void> mark_format(rocksdb::FileSystem& files, const path& directory) {
  ASSIGN_OR_RETURN(const int known, check_format(files, directory));
  if (known == format_version) return {};
  return write_format(files, directory);
}

}  // namespace strata::kv
