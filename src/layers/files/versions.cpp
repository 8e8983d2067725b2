#include "layers/files/versions.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "archive/fields.h"
#include "layers/files/directory.h"
#include "layers/files/file_keys.h"

namespace strata::files {
namespace {

using archive::Fields;

// A row that begins as every row does; false: it is another.
bool take_format(Fields& fields) { return fields.take8() == row_format && fields.ok(); }

int64_t take_ms(Fields& fields) { return static_cast<int64_t>(fields.take64()); }

void append_ms(Bytes& out, int64_t ms) { append_le64(out, static_cast<uint64_t>(ms)); }

Hash take_hash(Fields& fields) {
  const BytesView bytes = fields.take(sizeof(Hash));
  return fields.ok() ? hash_of(bytes) : Hash{};
}

Result<Branch> decode_branch(std::string_view name, BytesView stored) {
  Fields fields(stored);
  const bool known = take_format(fields);
  Branch branch;
  branch.name = name;
  branch.root = take_hash(fields);
  branch.created_at_ms = take_ms(fields);
  branch.changed_at_ms = take_ms(fields);
  if (!known || !fields.all()) return corrupt_row("the row of a branch");
  return branch;
}

Result<Snapshot> decode_snapshot_row(std::string_view name, BytesView stored) {
  Fields fields(stored);
  const bool known = take_format(fields);
  Snapshot snapshot;
  snapshot.name = name;
  snapshot.root = take_hash(fields);
  snapshot.created_at_ms = take_ms(fields);
  snapshot.metadata = fields.ok() ? fields.take(stored.size()) : BytesView();
  if (!known || !fields.all()) return corrupt_row("the row of a snapshot");
  return snapshot;
}

}  // namespace

Result<void> validate_version_name(std::string_view name) {
  const auto invalid = [](std::string reason) { return Error(ErrorCode::invalid_argument, "name: " + reason); };
  if (name.empty()) return invalid("is empty");
  if (name.size() > max_version_name_bytes) {
    return invalid(fmt::format("is longer than {} bytes", max_version_name_bytes));
  }
  if (name == "HEAD") return invalid("HEAD is the version that is written to");
  if (name.find_first_of(BytesView("\0/", 2)) != std::string_view::npos) return invalid("holds a slash or a NUL byte");
  if (!simdjson::validate_utf8(name.data(), name.size())) return invalid("is not UTF-8");
  return {};
}

Result<std::optional<Branch>> read_branch(const kv::ReadTransaction& transaction, std::string_view name) {
  ASSIGN_OR_RETURN(const std::optional<Bytes> stored, transaction.get(file_key(RowKind::branch, name)).get());
  if (stored) {
    ASSIGN_OR_RETURN(Branch branch, decode_branch(name, *stored));
    return std::optional<Branch>(std::move(branch));
  }
  if (name != head) return std::optional<Branch>();
  return std::optional<Branch>(Branch{std::string(head), empty_directory(), 0, 0});
}

void set_branch(kv::Transaction& transaction, const Branch& branch) {
  Bytes stored{row_format};
  stored.append(bytes_of(branch.root));
  append_ms(stored, branch.created_at_ms);
  append_ms(stored, branch.changed_at_ms);
  transaction.set(file_key(RowKind::branch, branch.name), stored);
}

void move_branch(kv::Transaction& transaction, Branch& branch, const Hash& root, int64_t now_ms) {
  branch.root = root;
  branch.changed_at_ms = std::max(now_ms, branch.changed_at_ms + 1);
  if (branch.created_at_ms == 0) branch.created_at_ms = now_ms;
  set_branch(transaction, branch);
}

void remove_branch(kv::Transaction& transaction, std::string_view name) {
  transaction.clear(file_key(RowKind::branch, name));
}

Result<std::vector<Branch>> read_branches(const kv::ReadTransaction& transaction) {
  std::vector<Branch> branches;
  const kv::KeyRange range = file_keys(RowKind::branch);
  kv::RangeIterator rows(transaction, range.begin, range.end);
  while (rows.next()) {
    ASSIGN_OR_RETURN(Branch branch, decode_branch(file_key_rest(rows.key()), rows.value()));
    branches.push_back(std::move(branch));
  }
  RETURN_IF_ERROR(rows.status());
  return branches;
}

Result<std::optional<Snapshot>> read_snapshot(const kv::ReadTransaction& transaction, std::string_view name) {
  ASSIGN_OR_RETURN(const std::optional<Bytes> stored, transaction.get(file_key(RowKind::snapshot, name)).get());
  if (!stored) return std::optional<Snapshot>();
  ASSIGN_OR_RETURN(Snapshot snapshot, decode_snapshot_row(name, *stored));
  return std::optional<Snapshot>(std::move(snapshot));
}

void set_snapshot(kv::Transaction& transaction, const Snapshot& snapshot) {
  Bytes stored{row_format};
  stored.append(bytes_of(snapshot.root));
  append_ms(stored, snapshot.created_at_ms);
  stored.append(snapshot.metadata);
  transaction.set(file_key(RowKind::snapshot, snapshot.name), stored);
}

void remove_snapshot(kv::Transaction& transaction, std::string_view name) {
  transaction.clear(file_key(RowKind::snapshot, name));
}

Result<std::vector<Snapshot>> read_snapshots(const kv::ReadTransaction& transaction) {
  std::vector<Snapshot> snapshots;
  const kv::KeyRange range = file_keys(RowKind::snapshot);
  kv::RangeIterator rows(transaction, range.begin, range.end);
  while (rows.next()) {
    ASSIGN_OR_RETURN(Snapshot snapshot, decode_snapshot_row(file_key_rest(rows.key()), rows.value()));
    snapshot.metadata = Bytes();
    snapshots.push_back(std::move(snapshot));
  }
  RETURN_IF_ERROR(rows.status());
  return snapshots;
}

Result<std::optional<VersionRow>> read_version_row(const kv::ReadTransaction& transaction, const Hash& root) {
  const Bytes key = file_key(RowKind::version, bytes_of(root));
  ASSIGN_OR_RETURN(const std::optional<Bytes> stored, transaction.get(key).get());
  if (!stored) return std::optional<VersionRow>();
  ASSIGN_OR_RETURN(const VersionRow row, decode_version_row(key, *stored));
  return std::optional<VersionRow>(row);
}

void set_version_row(kv::Transaction& transaction, const VersionRow& row) {
  Bytes stored{row_format};
  append_ms(stored, row.created_at_ms);
  append_ms(stored, row.pinned_until_ms);
  transaction.set(file_key(RowKind::version, bytes_of(row.root)), stored);
}

kv::KeyRange version_rows() { return file_keys(RowKind::version); }

Result<VersionRow> decode_version_row(BytesView key, BytesView stored) {
  const BytesView hash = file_key_rest(key);
  Fields fields(stored);
  const bool known = take_format(fields);
  VersionRow row;
  row.created_at_ms = take_ms(fields);
  row.pinned_until_ms = take_ms(fields);
  if (!known || !fields.all() || hash.size() != sizeof(Hash)) return corrupt_row("the row of a version");
  row.root = hash_of(hash);
  return row;
}

void set_upload_mark(kv::Transaction& transaction, const UploadMark& mark) {
  Bytes key = file_key(RowKind::upload);
  key.append(reinterpret_cast<const char*>(mark.session.data()), mark.session.size());
  key.append(bytes_of(mark.chunk));
  Bytes stored{row_format};
  append_ms(stored, mark.expires_at_ms);
  transaction.set(key, stored);
}

void clear_upload_marks(kv::Transaction& transaction, const SessionId& session) {
  const kv::KeyRange range =
      file_keys(RowKind::upload, {reinterpret_cast<const char*>(session.data()), session.size()});
  transaction.clear_range(range.begin, range.end);
}

kv::KeyRange upload_marks() { return file_keys(RowKind::upload); }

Result<UploadMark> decode_upload_mark(BytesView key, BytesView stored) {
  BytesView rest = file_key_rest(key);
  Fields key_fields(rest);
  UploadMark mark;
  const BytesView session = key_fields.take(mark.session.size());
  mark.chunk = take_hash(key_fields);
  Fields fields(stored);
  const bool known = take_format(fields);
  mark.expires_at_ms = take_ms(fields);
  if (!known || !fields.all() || !key_fields.all()) return corrupt_row("the mark of an upload");
  std::copy(session.begin(), session.end(), mark.session.begin());
  return mark;
}

}  // namespace strata::files
