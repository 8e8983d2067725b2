#include "service/directory_import.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <thread>

#include "layers/files/path.h"
#include "service/backup_files.h"
#include "service/content_type.h"
#include "service/file_content.h"
#include "service/file_trees.h"
#include "service/file_writer.h"
#include "service/run.h"

namespace strata::service {
namespace {

using archive::EntryKind;

// What a worker takes and compares at once, and what it commits at once.
constexpr size_t slice_files = 256;
constexpr size_t group_bytes = 2u << 20;
constexpr size_t most_slices_waiting = 16;

// What tells that a file is still the one that was imported: any write changes its time of change.
Bytes identity_of(const struct stat& stat) {
  const auto nanoseconds = [](const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; };
  return fmt::format(R"({{"inode":{},"changed_ns":{},"modified_ns":{}}})", stat.st_ino, nanoseconds(stat.st_ctim),
                     nanoseconds(stat.st_mtim));
}

int64_t age_ms(const timespec& time) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return (now.tv_sec - time.tv_sec) * 1'000 + (now.tv_nsec - time.tv_nsec) / 1'000'000;
}

// The names of a directory in order.
Result<std::vector<std::string>> names_in(const std::string& directory) {
  DIR* const stream = ::opendir(directory.c_str());
  if (stream == nullptr) return Error(ErrorCode::invalid_argument, std::strerror(errno));
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

struct DirectoryImport::Candidate {
  std::string file;
  std::string path;
  bool symlink = false;
  uint64_t size = 0;
  // Of the file as it was found; a symlink's target.
  Bytes identity;
};

// Some of a directory's candidates, in order.
struct DirectoryImport::Slice {
  std::string path;
  // The name before the first; empty: there is none.
  std::string after;
  std::vector<Candidate> candidates;
};

// One group of a worker: operations, and the names of what they are made of.
class DirectoryImport::ImportGroup {
 public:
  explicit ImportGroup(FileSystem& system) : writer_(system.writer(files::head)) {}

  void add(std::string file, std::unique_ptr<FileOperation> operation) {
    bytes_ += operation->bytes();
    operations_.push_back({std::move(file), std::move(operation)});
  }
  bool full() const { return bytes_ >= group_bytes; }
  // fail(file, error) for each that could not be stored. An error ends the run.
  template <class Fail>
  Result<void> commit(const Context& context, Fail fail) {
    std::vector<FileOperation*> group;
    for (const auto& [file, operation] : operations_) group.push_back(operation.get());
    Result<void> committed = group.empty() ? Result<void>() : writer_->submit(context, group);
    if (!committed.ok() && is_of_one(committed.error())) {
      // One that cannot be there would keep the others out.
      for (const auto& [file, operation] : operations_) {
        committed = writer_->submit(context, *operation);
        if (committed.ok()) continue;
        if (!is_of_one(committed.error())) break;
        fail(file, committed.error());
        committed = {};
      }
    }
    operations_.clear();
    bytes_ = 0;
    return committed;
  }

 private:
  static bool is_of_one(const Error& error) {
    return error.code() == ErrorCode::already_exists || error.code() == ErrorCode::invalid_argument;
  }

  const std::shared_ptr<FileWriter> writer_;
  std::vector<std::pair<std::string, std::unique_ptr<FileOperation>>> operations_;
  size_t bytes_ = 0;
};

class DirectoryImport::Queue {
 public:
  // False: nobody takes any more.
  bool add(Slice slice) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return slices_.size() < most_slices_waiting || error_; });
    if (error_) return false;
    slices_.push_back(std::move(slice));
    changed_.notify_all();
    return true;
  }
  std::optional<Slice> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !slices_.empty() || closed_ || error_; });
    if (slices_.empty() || error_) return std::nullopt;
    Slice slice = std::move(slices_.front());
    slices_.pop_front();
    changed_.notify_all();
    return slice;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  // The run is over.
  void fail(Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
    changed_.notify_all();
  }
  std::optional<Error> error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Slice> slices_;
  bool closed_ = false;
  std::optional<Error> error_;
};

DirectoryImport::DirectoryImport(FileSystem& system, DirectoryImportRequest request)
    : system_(system), request_(std::move(request)) {}

DirectoryImport::~DirectoryImport() = default;

DirectoryImportReport DirectoryImport::progress() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void DirectoryImport::fail(const std::string& name, std::string_view why) {
  const std::lock_guard lock(mutex_);
  ++report_.failed;
  if (report_.failures.size() < max_failures_told) {
    report_.failures.push_back(fmt::format("{}: {}", printable(name, 1'000), why));
  }
}

Result<DirectoryImportReport> DirectoryImport::run(const Context& context) {
  ASSIGN_OR_RETURN(const std::string path, files::canonical_path(request_.path));
  RETURN_IF_ERROR(files::check_not_reserved(path));
  struct stat stat{};
  if (::stat(request_.directory.c_str(), &stat) != 0 || !S_ISDIR(stat.st_mode)) {
    return Error(ErrorCode::invalid_argument, request_.directory + " is no directory");
  }
  report_ = {};
  queue_ = std::make_unique<Queue>();
  // Files that the system does not hold are waited for one by one: sixteen threads take a quarter less time than four
  // then, and the same where it holds all of them.
  const size_t count =
      request_.threads != 0 ? request_.threads : std::max(16u, 2 * std::thread::hardware_concurrency());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; ++i) threads.emplace_back([&] { work(context); });
  const Result<void> walked = walk("", path, 0);
  if (!walked.ok()) queue_->fail(walked.error());
  queue_->close();
  for (std::thread& thread : threads) thread.join();
  if (const std::optional<Error> error = queue_->error()) return *error;
  // Where commits are only handed to the system, one that is not makes all before it durable.
  RETURN_IF_ERROR(run_transaction(system_.database(), context, system_.clock(), kv::Durability::sync,
                                  [&](kv::Transaction& transaction) -> Result<void> {
                                    ASSIGN_OR_RETURN(const auto head, files::read_branch(transaction, files::head));
                                    if (head->created_at_ms != 0) files::set_branch(transaction, *head);
                                    return {};
                                  }));
  return progress();
}

// `below`: the directory behind the one that is imported, with a slash in front; empty for that itself.
Result<void> DirectoryImport::walk(const std::string& below, const std::string& path, size_t depth) {
  const std::string directory = request_.directory + below;
  Result<std::vector<std::string>> names = names_in(directory);
  if (!names.ok() || depth >= files::max_depth) {
    fail(directory, names.ok() ? "too deep" : names.error().message());
    return {};
  }
  std::vector<Candidate> candidates;
  std::vector<std::string> directories;
  for (const std::string& name : *names) {
    const std::string file = directory + "/" + name;
    const std::string below_path = files::join_path(path, name);
    struct stat stat{};
    if (const auto valid = files::canonical_written_path(below_path); !valid.ok()) {
      fail(file, valid.error().message());
    } else if (::lstat(file.c_str(), &stat) != 0) {
      fail(file, std::strerror(errno));
    } else if (S_ISDIR(stat.st_mode)) {
      directories.push_back(name);
    } else if (S_ISLNK(stat.st_mode)) {
      char target[files::max_path_bytes + 1];
      const ssize_t size = ::readlink(file.c_str(), target, sizeof target);
      if (size < 0) {
        fail(file, std::strerror(errno));
      } else {
        candidates.push_back({file, below_path, true, 0, Bytes(target, static_cast<size_t>(size))});
      }
    } else if (S_ISREG(stat.st_mode)) {
      candidates.push_back({file, below_path, false, static_cast<uint64_t>(stat.st_size), identity_of(stat)});
    } else {
      const std::lock_guard lock(mutex_);
      ++report_.skipped;
    }
  }
  names->clear();
  RETURN_IF_ERROR(hand_on(path, std::move(candidates)));
  for (const std::string& name : directories) {
    RETURN_IF_ERROR(walk(below + "/" + name, files::join_path(path, name), depth + 1));
  }
  return {};
}

// An error: the run is over.
Result<void> DirectoryImport::hand_on(const std::string& path, std::vector<Candidate> candidates) {
  std::string after;
  for (size_t begin = 0; begin < candidates.size(); begin += slice_files) {
    const auto first = std::make_move_iterator(candidates.begin() + static_cast<ptrdiff_t>(begin));
    const auto count = static_cast<ptrdiff_t>(std::min(candidates.size() - begin, slice_files));
    Slice slice{.path = path, .after = after, .candidates = {first, first + count}};
    after = files::name_of_path(slice.candidates.back().path);
    if (!queue_->add(std::move(slice))) return *queue_->error();
  }
  return {};
}

// Takes out those that are in the versioned directory as they are.
Result<void> DirectoryImport::drop_unchanged(const Context& context, Slice& slice) {
  std::vector<Candidate>& candidates = slice.candidates;
  std::vector<bool> same;
  RETURN_IF_ERROR(system_.read(context, [&](const files::EntryReader& reader) -> Result<void> {
    same.assign(candidates.size(), false);
    ASSIGN_OR_RETURN(const auto head, files::read_branch(reader.transaction(), files::head));
    ASSIGN_OR_RETURN(const auto directory, files::find_path(reader, head->root, slice.path));
    if (!directory || directory->kind != EntryKind::directory) return {};
    files::Children children(reader, directory->hash, slice.after);
    bool more = children.next();
    for (size_t at = 0; at < candidates.size() && more; ++at) {
      const Candidate& candidate = candidates[at];
      const std::string_view name = files::name_of_path(candidate.path);
      while (more && children.entry().name < name) more = children.next();
      if (!more || children.entry().name != name) continue;
      const archive::ChildEntry& entry = children.entry();
      if (candidate.symlink && entry.kind == EntryKind::symlink) {
        ASSIGN_OR_RETURN(const archive::SymlinkRecord record, reader.symlink(entry.hash));
        same[at] = record.target == candidate.identity;
      } else if (!candidate.symlink && entry.kind == EntryKind::file && entry.size == candidate.size) {
        ASSIGN_OR_RETURN(const archive::FileRecord record, reader.file_record(entry.hash));
        same[at] = record.metadata == candidate.identity;
      }
    }
    return children.status();
  }));
  size_t at = 0;
  const size_t unchanged = std::erase_if(candidates, [&](const Candidate&) { return same[at++]; });
  const std::lock_guard lock(mutex_);
  report_.unchanged += unchanged;
  return {};
}

void DirectoryImport::work(const Context& context) {
  // Goes on from slice to slice: most directories have a few files, and each commit writes all directories on the way.
  ImportGroup group(system_);
  while (std::optional<Slice> slice = queue_->take()) {
    Result<void> done = drop_unchanged(context, *slice);
    if (done.ok()) done = import_slice(context, *slice, group);
    if (!done.ok()) return queue_->fail(done.error());
  }
  if (queue_->error()) return;
  if (const Result<void> done = commit(context, group); !done.ok()) queue_->fail(done.error());
}

Result<std::unique_ptr<FileOperation>> DirectoryImport::read_file(const Candidate& candidate) {
  Descriptor file(::open(candidate.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat stat{};
  if (!file.open() || ::fstat(file.number(), &stat) != 0) return Error(ErrorCode::io_error, std::strerror(errno));
  if (!S_ISREG(stat.st_mode)) return Error(ErrorCode::invalid_argument, "is no file any more");
  auto operation = std::make_unique<PutFile>();
  operation->path = candidate.path;
  // As it is before it is read: what is written meanwhile is another file to the next import.
  if (age_ms(stat.st_ctim) >= request_.settled_ms) operation->metadata = identity_of(stat);
  FileSource source(std::move(file));
  ASSIGN_OR_RETURN(Bytes first, read_first(source, static_cast<uint64_t>(stat.st_size)));
  operation->content_type = content_type_of_file(candidate.path, first);
  RETURN_IF_ERROR(take_content(system_, std::move(first), source, *operation));
  const std::lock_guard lock(mutex_);
  ++report_.files;
  report_.bytes += operation->total_size;
  return std::unique_ptr<FileOperation>(std::move(operation));
}

Result<void> DirectoryImport::commit(const Context& context, ImportGroup& group) {
  return group.commit(context, [&](const std::string& file, const Error& error) { fail(file, error.message()); });
}

Result<void> DirectoryImport::import_slice(const Context& context, const Slice& slice, ImportGroup& group) {
  for (const Candidate& candidate : slice.candidates) {
    if (candidate.symlink) {
      auto operation = std::make_unique<PutSymlink>();
      operation->path = candidate.path;
      operation->target = candidate.identity;
      if (const auto valid = validate_target(operation->target); !valid.ok()) {
        fail(candidate.file, valid.error().message());
        continue;
      }
      group.add(candidate.file, std::move(operation));
      const std::lock_guard lock(mutex_);
      ++report_.symlinks;
    } else if (Result<std::unique_ptr<FileOperation>> operation = read_file(candidate); operation.ok()) {
      group.add(candidate.file, *std::move(operation));
    } else {
      fail(candidate.file, operation.error().message());
    }
    if (group.full()) RETURN_IF_ERROR(commit(context, group));
  }
  return {};
}

}  // namespace strata::service
