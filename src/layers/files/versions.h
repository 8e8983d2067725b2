// Versions: branches, snapshots and what holds a version alive.
//
// Purpose:       the rows that name roots. HEAD is the branch without a name, forks are the others.
// Ownership:     values.
// Thread safety: as the transaction that is passed.
// Invariants:    a root that a row names was put before or with the row. Every root that a branch had has a version row
//                until it is collected.
// Errors:        corruption.
#pragma once

#include "layers/files/entries.h"

namespace strata::files {

inline constexpr size_t max_version_name_bytes = 255;
inline constexpr std::string_view head = "";

// invalid_argument: empty, too long, "HEAD", not UTF-8, with a NUL or a slash.
Result<void> validate_version_name(std::string_view name);

struct Branch {
  std::string name;
  Hash root{};
  int64_t created_at_ms = 0;
  int64_t changed_at_ms = 0;
  friend bool operator==(const Branch&, const Branch&) = default;
};
// HEAD is always there: at first it is the empty directory.
Result<std::optional<Branch>> read_branch(const kv::ReadTransaction& transaction, std::string_view name);
void set_branch(kv::Transaction& transaction, const Branch& branch);
// From now on it stands at `root`. Its times ascend whatever the clock does, so that no two commits of a branch write
// the same row.
void move_branch(kv::Transaction& transaction, Branch& branch, const Hash& root, int64_t now_ms);
void remove_branch(kv::Transaction& transaction, std::string_view name);
// By name, HEAD first where it was ever set; about 80 KB. Behind `after`.
Result<std::vector<Branch>> read_branches(const kv::ReadTransaction& transaction);

using Snapshot = archive::SnapshotRecord;
Result<std::optional<Snapshot>> read_snapshot(const kv::ReadTransaction& transaction, std::string_view name);
void set_snapshot(kv::Transaction& transaction, const Snapshot& snapshot);
void remove_snapshot(kv::Transaction& transaction, std::string_view name);
// All, by name, without their metadata: of 1,500 snapshots that was 100 MB.
Result<std::vector<Snapshot>> read_snapshots(const kv::ReadTransaction& transaction);

struct VersionRow {
  Hash root{};
  int64_t created_at_ms = 0;
  // Until then it is not collected, though nothing names it. 0: it may be.
  int64_t pinned_until_ms = 0;
  friend bool operator==(const VersionRow&, const VersionRow&) = default;
};
Result<std::optional<VersionRow>> read_version_row(const kv::ReadTransaction& transaction, const Hash& root);
void set_version_row(kv::Transaction& transaction, const VersionRow& row);
kv::KeyRange version_rows();
Result<VersionRow> decode_version_row(BytesView key, BytesView stored);

// What an upload under way relies on: a chunk of it is not collected before it expires.
using SessionId = std::array<uint8_t, 16>;
// Chunks that clients put by themselves, to commit them later.
inline constexpr SessionId loose_chunks{};
struct UploadMark {
  SessionId session{};
  Hash chunk{};
  int64_t expires_at_ms = 0;
};
void set_upload_mark(kv::Transaction& transaction, const UploadMark& mark);
// All of one upload.
void clear_upload_marks(kv::Transaction& transaction, const SessionId& session);
kv::KeyRange upload_marks();
Result<UploadMark> decode_upload_mark(BytesView key, BytesView stored);

}  // namespace strata::files
