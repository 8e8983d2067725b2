#include "layers/files/collect.h"

#include <set>

#include "layers/files/directory.h"

namespace strata::files {
namespace {

constexpr size_t row_page = 1'000;
// Read at once with what names versions, of which there may be many.
constexpr size_t version_page = 10'000;
constexpr int range_bytes = 1 << 20;
constexpr size_t first_slots = 1'024;

kv::RangeOptions pages(size_t rows) {
  return {.limit = static_cast<int>(rows), .mode = kv::StreamingMode::exact, .target_bytes = range_bytes};
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

uint64_t HashMarks::prefix(const Hash& hash) {
  const uint64_t value = read_be64(bytes_of(hash));
  return value == 0 ? 1 : value;
}

size_t HashMarks::place(uint64_t value) const {
  const size_t mask = slots_.size() - 1;
  // The low bits: sweeps ask in the order of the high ones, and marks come in none.
  size_t at = value & mask;
  while (slots_[at] != 0 && slots_[at] != value) at = (at + 1) & mask;
  return at;
}

void HashMarks::grow() {
  std::vector<uint64_t> old = std::exchange(slots_, std::vector<uint64_t>(std::max(first_slots, 2 * slots_.size())));
  for (const uint64_t value : old) {
    if (value != 0) slots_[place(value)] = value;
  }
}

void HashMarks::add(const Hash& hash) {
  if (4 * (size_ + 1) > 3 * slots_.size()) grow();
  const uint64_t value = prefix(hash);
  uint64_t& slot = slots_[place(value)];
  if (slot == 0) ++size_;
  slot = value;
}

bool HashMarks::contains(const Hash& hash) const {
  if (slots_.empty()) return false;
  return slots_[place(prefix(hash))] != 0;
}

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
  marks_.add(directory);
  waiting_.push_back(directory);
}

void Marker::add(EntryKind kind, const Hash& hash) {
  if (kind == EntryKind::directory) {
    open_later(hash);
  } else {
    marks_.add(hash);
  }
}

Result<void> Marker::visit(const Bytes& node) {
  if (archive::form_of_node(node) == archive::NodeForm::internal) {
    const auto children = archive::decode_internal(node);
    if (!children) return Error(ErrorCode::corruption, "a node of a directory is malformed");
    for (const archive::NodeChild& child : *children) open_later(child.hash);
    return {};
  }
  const std::optional<BytesView> all = archive::children_bytes(node);
  if (!all) return Error(ErrorCode::corruption, "a directory is malformed");
  for (BytesView rest = *all; !rest.empty();) {
    const auto child = archive::take_child(rest);
    if (!child) return Error(ErrorCode::corruption, "a directory is malformed");
    add(child->kind(), child->hash());
  }
  return {};
}

Result<void> Marker::walk(const EntryReader& reader, size_t steps) {
  for (; steps > 0 && !waiting_.empty(); --steps) {
    const Hash hash = waiting_.back();
    // Not through the cache, which is for those who read.
    std::shared_ptr<const Bytes> node = reader.cache().find(hash);
    if (!node) {
      ASSIGN_OR_RETURN(std::optional<Bytes> read, reader.read(EntryKind::directory, hash));
      if (!read && hash != empty_directory()) {
        return Error(ErrorCode::corruption, "a directory is missing: " + hash_hex(hash));
      }
      node = std::make_shared<const Bytes>(read ? *std::move(read) : Bytes());
    }
    waiting_.pop_back();
    RETURN_IF_ERROR(visit(*node));
  }
  return {};
}

Result<void> Marker::mark_chunks(const EntryReader& reader, const Hash& file, BytesView first_part) {
  ASSIGN_OR_RETURN(const Bytes bytes, reader.finish(EntryKind::file, file, first_part));
  const auto record = archive::decode_file_record(bytes);
  if (!record) return Error(ErrorCode::corruption, "the record of a file is malformed: " + hash_hex(file));
  for (const Hash& chunk : record->chunks) marks_.add(chunk);
  return {};
}

Result<void> Marker::scan_files(const EntryReader& reader, size_t steps) {
  const kv::KeyRange range = entry_data(EntryKind::file);
  kv::RangeIterator rows(reader.transaction(), scan_from_, range.end, pages(steps));
  size_t count = 0;
  const size_t prefix = range.begin.size();
  while (rows.next()) {
    ++count;
    const BytesView rest = rows.key().substr(prefix);
    // Longer: a part behind the first.
    if (rest.size() == sizeof(Hash)) {
      const Hash hash = hash_of(rest);
      if (marks_.contains(hash)) RETURN_IF_ERROR(mark_chunks(reader, hash, rows.value()));
    }
    scan_from_ = key_after(rows.key());
  }
  RETURN_IF_ERROR(rows.status());
  scanned_ = count < steps;
  return {};
}

Result<SweptPage> sweep_page(EntryWriter& writer, const Marker& marker, BytesView from, size_t max_rows,
                             size_t max_removed, bool dry) {
  const kv::KeyRange range = entry_rows();
  // Whole ranges would conflict with everybody who puts something.
  kv::RangeIterator rows(writer.writes().snapshot(), from.empty() ? BytesView(range.begin) : from, range.end,
                         pages(max_rows));
  SweptPage page;
  size_t count = 0;
  while (rows.next()) {
    const auto hash = hash_of_row_key(rows.key());
    if (!hash) return Error(ErrorCode::corruption, "an entry's key is malformed");
    ASSIGN_OR_RETURN(const EntryRow row, decode_entry_row(rows.value()));
    if (row.epoch == writer.collection().epoch || marker.is_marked(*hash)) {
      ++page.live;
    } else {
      ++page.garbage;
      page.garbage_bytes += row.stored_size;
      if (!dry) {
        RETURN_IF_ERROR(writer.writes().add_read_conflict_key(rows.key()));
        writer.remove(*hash, row);
      }
    }
    if (++count == max_rows || (!dry && page.garbage == max_removed)) {
      page.next = key_after(rows.key());
      break;
    }
  }
  RETURN_IF_ERROR(rows.status());
  return page;
}

}  // namespace strata::files
