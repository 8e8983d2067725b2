#include "files/import.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/byte_stream.h"

namespace strata::bench {
namespace {

// Told from bytes it would take longer than everything else together; the peers do not tell it either.
constexpr std::string_view content_type = "application/octet-stream";
constexpr size_t small_bytes = 200'000;
constexpr size_t group_bytes = 2u << 20;
constexpr size_t group_files = 500;

class FileSource final : public ByteSource {
 public:
  explicit FileSource(const std::string& path) : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~FileSource() override {
    if (file_ >= 0) ::close(file_);
  }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  bool is_open() const { return file_ >= 0; }
  uint64_t size() const {
    struct stat status = {};
    return ::fstat(file_, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
  }
  Result<size_t> read(std::span<char> into) override {
    const ssize_t count = ::read(file_, into.data(), into.size());
    if (count < 0) return ErrorCode::io_error;
    return static_cast<size_t>(count);
  }

 private:
  const int file_;
};

// Takes files off the list, in turns with its fellows, and puts them in groups.
class Importer {
 public:
  Importer(service::Files& files, const std::vector<std::string>& names, size_t prefix, std::atomic<size_t>& next)
      : files_(files), names_(names), prefix_(prefix), next_(next) {}

  Result<void> run() {
    for (size_t at = next_.fetch_add(1); at < names_.size(); at = next_.fetch_add(1)) {
      RETURN_IF_ERROR(take(names_[at]));
    }
    return flush();
  }
  Imported done;

 private:
  struct Held {
    std::string path;
    Bytes bytes;
  };

  Result<void> take(const std::string& name) {
    FileSource source(name);
    if (!source.is_open()) return {};
    const std::string path = name.substr(prefix_);
    const uint64_t size = source.size();
    ++done.files;
    done.bytes += size;
    if (size > small_bytes) {
      return files_.put({}, {.path = path,
                             .content_type = content_type,
                             .body = &source,
                             .expected_bytes = size,
                             .keep_unchanged = true})
                     .ok()
                 ? Result<void>()
                 : Result<void>(ErrorCode::io_error);
    }
    Held held{.path = path, .bytes = Bytes(size, '\0')};
    ASSIGN_OR_RETURN(const size_t count, source.read(held.bytes));
    held.bytes.resize(count);
    bytes_ += count;
    held_.push_back(std::move(held));
    return bytes_ > group_bytes || held_.size() >= group_files ? flush() : Result<void>();
  }

  Result<void> flush() {
    std::vector<service::SmallFile> group;
    for (const Held& held : held_) {
      group.push_back({.path = held.path, .content_type = content_type, .bytes = held.bytes});
    }
    const auto put = files_.put_all({}, {.files = group, .keep_unchanged = true});
    if (!put.ok()) return put.error();
    held_.clear();
    bytes_ = 0;
    return {};
  }

  service::Files& files_;
  const std::vector<std::string>& names_;
  const size_t prefix_;
  std::atomic<size_t>& next_;
  std::vector<Held> held_;
  size_t bytes_ = 0;
};

}  // namespace

Result<Imported> import_directory(service::Files& files, const std::filesystem::path& directory, int threads) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && !entry.is_symlink()) names.push_back(entry.path().string());
  }
  std::ranges::sort(names);
  std::atomic<size_t> next{0};
  std::mutex mutex;
  Imported all;
  std::optional<Error> failed;
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      Importer importer(files, names, directory.string().size(), next);
      const Result<void> done = importer.run();
      std::lock_guard lock(mutex);
      if (!done.ok()) failed = done.error();
      all.files += importer.done.files;
      all.bytes += importer.done.bytes;
    });
  }
  for (std::thread& worker : workers) worker.join();
  if (failed) return *failed;
  return all;
}

}  // namespace strata::bench
