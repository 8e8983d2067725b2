#include "engine/rocksdb/manifest_note.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "engine/rocksdb/format_file.h"

namespace strata::kv {
namespace {

constexpr const char* note_name = "STRATA-MANIFEST";
constexpr const char* temporary_name = "STRATA-MANIFEST.new";
constexpr std::string_view magic("strata\0\1", 8);
// Written in turn, each in a sector of its own: one of them is always whole.
constexpr uint64_t slot_bytes = 512;
constexpr uint64_t slots = 2;
constexpr size_t note_bytes = 48;
constexpr std::string_view manifest_prefix = "MANIFEST-";

uint64_t hash_of(BytesView bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

Bytes encode(const ManifestState& state, uint64_t sequence) {
  Bytes out(magic);
  append_le64(out, sequence);
  append_le64(out, state.number);
  append_le64(out, state.size);
  append_le64(out, state.hash);
  append_le64(out, hash_of(out));
  return out;
}

struct Note {
  uint64_t sequence = 0;
  ManifestState state;
};

std::optional<Note> decode(BytesView slot) {
  if (slot.size() < note_bytes || !slot.starts_with(magic)) return std::nullopt;
  if (read_le64(slot.substr(40)) != hash_of(slot.substr(0, 40))) return std::nullopt;
  return Note{read_le64(slot.substr(8)),
              {read_le64(slot.substr(16)), read_le64(slot.substr(24)), read_le64(slot.substr(32))}};
}

class ByteReader {
 public:
  // nullptr: the file is not there.
  static Result<std::unique_ptr<ByteReader>> open(rocksdb::FileSystem& files, const std::filesystem::path& name) {
    const rocksdb::IOStatus there = files.FileExists(name.string(), {}, nullptr);
    if (there.IsNotFound()) return std::unique_ptr<ByteReader>();
    if (!there.ok()) return to_error(there);
    auto reader = std::make_unique<ByteReader>();
    const rocksdb::IOStatus opened = files.NewSequentialFile(name.string(), {}, &reader->file_, nullptr);
    if (!opened.ok()) return to_error(opened);
    return reader;
  }
  // Fewer than `count`: the file ends.
  Result<BytesView> next(size_t count) {
    buffer_.resize(count);
    size_t got = 0;
    while (got < count) {
      rocksdb::Slice found;
      const rocksdb::IOStatus status = file_->Read(count - got, {}, &found, buffer_.data() + got, nullptr);
      if (!status.ok()) return to_error(status);
      if (found.empty()) break;
      if (found.data() != buffer_.data() + got) std::copy_n(found.data(), found.size(), buffer_.data() + got);
      got += found.size();
    }
    return BytesView(buffer_).substr(0, got);
  }

 private:
  std::unique_ptr<rocksdb::FSSequentialFile> file_;
  Bytes buffer_;
};

// The newest note on this MANIFEST.
Result<std::optional<ManifestState>> read_note(rocksdb::FileSystem& files, const std::filesystem::path& directory,
                                               uint64_t number) {
  std::optional<Note> newest;
  ASSIGN_OR_RETURN(const auto reader, ByteReader::open(files, directory / note_name));
  if (!reader) return std::optional<ManifestState>();
  ASSIGN_OR_RETURN(const BytesView bytes, reader->next(slots * slot_bytes));
  for (uint64_t slot = 0; slot < slots && slot * slot_bytes < bytes.size(); ++slot) {
    const std::optional<Note> note = decode(bytes.substr(slot * slot_bytes, slot_bytes));
    if (!note || note->state.number != number) continue;
    if (!newest || note->sequence > newest->sequence) newest = note;
  }
  if (!newest) return std::optional<ManifestState>();
  return std::optional<ManifestState>(newest->state);
}

Result<bool> begins_as_noted(rocksdb::FileSystem& files, const std::filesystem::path& name,
                             const ManifestState& state) {
  ASSIGN_OR_RETURN(const auto reader, ByteReader::open(files, name));
  if (!reader) return false;
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> hash(XXH3_createState(), &XXH3_freeState);
  XXH3_64bits_reset(hash.get());
  for (uint64_t left = state.size; left > 0;) {
    ASSIGN_OR_RETURN(const BytesView bytes, reader->next(std::min<uint64_t>(left, 256 << 10)));
    if (bytes.empty()) return false;
    XXH3_64bits_update(hash.get(), bytes.data(), bytes.size());
    left -= bytes.size();
  }
  return XXH3_64bits_digest(hash.get()) == state.hash;
}

}  // namespace

std::optional<uint64_t> manifest_number(const std::string& name) {
  const std::string_view file = std::string_view(name).substr(name.rfind('/') + 1);
  uint64_t number = 0;
  if (!file.starts_with(manifest_prefix)) return std::nullopt;
  const char* end = file.data() + file.size();
  if (std::from_chars(file.data() + manifest_prefix.size(), end, number).ptr != end) return std::nullopt;
  return number;
}

// The notes of the last run count until CURRENT names a MANIFEST of this one. A torn write over them could take the
// newest and leave the one before, and what that does not cover would be cut off.
rocksdb::IOStatus ManifestNote::create(const std::filesystem::path& directory, BytesView note) {
  const std::string temporary = directory / temporary_name;
  rocksdb::IOStatus status = files_.NewWritableFile(temporary, {}, &file_, nullptr);
  if (!status.ok()) return status;
  // All of it, so that later notes change no size.
  Bytes all(slots * slot_bytes, '\0');
  all.replace(offset_of_note(), note.size(), note);
  status = file_->PositionedAppend(all, 0, {}, nullptr);
  if (status.ok()) status = file_->Fsync({}, nullptr);
  if (status.ok()) status = files_.RenameFile(temporary, directory / note_name, {}, nullptr);
  if (status.ok()) status = sync_directory(files_, directory);
  if (!status.ok()) file_.reset();
  return status;
}

rocksdb::IOStatus ManifestNote::write(const std::string& directory, const ManifestState& state) {
  std::lock_guard lock(mutex_);
  const Bytes note = encode(state, ++sequence_);
  const bool is_first = number_ != state.number;
  number_ = state.number;
  if (!file_) return create(directory, note);
  rocksdb::IOStatus status = file_->PositionedAppend(note, offset_of_note(), {}, nullptr);
  if (status.ok()) status = file_->Sync({}, nullptr);
  return status.ok() && is_first ? sync_directory(files_, directory) : status;
}

uint64_t ManifestNote::offset_of_note() const { return sequence_ % slots * slot_bytes; }

Result<uint64_t> cut_unsynced_manifest(rocksdb::FileSystem& files, const std::filesystem::path& directory) {
  ASSIGN_OR_RETURN(const auto current, ByteReader::open(files, directory / "CURRENT"));
  if (!current) return 0;
  ASSIGN_OR_RETURN(const BytesView line, current->next(100));
  const std::string name(line.substr(0, line.find('\n')));
  const std::optional<uint64_t> number = manifest_number(name);
  if (!number) return 0;
  ASSIGN_OR_RETURN(const std::optional<ManifestState> noted, read_note(files, directory, *number));
  if (!noted) return 0;
  const std::filesystem::path manifest = directory / name;
  uint64_t size = 0;
  const rocksdb::IOStatus measured = files.GetFileSize(manifest.string(), {}, &size, nullptr);
  if (!measured.ok()) return to_error(measured);
  if (size <= noted->size) return 0;
  ASSIGN_OR_RETURN(const bool fits, begins_as_noted(files, manifest, *noted));
  if (!fits) return 0;
  std::unique_ptr<rocksdb::FSWritableFile> file;
  rocksdb::IOStatus status = files.ReopenWritableFile(manifest.string(), {}, &file, nullptr);
  if (status.ok()) status = file->Truncate(noted->size, {}, nullptr);
  if (status.ok()) status = file->Fsync({}, nullptr);
  if (status.ok()) status = file->Close({}, nullptr);
  if (!status.ok()) return to_error(status);
  return size - noted->size;
}

}  // namespace strata::kv
