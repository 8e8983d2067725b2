#include "engine/rocksdb/value_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/log.h"
#include "base/parse_number.h"
#include "engine/rocksdb/format_file.h"

namespace strata::kv {
namespace {

constexpr std::string_view suffix = ".values";
constexpr BytesView file_header("strata values\0\0\1", 16);
// Of a record, before its key: sizes of key and value, the value's hash, the hash of those 16 bytes and the key.
constexpr size_t header_bytes = 24;
// Space is taken from the file system in pieces: half the CPU of a write whose blocks are not allocated yet.
constexpr size_t preallocated_bytes = 8u << 20;
constexpr size_t most_key_bytes = 64u << 10;
constexpr uint64_t most_number = uint64_t{1} << 62;

std::optional<uint64_t> file_number(std::string_view name) {
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  return parse_number<uint64_t>(name);
}

// Of a record's first 16 bytes and its key.
uint64_t record_check(BytesView sizes_and_hash, BytesView key) {
  Bytes checked(sizes_and_hash);
  checked.append(key);
  return value_hash(checked);
}

}  // namespace

struct ValueFiles::File {
  uint64_t number = 0;
  std::atomic<uint64_t> bytes = 0;
  std::atomic<bool> sealed = false;
  // Opened by a read; one that uses it shares it.
  mutable std::mutex mutex;
  mutable std::shared_ptr<rocksdb::FSRandomAccessFile> reader;
};

std::filesystem::path ValueFiles::name_of(uint64_t number) const {
  return directory_ / fmt::format("{:06}{}", number, suffix);
}

Error ValueFiles::error_of(const rocksdb::Status& status, uint64_t number) const {
  const Error error = to_error(status);
  return {error.code(), fmt::format("{}: {}", name_of(number).string(), error.message())};
}

Result<std::unique_ptr<ValueFiles>> ValueFiles::open(LogFileSystem& files, const std::filesystem::path& directory,
                                                     uint64_t most_file_bytes) {
  std::unique_ptr<ValueFiles> values(new ValueFiles(files, directory, most_file_bytes));
  std::vector<std::string> names;
  const rocksdb::IOStatus listed = files.GetChildren(directory.string(), {}, &names, nullptr);
  if (!listed.ok()) return to_error(listed);
  for (const std::string& name : names) {
    const std::optional<uint64_t> number = file_number(name);
    // Names that nothing here makes are nobody's: 1.values beside 000001.values.
    if (!number || *number == 0 || *number > most_number || values->name_of(*number).filename() != name) continue;
    uint64_t bytes = 0;
    const rocksdb::IOStatus sized = files.GetFileSize((directory / name).string(), {}, &bytes, nullptr);
    if (!sized.ok()) return values->error_of(sized, *number);
    auto file = std::make_shared<File>();
    file->number = *number;
    file->bytes = bytes;
    file->sealed = true;
    values->next_number_ = std::max(values->next_number_, *number + 1);
    values->all_.emplace(*number, std::move(file));
  }
  return values;
}

ValueFiles::~ValueFiles() { seal(); }

Result<void> ValueFiles::begin_file() {
  auto file = std::make_shared<File>();
  file->number = next_number_++;
  const std::string name = name_of(file->number).string();
  rocksdb::IOStatus status = files_.NewWritableFile(name, {}, &writable_, nullptr);
  if (status.ok()) {
    writable_->SetPreallocationBlockSize(preallocated_bytes);
    status = writable_->Append({file_header.data(), file_header.size()}, {}, nullptr);
  }
  // What is synced in it later is lost with its name otherwise.
  if (status.ok()) status = sync_directory(files_, directory_);
  if (!status.ok()) {
    writable_.reset();
    files_.DeleteFile(name, {}, nullptr).PermitUncheckedError();
    return error_of(status, file->number);
  }
  file->bytes = file_header.size();
  writing_ = file;
  std::lock_guard lock(mutex_);
  all_.emplace(file->number, std::move(file));
  return {};
}

void ValueFiles::seal() {
  if (!writing_) return;
  // What was not synced nobody refers to.
  writable_->Close({}, nullptr).PermitUncheckedError();
  writable_.reset();
  writing_->sealed = true;
  const uint64_t number = writing_->number;
  const bool holds_nothing = writing_->bytes == file_header.size();
  writing_.reset();
  if (holds_nothing) remove(number);
  unsynced_ = false;
  append_failed_ = false;
}

Result<ValueFiles::Appended> ValueFiles::append(BytesView key, BytesView value) {
  if (writing_ && (append_failed_ || writing_->bytes >= most_file_bytes_)) {
    // Of what was appended since the last sync() too, which asks later.
    if (const Result<void> synced = sync_file(); !synced.ok()) sync_error_ = synced.error();
    seal();
  }
  if (!writing_) RETURN_IF_ERROR(begin_file());
  const uint64_t number = writing_->number;
  const uint64_t at = writing_->bytes;
  const uint64_t hash = value_hash(value);
  Bytes header;
  header.reserve(header_bytes + key.size());
  append_le32(header, static_cast<uint32_t>(key.size()));
  append_le32(header, static_cast<uint32_t>(value.size()));
  append_le64(header, hash);
  append_le64(header, record_check(header, key));
  header.append(key);
  writable_->PrepareWrite(at, header.size() + value.size(), {}, nullptr);
  rocksdb::IOStatus status = writable_->Append({header.data(), header.size()}, {}, nullptr);
  if (status.ok()) status = writable_->Append({value.data(), value.size()}, {}, nullptr);
  append_failed_ = !status.ok();
  if (!status.ok()) return error_of(status, number);
  unsynced_ = true;
  writing_->bytes = at + header.size() + value.size();
  counters_.bytes.fetch_add(header.size() + value.size(), std::memory_order_relaxed);
  return Appended{{.file = number, .offset = at + header.size(), .size = value.size(), .hash = hash}, writing_};
}

Result<void> ValueFiles::sync() {
  const Result<void> synced = sync_file();
  if (const std::optional<Error> earlier = std::exchange(sync_error_, std::nullopt)) return *earlier;
  return synced;
}

Result<void> ValueFiles::sync_file() {
  if (!unsynced_) return {};
  unsynced_ = false;
  counters_.syncs.fetch_add(1, std::memory_order_relaxed);
  const uint64_t number = writing_->number;
  const rocksdb::IOStatus status = writable_->Sync({}, nullptr);
  if (status.ok()) return {};
  // The kernel has dropped the pages that it could not write: a second sync would succeed without them.
  seal();
  return error_of(status, number);
}

Result<std::shared_ptr<ValueFiles::File>> ValueFiles::find(uint64_t number) const {
  std::lock_guard lock(mutex_);
  const auto it = all_.find(number);
  if (it == all_.end()) {
    return Error(ErrorCode::corruption, fmt::format("{} is missing: a value lies in it", name_of(number).string()));
  }
  return it->second;
}

Result<std::shared_ptr<rocksdb::FSRandomAccessFile>> ValueFiles::reader_of(const File& file) const {
  std::shared_ptr<rocksdb::FSRandomAccessFile> reader;
  {
    std::lock_guard lock(file.mutex);
    if (file.reader) return file.reader;
    std::unique_ptr<rocksdb::FSRandomAccessFile> made;
    const rocksdb::IOStatus opened = files_.NewRandomAccessFile(name_of(file.number).string(), {}, &made, nullptr);
    if (!opened.ok()) return error_of(opened, file.number);
    readers_->fetch_add(1);
    reader = {made.release(), [readers = readers_](rocksdb::FSRandomAccessFile* closed) {
                delete closed;
                readers->fetch_sub(1);
              }};
    file.reader = reader;
  }
  if (*readers_ > most_readers) close_a_reader(file.number);
  return reader;
}

void ValueFiles::close_a_reader(uint64_t number) const {
  std::lock_guard lock(mutex_);
  auto it = all_.upper_bound(closed_last_);
  for (size_t left = all_.size(); left > 0; --left, ++it) {
    if (it == all_.end()) it = all_.begin();
    std::lock_guard file_lock(it->second->mutex);
    if (it->first == number || !it->second->reader) continue;
    it->second->reader.reset();
    closed_last_ = it->first;
    return;
  }
}

Result<rocksdb::Slice> ValueFiles::read_at(const File& file, uint64_t offset, size_t size, char* into) const {
  ASSIGN_OR_RETURN(const auto reader, reader_of(file));
  rocksdb::Slice found;
  const rocksdb::IOStatus status = reader->Read(offset, size, {}, &found, into, nullptr);
  if (!status.ok()) return error_of(status, file.number);
  return found;
}

Result<void> ValueFiles::read(const ValueReference& reference, Bytes& out) const {
  ASSIGN_OR_RETURN(const auto file, find(reference.file));
  const auto damaged = [&] {
    return Error(ErrorCode::corruption,
                 fmt::format("{}: the value at {} is damaged", name_of(reference.file).string(), reference.offset));
  };
  if (reference.size > file->bytes || reference.offset > file->bytes - reference.size) return damaged();
  const size_t before = out.size();
  out.resize(before + reference.size);
  char* const into = out.data() + before;
  Result<rocksdb::Slice> found = read_at(*file, reference.offset, reference.size, into);
  if (!found.ok() || found->size() != reference.size || value_hash({found->data(), found->size()}) != reference.hash) {
    out.resize(before);
    return found.ok() ? damaged() : std::move(found).error();
  }
  if (found->data() != into) std::copy_n(found->data(), found->size(), into);
  return {};
}

Result<void> ValueFiles::append_value(BytesView stored, Bytes& out) const {
  if (is_reference(stored)) return read(decode_reference(stored), out);
  out.append(stored);
  return {};
}

std::vector<ValueFiles::Listed> ValueFiles::sealed_and_unused() const {
  std::lock_guard lock(mutex_);
  std::vector<Listed> found;
  for (const auto& [number, file] : all_) {
    if (file->sealed && file.use_count() == 1) found.push_back({number, file->bytes});
  }
  // What the last users did comes before what is done now: use_count() alone orders nothing.
  std::atomic_thread_fence(std::memory_order_acquire);
  return found;
}

std::optional<ValueFiles::Listed> ValueFiles::written_and_unused() const {
  std::lock_guard lock(mutex_);
  for (const auto& [number, file] : all_) {
    // It is held by all_ and writing_.
    if (!file->sealed && file.use_count() == 2) return Listed{number, file->bytes};
  }
  return std::nullopt;
}

std::vector<ValueFiles::Listed> ValueFiles::all() const {
  std::lock_guard lock(mutex_);
  std::vector<Listed> found;
  for (const auto& [number, file] : all_) found.push_back({number, file->bytes});
  return found;
}

void ValueFiles::remove(uint64_t number) {
  {
    std::lock_guard lock(mutex_);
    all_.erase(number);
  }
  const rocksdb::IOStatus removed = files_.DeleteFile(name_of(number).string(), {}, nullptr);
  // The next open finds it again.
  if (!removed.ok()) log::warning("cannot remove a file of values", {{"error", removed.ToString()}});
}

Result<void> ValueFiles::visit(uint64_t number, const Visit& visit) const {
  ASSIGN_OR_RETURN(const auto file, find(number));
  const uint64_t end = file->bytes;
  Bytes buffer(header_bytes + most_key_bytes, '\0');
  for (uint64_t at = file_header.size(); at + header_bytes <= end;) {
    ASSIGN_OR_RETURN(const rocksdb::Slice found,
                     read_at(*file, at, std::min<uint64_t>(header_bytes + 256, end - at), buffer.data()));
    BytesView record(found.data(), found.size());
    if (record.size() < header_bytes) return {};
    const size_t key_size = read_le32(record);
    const uint64_t value_size = read_le32(record.substr(4));
    if (key_size > most_key_bytes || at + header_bytes + key_size + value_size > end) return {};
    if (record.size() < header_bytes + key_size) {
      ASSIGN_OR_RETURN(const rocksdb::Slice more, read_at(*file, at, header_bytes + key_size, buffer.data()));
      record = {more.data(), more.size()};
      if (record.size() < header_bytes + key_size) return {};
    }
    const BytesView key = record.substr(header_bytes, key_size);
    if (read_le64(record.substr(16)) != record_check(record.substr(0, 16), key)) return {};
    const ValueReference reference{.file = number,
                                   .offset = at + header_bytes + key_size,
                                   .size = value_size,
                                   .hash = read_le64(record.substr(8))};
    ASSIGN_OR_RETURN(const bool more, visit(Bytes(key), reference));
    if (!more) return {};
    at = reference.offset + value_size;
  }
  return {};
}

}  // namespace strata::kv
