#include "service/file_operations.h"

#include <fmt/format.h>

#include <algorithm>

#include "layers/files/path.h"
#include "service/file_trees.h"
#include "service/upload_marks.h"

namespace strata::service {
namespace {

using archive::ChildEntry;
using archive::EntryKind;

// Of what an overwrite keeps: the time when a file or symlink was first put here.
int64_t created_at(const FileBatch& batch, const std::optional<ChildEntry>& before, EntryKind kind) {
  return before && before->kind == kind ? before->created_at_ms : batch.now_ms();
}

}  // namespace

Result<void> check_guard(const PathGuard& guard, const std::optional<ChildEntry>& standing) {
  if (!guard) return {};
  return guard(standing ? std::optional<Hash>(standing->hash) : std::nullopt);
}

Result<void> validate_target(std::string_view target) {
  if (target.empty()) return Error(ErrorCode::invalid_argument, "the target is empty");
  if (target.size() > files::max_path_bytes) return Error(ErrorCode::invalid_argument, "the target is too long");
  while (!target.empty()) {
    const std::string_view part = target.substr(0, target.find('/'));
    target.remove_prefix(std::min(target.size(), part.size() + 1));
    if (!part.empty() && part != "." && part != "..") RETURN_IF_ERROR(files::validate_name(part));
  }
  return {};
}

size_t PutFile::bytes() const {
  return (small ? small->stored.size() : 0) + path.size() + chunks.size() * sizeof(Hash) + 1'000;
}

void PutFile::look_up(FileBatch& batch) {
  found_.clear();
  if (session) {
    found_.push_back(get_upload_mark(batch.transaction(), *session, whole_upload));
  } else {
    for (const Hash& chunk : chunks) found_.push_back(batch.entries().look_up(chunk));
  }
}

Result<void> PutFile::gather(FileBatch& batch) {
  total_size = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    ASSIGN_OR_RETURN(const auto found, found_[i].get());
    ASSIGN_OR_RETURN(const auto row, batch.entries().reuse(chunks[i], found));
    if (!row || row->kind != EntryKind::chunk) {
      return Error(ErrorCode::invalid_argument,
                   fmt::format("chunk not found: {} of {}", hash_hex(chunks[i]), printable(path)));
    }
    total_size += row->raw_size;
  }
  if (total_size > *gather_up_to) {
    return file_too_large(*gather_up_to);
  }
  return {};
}

Result<void> PutFile::apply(FileBatch& batch) {
  if (session) {
    ASSIGN_OR_RETURN(const auto wanted, found_.front().get());
    if (!wanted) return Error(ErrorCode::gone, "the upload took too long: its chunks may be gone");
  }
  ASSIGN_OR_RETURN(const auto before, batch.tree().find(path));
  RETURN_IF_ERROR(check_guard(guard, before));
  if (gather_up_to) RETURN_IF_ERROR(gather(batch));
  const int64_t created_at_ms = created_at(batch, before, EntryKind::file);
  const archive::FileRecord record{.path = path,
                                   .content_type = content_type,
                                   .total_size = total_size,
                                   .created_at_ms = created_at_ms,
                                   .updated_at_ms = batch.now_ms(),
                                   .metadata = metadata,
                                   .chunks = chunks};
  record_ = archive::encode_file_record(record);
  stat = stat_of(record, archive::content_hash(EntryKind::file, record_));
  return batch.tree().put(path, ChildEntry{.kind = EntryKind::file,
                                           .hash = stat.hash,
                                           .size = total_size,
                                           .created_at_ms = created_at_ms,
                                           .updated_at_ms = record.updated_at_ms,
                                           .name = std::string(files::name_of_path(path)),
                                           .content_type = content_type});
}

Result<void> PutFile::write(FileBatch& batch) {
  if (session) files::clear_upload_marks(batch.transaction(), *session);
  if (small) {
    ASSIGN_OR_RETURN(const auto found, found_.front().get());
    ASSIGN_OR_RETURN(const auto row, batch.entries().reuse(small->hash, found));
    if (!row) batch.entries().put_chunk(small->hash, small->stored, small->compression, small->raw_size);
  }
  batch.entries().put(EntryKind::file, stat.hash, record_);
  return {};
}

Result<void> PutSymlink::apply(FileBatch& batch) {
  ASSIGN_OR_RETURN(const auto before, batch.tree().find(path));
  RETURN_IF_ERROR(check_guard(guard, before));
  const int64_t created_at_ms = created_at(batch, before, EntryKind::symlink);
  record_ = archive::encode_symlink(
      {.path = path, .target = target, .created_at_ms = created_at_ms, .updated_at_ms = batch.now_ms()});
  const ChildEntry entry{.kind = EntryKind::symlink,
                         .hash = archive::content_hash(EntryKind::symlink, record_),
                         .size = 0,
                         .created_at_ms = created_at_ms,
                         .updated_at_ms = batch.now_ms(),
                         .name = std::string(files::name_of_path(path)),
                         .content_type = {}};
  stat = {.kind = FileKind::symlink,
          .path = path,
          .hash = entry.hash,
          .total_size = 0,
          .created_at_ms = created_at_ms,
          .updated_at_ms = batch.now_ms(),
          .content_type = {},
          .target = target};
  return batch.tree().put(path, entry);
}

Result<void> PutSymlink::write(FileBatch& batch) {
  batch.entries().put(EntryKind::symlink, stat.hash, record_);
  return {};
}

Result<void> RemovePath::apply(FileBatch& batch) {
  ASSIGN_OR_RETURN(const auto found, batch.tree().find(path));
  RETURN_IF_ERROR(check_guard(guard, found));
  if (!found) return no_such_file(path);
  stat = {.kind = static_cast<FileKind>(found->kind),
          .path = path,
          .hash = found->hash,
          .total_size = found->size,
          .created_at_ms = found->created_at_ms,
          .updated_at_ms = found->updated_at_ms,
          .content_type = found->content_type,
          .target = {}};
  return batch.tree().remove(path);
}

}  // namespace strata::service
