#include "service/file_archive_walk.h"

#include <cstring>

#include "base/assert.h"

namespace strata::service {
namespace {

using archive::EntryKind;
using files::ChildEntry;
using files::TreeDiff;

constexpr int64_t reader_age_us = 1'000'000;
// Of names of the base that are looked at for chunks: a few milliseconds.
constexpr size_t names_looked_at = 10'000;

HashHalf half_of(const Hash& hash) {
  HashHalf half;
  std::memcpy(&half, hash.data(), sizeof half);
  return half;
}

bool is_file(const std::optional<ChildEntry>& entry) { return entry && entry->kind == EntryKind::file; }
bool is_leaf(const std::optional<ChildEntry>& entry) { return entry && entry->kind != EntryKind::directory; }

// Could a file of this size have a chunk of that size?
class ChunkSizes {
 public:
  void add(uint64_t size) { sizes_.insert(size % archive::file_chunk_bytes); }
  bool fit(uint64_t file_size) const {
    return sizes_.count(file_size % archive::file_chunk_bytes) != 0 ||
           (file_size >= archive::file_chunk_bytes && sizes_.count(0) != 0);
  }

 private:
  std::unordered_set<uint64_t> sizes_;
};

}  // namespace

bool RememberedHashes::add(const Hash& hash) {
  if (full()) return !contains(hash);
  return hashes_.insert(half_of(hash)).second;
}
bool RememberedHashes::contains(const Hash& hash) const { return hashes_.count(half_of(hash)) != 0; }
void RememberedHashes::remove(const Hash& hash) { hashes_.erase(half_of(hash)); }

LastingReader::LastingReader(FileSystem& system)
    : system_(system), reader_(system.database().create_transaction().snapshot(), system.cache()) {
  since_us_ = system.clock().steady_us();
}

const files::EntryReader& LastingReader::get() {
  if (system_.clock().steady_us() - since_us_ > reader_age_us) renew();
  return reader_;
}

void LastingReader::renew() {
  reader_ = files::EntryReader(system_.database().create_transaction().snapshot(), system_.cache());
  since_us_ = system_.clock().steady_us();
}

Result<std::shared_ptr<const KnownChunks>> find_known_chunks(FileSystem& system, const Hash& base, const Hash& target,
                                                             const StopFlag& stop) {
  auto known = std::make_shared<KnownChunks>();
  LastingReader reader(system);
  RememberedHashes wanted;
  ChunkSizes sizes;
  TreeDiff diff(reader.address(), base, target);
  while (diff.next()) {
    RETURN_IF_ERROR(stop.check());
    if (is_file(diff.before())) {
      ASSIGN_OR_RETURN(const auto record, reader.get().file_record(diff.before()->hash));
      for (const Hash& chunk : record.chunks) known->chunks.add(chunk);
    }
    if (is_file(diff.after())) {
      ASSIGN_OR_RETURN(const auto record, reader.get().file_record(diff.after()->hash));
      for (const Hash& chunk : record.chunks) wanted.add(chunk);
      sizes.add(record.total_size);
      if (record.chunks.size() > 1) sizes.add(0);
    }
  }
  RETURN_IF_ERROR(diff.status());
  size_t looked_at = 0;
  TreeDiff others(reader.address(), files::empty_directory(), base);
  while (!wanted.empty() && looked_at++ < names_looked_at && others.next()) {
    RETURN_IF_ERROR(stop.check());
    if (!is_file(others.after()) || !sizes.fit(others.after()->size)) continue;
    ASSIGN_OR_RETURN(const auto record, reader.get().file_record(others.after()->hash));
    for (const Hash& chunk : record.chunks) {
      if (wanted.contains(chunk)) known->chunks.add(chunk);
    }
  }
  RETURN_IF_ERROR(others.status());
  return std::shared_ptr<const KnownChunks>(std::move(known));
}

ArchiveWalk::ArchiveWalk(FileSystem& system, const archive::AeorHeader& header, const KnownChunks* known,
                         const StopFlag& stop)
    : header_(header), known_(known), stop_(stop), reader_(system) {}

Result<ArchiveCounts> ArchiveWalk::walk(archive::AeorWriter* writer) {
  writer_ = writer;
  counts_ = {};
  chunks_ = {};
  directories_ = {};
  path_ = "/";
  const bool is_patch = header_.type == archive::BackupType::patch;
  const Hash from = is_patch ? header_.base : files::empty_directory();
  Result<void> visited;
  const auto visit = [&](const Hash& hash, const Bytes& bytes, bool whole_directory) {
    if (visited.ok()) visited = take_node(hash, bytes, whole_directory);
  };
  // An empty version differs in nothing from nothing, but it has a directory.
  if (!is_patch && header_.head == from) visit(from, {}, true);
  TreeDiff diff(reader_.address(), from, header_.head, visit);
  while (diff.next()) {
    RETURN_IF_ERROR(visited);
    RETURN_IF_ERROR(stop_.check());
    path_ = diff.path();
    RETURN_IF_ERROR(take(diff));
    reader_.get();
  }
  RETURN_IF_ERROR(diff.status());
  RETURN_IF_ERROR(visited);
  return counts_;
}

Result<void> ArchiveWalk::take(const TreeDiff& diff) {
  const bool is_same_kind = diff.before() && diff.after() && diff.before()->kind == diff.after()->kind;
  if (is_leaf(diff.before()) && !is_same_kind) {
    if (!is_leaf(diff.after())) ++counts_.deleted;
    RETURN_IF_ERROR(take_deletion(diff.before()->kind, diff.path()));
  }
  if (!is_leaf(diff.after())) return {};
  ++(is_leaf(diff.before()) ? counts_.modified : counts_.added);
  return take_record(diff.after()->kind, diff.after()->hash, diff.path());
}

// TreeDiff opens a directory right after it has told it: its path is the last one.
Result<void> ArchiveWalk::take_node(const Hash& hash, const Bytes& bytes, bool whole_directory) {
  if (!whole_directory) return add(EntryKind::directory, hash, bytes);
  ++counts_.directories;
  if (directories_.add(hash)) RETURN_IF_ERROR(add(EntryKind::directory, hash, bytes));
  return add(EntryKind::directory, archive::path_hash(EntryKind::directory, path_), bytes);
}

Result<void> ArchiveWalk::take_record(EntryKind kind, const Hash& hash, const std::string& path) {
  ASSIGN_OR_RETURN(const std::optional<Bytes> bytes, reader_.get().read(kind, hash));
  if (!bytes) return Error(ErrorCode::corruption, "versioned files: the record of " + printable(path) + " is missing");
  if (kind == EntryKind::file) {
    ++counts_.files;
    const auto record = archive::decode_file_record(*bytes);
    if (!record) return Error(ErrorCode::corruption, "versioned files: the record of " + printable(path));
    for (const Hash& chunk : record->chunks) RETURN_IF_ERROR(take_chunk(chunk));
  } else {
    ++counts_.symlinks;
  }
  RETURN_IF_ERROR(add(kind, hash, *bytes));
  return add(kind, archive::path_hash(kind, path), *bytes);
}

Result<void> ArchiveWalk::take_chunk(const Hash& hash) {
  if (known_ != nullptr && known_->chunks.contains(hash)) return {};
  if (!chunks_.add(hash)) return {};
  ++counts_.chunks;
  if (writer_ == nullptr) {
    ++counts_.entries;
    return {};
  }
  RETURN_IF_ERROR(stop_.check());
  ASSIGN_OR_RETURN(const auto first, reader_.get().get_first_part(EntryKind::chunk, hash).get());
  if (!first) return Error(ErrorCode::corruption, "versioned files: the chunk " + hash_hex(hash) + " is missing");
  ASSIGN_OR_RETURN(const files::PackedEntry packed, reader_.get().finish_packed(EntryKind::chunk, hash, *first));
  ASSIGN_OR_RETURN(const Bytes raw, files::unpack(packed.compression, packed.stored, packed.raw_size));
  if (archive::content_hash(EntryKind::chunk, raw) != hash) {
    return Error(ErrorCode::corruption, "versioned files: the chunk " + hash_hex(hash) + " has other bytes");
  }
  return add(EntryKind::chunk, hash, packed.stored, packed.compression == files::Compression::zstd);
}

Result<void> ArchiveWalk::take_deletion(EntryKind kind, const std::string& path) {
  return add(EntryKind::deletion, archive::path_hash(kind, path),
             archive::encode_deletion({.path = path, .deleted_at_ms = header_.created_at_ms, .reason = "deleted"}));
}

Result<void> ArchiveWalk::add(EntryKind kind, const Hash& key, BytesView stored, bool zstd) {
  ++counts_.entries;
  return writer_ != nullptr ? writer_->add(kind, key, stored, zstd, header_.created_at_ms) : Result<void>();
}

}  // namespace strata::service
