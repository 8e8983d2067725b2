#include "service/file_archive_import.h"

#include <fmt/format.h>

#include "layers/files/directory.h"
#include "layers/files/versions.h"
#include "service/file_writer.h"
#include "service/run.h"

namespace strata::service {
namespace {

using archive::AeorReader;
using archive::BackupType;
using archive::EntryKind;
using files::Compression;

// Of one transaction.
constexpr size_t gathered_target_bytes = 1u << 20;
constexpr size_t gathered_target_entries = 1'000;
// An imported version that nothing names is kept for so long.
constexpr int64_t pinned_ms = int64_t{7} * 24 * 3'600 * 1'000;

}  // namespace

ArchiveImport::ArchiveImport(FileSystem& system, const ImportRequest& request, const StopFlag& stop)
    : system_(system), request_(request), stop_(stop) {}

Result<void> ArchiveImport::refuse_other_base(const kv::ReadTransaction& transaction,
                                              const std::optional<Hash>& made) const {
  if (header_.type != BackupType::patch || request_.force) return {};
  ASSIGN_OR_RETURN(const auto head, files::read_branch(transaction, files::head));
  if (head->root == header_.base || head->root == made) return {};
  return Error(ErrorCode::conflict,
               fmt::format("Target database HEAD ({}) does not match patch base version ({}).\nUse --force to apply "
                           "anyway.",
                           hash_hex(head->root), hash_hex(header_.base)));
}

Result<void> ArchiveImport::put() {
  AeorReader reader(*request_.body);
  ASSIGN_OR_RETURN(header_, reader.begin());
  answer_.type = header_.type;
  // Both say where a patch leads to.
  if (header_.type == BackupType::patch && header_.head == Hash{}) header_.head = header_.target;
  RETURN_IF_ERROR(system_.database().read(
      [this](const kv::ReadTransaction& transaction) { return refuse_other_base(transaction, {}); }));
  for (;;) {
    RETURN_IF_ERROR(stop_.check());
    ASSIGN_OR_RETURN(const bool more, reader.next());
    if (!more) return write_gathered();
    RETURN_IF_ERROR(take_entry(reader));
    const bool is_full = gathered_bytes_ >= gathered_target_bytes || gathered_.size() >= gathered_target_entries;
    if (is_full) RETURN_IF_ERROR(write_gathered());
  }
}

Result<void> ArchiveImport::take_entry(AeorReader& reader) {
  if (reader.kind() == EntryKind::deletion) return take_deletion(reader);
  // A row of another program's own tables.
  if (!reader.key()) return {};
  switch (reader.kind()) {
    case EntryKind::chunk:
      return take_chunk(reader, *reader.key());
    case EntryKind::file:
    case EntryKind::symlink:
      return take_record(reader, *reader.key());
    case EntryKind::directory: {
      ASSIGN_OR_RETURN(const BytesView value, reader.value());
      take_directory(*reader.key(), value);
      return {};
    }
    default:
      return {};
  }
}

Result<void> ArchiveImport::take_chunk(AeorReader& reader, const Hash& key) {
  ASSIGN_OR_RETURN(BytesView raw, reader.value());
  bool zstd = reader.is_zstd();
  if (archive::content_hash(EntryKind::chunk, raw) != key) {
    const std::optional<BytesView> unmarked = reader.unmarked_zstd_value();
    if (!unmarked || archive::content_hash(EntryKind::chunk, *unmarked) != key) {
      return reader.broken("a chunk whose bytes are not those of its key");
    }
    raw = *unmarked;
    zstd = true;
  }
  ++answer_.chunks;
  // What is larger compressed than plain is stored plain.
  zstd = zstd && reader.stored().size() < raw.size();
  gather({.kind = EntryKind::chunk,
          .hash = key,
          .stored = Bytes(zstd ? reader.stored() : raw),
          .compression = zstd ? Compression::zstd : Compression::none,
          .raw_size = static_cast<uint32_t>(raw.size())});
  return {};
}

// Under its content's key, its path's, or that of a row of another program's own tables, which is no record.
Result<void> ArchiveImport::take_record(AeorReader& reader, const Hash& key) {
  const EntryKind kind = reader.kind();
  ASSIGN_OR_RETURN(const BytesView value, reader.value());
  std::string path;
  if (kind == EntryKind::file) {
    auto record = archive::decode_file_record(value);
    if (!record) return {};
    path = std::move(record->path);
  } else {
    auto record = archive::decode_symlink(value);
    if (!record) return {};
    path = std::move(record->path);
  }
  const Hash hash = archive::content_hash(kind, value);
  if (key == archive::path_hash(kind, path)) {
    records_.add(kind, hash);
  } else if (hash != key) {
    return {};
  }
  if (hash != key && hash == last_record_) return {};
  last_record_ = hash;
  if (kind == EntryKind::file && hash == key) ++answer_.files;
  gather({.kind = kind, .hash = hash, .stored = Bytes(value), .raw_size = static_cast<uint32_t>(value.size())});
  return {};
}

// A directory under its path's key stands under its content's too; its path cannot be told from its bytes.
void ArchiveImport::take_directory(const Hash& key, BytesView value) {
  const bool whole = archive::content_hash(EntryKind::directory, value) == key;
  if (!whole && blake3(archive::node_domain, value) != key) return;
  if (!archive::decode_children(value) && !archive::decode_internal(value)) return;
  if (whole) ++answer_.directories;
  gather({.kind = EntryKind::directory,
          .hash = key,
          .stored = Bytes(value),
          .raw_size = static_cast<uint32_t>(value.size())});
}

Result<void> ArchiveImport::take_deletion(AeorReader& reader) {
  ASSIGN_OR_RETURN(const BytesView value, reader.value());
  if (!archive::decode_deletion(value)) return reader.broken("a deletion that is none");
  if (header_.type == BackupType::patch) ++answer_.deletions;
  return {};
}

void ArchiveImport::gather(Entry entry) {
  gathered_bytes_ += entry.stored.size();
  gathered_.push_back(std::move(entry));
}

Result<void> ArchiveImport::write_gathered() {
  if (gathered_.empty()) return {};
  // The last transaction is synced, and these lie before it.
  const auto written = system_.write({}, kv::Durability::async, [this](kv::Transaction& transaction) -> Result<void> {
    ASSIGN_OR_RETURN(auto writer, files::EntryWriter::begin(transaction, system_.cache()));
    std::vector<Future<std::optional<Bytes>>> found;
    for (const Entry& entry : gathered_) found.push_back(writer.look_up(entry.hash));
    for (size_t i = 0; i < gathered_.size(); ++i) {
      const Entry& entry = gathered_[i];
      ASSIGN_OR_RETURN(const std::optional<Bytes> row, found[i].get());
      ASSIGN_OR_RETURN(const auto reused, writer.reuse(entry.hash, row));
      if (reused && reused->kind == entry.kind) continue;
      if (entry.kind == EntryKind::chunk) {
        writer.put_chunk(entry.hash, entry.stored, entry.compression, entry.raw_size);
      } else {
        writer.put(entry.kind, entry.hash, entry.stored);
      }
    }
    return {};
  });
  gathered_.clear();
  gathered_bytes_ = 0;
  return written;
}

Result<void> ArchiveImport::check() {
  ASSIGN_OR_RETURN(const auto head, system_.database().read([](const kv::ReadTransaction& transaction) {
    return files::read_branch(transaction, files::head);
  }));
  TreeCheck check(system_, records_, answer_.chunks + answer_.files + answer_.directories, stop_);
  ASSIGN_OR_RETURN(answer_.version, check.run(header_.head, head->root));
  return {};
}

Result<void> ArchiveImport::name_version(kv::Transaction& transaction) {
  const int64_t now_ms = system_.now_ms();
  // Reads what a collection writes when it begins.
  RETURN_IF_ERROR(files::EntryWriter::begin(transaction, system_.cache()));
  // HEAD is the version already where the answer of an attempt was lost.
  RETURN_IF_ERROR(refuse_other_base(transaction, answer_.version));
  ASSIGN_OR_RETURN(const auto known, files::read_version_row(transaction, answer_.version));
  files::VersionRow row{.root = answer_.version, .created_at_ms = now_ms, .pinned_until_ms = now_ms + pinned_ms};
  if (known) row.created_at_ms = known->created_at_ms;
  files::set_version_row(transaction, row);
  if (!request_.promote) return {};
  ASSIGN_OR_RETURN(auto head, files::read_branch(transaction, files::head));
  files::move_branch(transaction, *head, answer_.version, now_ms);
  return {};
}

Result<ImportAnswer> ArchiveImport::publish(const Context& context) {
  const auto commit = [&] {
    return system_.write(context, system_.options().durability,
                         [&](kv::Transaction& transaction) { return name_version(transaction); });
  };
  // Who reads HEAD would conflict with its writers again and again: they wait.
  const bool reads_head = request_.promote || header_.type == BackupType::patch;
  RETURN_IF_ERROR(reads_head ? system_.writer(files::head)->exclude(context, commit) : commit());
  answer_.promoted = request_.promote;
  answer_.entries = answer_.chunks + answer_.files + answer_.directories + answer_.deletions;
  return answer_;
}

}  // namespace strata::service
