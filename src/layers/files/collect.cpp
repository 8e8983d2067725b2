#include "layers/files/collect.h"

#include <algorithm>
#include <set>

#include "layers/files/directory.h"

namespace strata::files {
namespace {

constexpr size_t row_page = 1'000;
// Read at once with what names versions, of which there may be many.
constexpr size_t version_page = 10'000;
constexpr int range_bytes = 1 << 20;
// Of scans that read everything once.
constexpr int scan_bytes = 4 << 20;

kv::RangeOptions pages(size_t rows) {
  return {.limit = static_cast<int>(rows), .mode = kv::StreamingMode::exact, .target_bytes = range_bytes};
}

kv::RangeOptions scan_pages(size_t rows) {
  kv::RangeOptions options = pages(rows);
  options.target_bytes = scan_bytes;
  options.one_pass = true;
  return options;
}

Result<std::set<Hash>> named_roots(const kv::ReadTransaction& transaction) {
  std::set<Hash> named;
  ASSIGN_OR_RETURN(const auto branches, read_branches(transaction));
  for (const Branch& branch : branches) named.insert(branch.root);
  ASSIGN_OR_RETURN(const auto snapshots, read_snapshots(transaction));
  for (const Snapshot& snapshot : snapshots) named.insert(snapshot.root);
  return named;
}

}  // namespace

Result<CollectionRoots> read_roots(const kv::ReadTransaction& transaction) {
  CollectionRoots roots;
  ASSIGN_OR_RETURN(std::set<Hash> named, named_roots(transaction));
  const kv::KeyRange versions = version_rows();
  for (kv::RangeIterator rows(transaction, versions.begin, versions.end);;) {
    if (!rows.next()) {
      RETURN_IF_ERROR(rows.status());
      break;
    }
    ASSIGN_OR_RETURN(const VersionRow row, decode_version_row(rows.key(), rows.value()));
    if (row.pinned_until_ms != 0) named.insert(row.root);
  }
  const kv::KeyRange marks = upload_marks();
  for (kv::RangeIterator rows(transaction, marks.begin, marks.end);;) {
    if (!rows.next()) {
      RETURN_IF_ERROR(rows.status());
      break;
    }
    ASSIGN_OR_RETURN(const UploadMark mark, decode_upload_mark(rows.key(), rows.value()));
    roots.chunks.push_back(mark.chunk);
  }
  roots.directories.assign(named.begin(), named.end());
  roots.versions = named.size();
  return roots;
}

Result<std::optional<Bytes>> expire_upload_marks(kv::Transaction& transaction, int64_t now_ms, BytesView from) {
  const kv::KeyRange range = upload_marks();
  kv::RangeIterator rows(transaction.snapshot(), from.empty() ? BytesView(range.begin) : from, range.end,
                         pages(row_page));
  std::optional<Bytes> next;
  size_t count = 0;
  while (rows.next()) {
    ASSIGN_OR_RETURN(const UploadMark mark, decode_upload_mark(rows.key(), rows.value()));
    if (++count == row_page) next = key_after(rows.key());
    if (mark.expires_at_ms > now_ms) continue;
    // Set again meanwhile by who wants it still: then this is tried again.
    RETURN_IF_ERROR(transaction.add_read_conflict_key(rows.key()));
    transaction.clear(rows.key());
  }
  RETURN_IF_ERROR(rows.status());
  return next;
}

Result<std::optional<Bytes>> forget_versions(kv::Transaction& transaction, int64_t now_ms, BytesView from) {
  // All at one version: a root that nothing names at it, but something later, has its row written anew by that.
  ASSIGN_OR_RETURN(const std::set<Hash> named, named_roots(transaction.snapshot()));
  const kv::KeyRange range = version_rows();
  kv::RangeIterator rows(transaction.snapshot(), from.empty() ? BytesView(range.begin) : from, range.end,
                         pages(version_page));
  std::optional<Bytes> next;
  size_t count = 0;
  while (rows.next()) {
    ASSIGN_OR_RETURN(const VersionRow row, decode_version_row(rows.key(), rows.value()));
    if (++count == version_page) next = key_after(rows.key());
    if (named.contains(row.root) || row.pinned_until_ms > now_ms) continue;
    RETURN_IF_ERROR(transaction.add_read_conflict_key(rows.key()));
    transaction.clear(rows.key());
  }
  RETURN_IF_ERROR(rows.status());
  return next;
}

Marker::Half Marker::half_of(const Hash& hash) {
  return {read_be64(bytes_of(hash)), read_be64(bytes_of(hash).substr(8))};
}

void Marker::open_later(const Hash& directory) {
  if (!seen_.insert(half_of(directory)).second) return;
  entries_.add(directory);
  next_level_.push_back(directory);
}

void Marker::add(EntryKind kind, const Hash& hash) {
  if (kind == EntryKind::directory) {
    open_later(hash);
  } else {
    marks_of(kind).add(hash);
  }
}

Result<void> Marker::visit(const Hash& hash, BytesView node) {
  if (archive::form_of_node(node) == archive::NodeForm::internal) {
    const auto children = archive::view_internal(node);
    if (!children) return malformed_directory(hash);
    for (const archive::NodeChildView& child : *children) open_later(child.hash());
    return {};
  }
  const std::optional<BytesView> all = archive::children_bytes(node);
  if (!all) return malformed_directory(hash);
  for (BytesView rest = *all; !rest.empty();) {
    const auto child = archive::take_child(rest);
    if (!child) return malformed_directory(hash);
    add(child->kind(), child->hash());
  }
  return {};
}

Result<void> Marker::walk(const EntryReader& reader, size_t steps) {
  for (; steps > 0 && !walked(); --steps) {
    if (waiting_.empty()) {
      waiting_.swap(next_level_);
      std::sort(waiting_.begin(), waiting_.end(), std::greater());
    }
    const Hash hash = waiting_.back();
    // Not into the cache, which is for those who read.
    if (const std::shared_ptr<const Bytes> cached = reader.cache().find(hash)) {
      RETURN_IF_ERROR(visit(hash, *cached));
    } else {
      ASSIGN_OR_RETURN(const auto stored, reader.get_first_part(EntryKind::directory, hash).get());
      if (!stored && hash != empty_directory()) {
        return Error(ErrorCode::corruption, "a directory is missing: " + hash_hex(hash));
      }
      Bytes space;
      BytesView node;
      if (stored) {
        ASSIGN_OR_RETURN(node, reader.finish_view(EntryKind::directory, hash, *stored, space));
      }
      RETURN_IF_ERROR(visit(hash, node));
    }
    waiting_.pop_back();
  }
  return {};
}

Result<void> Marker::mark_chunks(const EntryReader& reader, const Hash& file, BytesView first_part) {
  Bytes space;
  ASSIGN_OR_RETURN(const BytesView record, reader.finish_view(EntryKind::file, file, first_part, space));
  const std::optional<BytesView> chunks = archive::chunk_hashes(record);
  if (!chunks) return Error(ErrorCode::corruption, "the record of a file is malformed: " + hash_hex(file));
  for (BytesView rest = *chunks; !rest.empty(); rest.remove_prefix(sizeof(Hash))) chunks_.add(hash_of(rest));
  return {};
}

Result<void> Marker::scan_files(const EntryReader& reader, size_t steps) {
  entries_.sort();
  const kv::KeyRange range = entry_data(EntryKind::file);
  kv::RangeIterator rows(reader.transaction(), scan_from_, range.end, scan_pages(steps));
  size_t count = 0;
  const size_t prefix = range.begin.size();
  while (rows.next()) {
    const BytesView rest = rows.key().substr(prefix);
    // Longer: a part behind the first.
    if (rest.size() == sizeof(Hash)) {
      const Hash hash = hash_of(rest);
      if (entries_.contains(hash)) RETURN_IF_ERROR(mark_chunks(reader, hash, rows.value()));
    }
    if (++count == steps) scan_from_ = key_after(rows.key());
  }
  RETURN_IF_ERROR(rows.status());
  scanned_ = count < steps;
  if (scanned_) chunks_.sort();
  return {};
}

Result<ScannedRows> scan_rows(const kv::ReadTransaction& transaction, Marker& marker, uint32_t epoch, BytesView from,
                              size_t max_rows) {
  const kv::KeyRange range = entry_rows();
  kv::RangeIterator rows(transaction, from.empty() ? BytesView(range.begin) : from, range.end, scan_pages(max_rows));
  ScannedRows scanned;
  size_t count = 0;
  while (rows.next()) {
    const auto hash = hash_of_row_key(rows.key());
    if (!hash) return Error(ErrorCode::corruption, "an entry's key is malformed");
    ASSIGN_OR_RETURN(const EntryRow row, decode_entry_row(rows.value()));
    if (row.epoch == epoch || marker.is_marked(row.kind, *hash)) {
      ++scanned.live;
    } else {
      scanned.garbage.push_back({*hash, row});
    }
    if (++count == max_rows) scanned.next = key_after(rows.key());
  }
  RETURN_IF_ERROR(rows.status());
  return scanned;
}

Result<void> remove_garbage(EntryWriter& writer, std::span<const Garbage> garbage) {
  for (const auto& [hash, row] : garbage) {
    RETURN_IF_ERROR(writer.writes().add_read_conflict_key(entry_row_key(hash)));
    writer.remove(hash, row);
  }
  return {};
}

Result<std::vector<Garbage>> remove_what_is_still_garbage(EntryWriter& writer, std::span<const Garbage> garbage) {
  std::vector<Garbage> kept;
  for (const auto& [hash, found] : garbage) {
    ASSIGN_OR_RETURN(const std::optional<EntryRow> row, writer.row(hash));
    if (row && row->epoch == writer.collection().epoch) {
      kept.push_back({hash, *row});
    } else if (row) {
      writer.remove(hash, *row);
    }
  }
  return kept;
}

}  // namespace strata::files
