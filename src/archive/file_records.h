// Records of versioned files: the bytes of a file's record, a symlink and a directory, as stores and archives hold
// them.
//
// Purpose:       one encoding for both, so that a content's hash is the same everywhere and an export copies entries.
// Ownership:     what is decoded owns its bytes, but for DirectoryNode's views.
// Thread safety: pure functions.
// Invariants:    encode(decode(b)) == b for every b that decodes. Little-endian. Nothing is trusted: lengths are
//                bounded by what is there; names, paths and orders are the reader's to check.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/blake3.h"

namespace strata::archive {

// An archive's numbers; also those of entry_type in listings.
enum class EntryKind : uint8_t {
  chunk = 1,
  file = 2,
  directory = 3,
  deletion = 4,
  snapshot = 5,
  void_space = 6,
  fork = 7,
  symlink = 8,
};

// The most bytes of a chunk; all chunks of a file but the last have as many.
inline constexpr size_t file_chunk_bytes = 262'144;

struct FileRecord {
  std::string path;
  std::string content_type;
  uint64_t total_size = 0;
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
  // JSON, or empty.
  Bytes metadata;
  std::vector<Hash> chunks;
  friend bool operator==(const FileRecord&, const FileRecord&) = default;
};
// path and content type: at most 65,535 bytes each.
Bytes encode_file_record(const FileRecord& record);
std::optional<FileRecord> decode_file_record(BytesView bytes);
// Of a record, the hashes of its chunks, end to end, for those who need no more.
std::optional<BytesView> chunk_hashes(BytesView record);

struct SymlinkRecord {
  std::string path;
  std::string target;
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
  friend bool operator==(const SymlinkRecord&, const SymlinkRecord&) = default;
};
Bytes encode_symlink(const SymlinkRecord& record);
std::optional<SymlinkRecord> decode_symlink(BytesView bytes);

// What a directory says of one name in it.
struct ChildEntry {
  EntryKind kind = EntryKind::file;
  // Of the content: a file's record, a symlink's, a directory's bytes.
  Hash hash{};
  // Of a file; 0 of others.
  uint64_t size = 0;
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
  std::string name;
  // Of a file; empty where it has none.
  std::string content_type;
  friend bool operator==(const ChildEntry&, const ChildEntry&) = default;
};
void append_child(Bytes& out, const ChildEntry& child);
// Off the front of `rest`: its name, and all of its bytes, which `decode_child` takes.
struct ChildView {
  std::string_view name;
  BytesView bytes;
  // For those who need no more.
  EntryKind kind() const { return static_cast<EntryKind>(bytes[0]); }
  Hash hash() const { return hash_of(bytes.substr(1)); }
};
std::optional<ChildView> take_child(BytesView& rest);
std::optional<ChildEntry> decode_child(BytesView bytes);

// A directory is flat, children end to end, or the root of a tree of nodes; its first byte tells: of a flat one it is
// the kind of a child.
enum class NodeForm : uint8_t { leaf = 0, internal = 1, flat = 2 };
NodeForm form_of_node(BytesView bytes);

// The children of a flat directory or a leaf, end to end. nullopt: the bytes are an internal node or end early.
std::optional<BytesView> children_bytes(BytesView bytes);
// nullopt: malformed, or the bytes are an internal node.
std::optional<std::vector<ChildEntry>> decode_children(BytesView bytes);
Bytes encode_flat(const std::vector<ChildEntry>& children);
// At most max_leaf_children.
Bytes encode_leaf(const std::vector<ChildEntry>& children);

inline constexpr size_t max_flat_children = 255;
inline constexpr size_t max_leaf_children = 40;
inline constexpr size_t max_node_children = 78;

// A child of an internal node: where it begins, and its hash. The first one's name is empty: nothing comes before it.
struct NodeChild {
  std::string first_name;
  Hash hash{};
  friend bool operator==(const NodeChild&, const NodeChild&) = default;
};
// The same as views: of 32 bytes of hash, and a name.
struct NodeChildView {
  std::string_view first_name;
  BytesView hash_bytes;
  Hash hash() const { return hash_of(hash_bytes); }
};
// 1 to max_node_children of them; the first one's name is not written, and read as empty.
Bytes encode_internal(std::span<const NodeChildView> children);
Bytes encode_internal(const std::vector<NodeChild>& children);
// nullopt: malformed, or no internal node.
std::optional<std::vector<NodeChildView>> view_internal(BytesView bytes);
std::optional<std::vector<NodeChild>> decode_internal(BytesView bytes);

struct SnapshotRecord {
  std::string name;
  Hash root{};
  int64_t created_at_ms = 0;
  // JSON.
  Bytes metadata;
  friend bool operator==(const SnapshotRecord&, const SnapshotRecord&) = default;
};
// A fork is the same without metadata.
Bytes encode_snapshot(const SnapshotRecord& record);
std::optional<SnapshotRecord> decode_snapshot(BytesView bytes);
Bytes encode_fork(const SnapshotRecord& record);
std::optional<SnapshotRecord> decode_fork(BytesView bytes);

struct DeletionRecord {
  std::string path;
  int64_t deleted_at_ms = 0;
  std::string reason;
  friend bool operator==(const DeletionRecord&, const DeletionRecord&) = default;
};
Bytes encode_deletion(const DeletionRecord& record);
std::optional<DeletionRecord> decode_deletion(BytesView bytes);

// What an entry's content is hashed under.
inline constexpr std::string_view chunk_domain = "chunk:";
inline constexpr std::string_view file_domain = "filec:";
inline constexpr std::string_view symlink_domain = "symlinkc:";
inline constexpr std::string_view directory_domain = "dirc:";
// Of a node below the root of a directory's tree.
inline constexpr std::string_view node_domain = "btree:";

// chunk, file, directory (as a whole, or its root) or symlink.
Hash content_hash(EntryKind kind, BytesView bytes);
// Where an archive holds the newest of a path: file, directory or symlink.
Hash path_hash(EntryKind kind, std::string_view path);

}  // namespace strata::archive
