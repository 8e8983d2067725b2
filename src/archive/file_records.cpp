#include "archive/file_records.h"

#include "archive/fields.h"

namespace strata::archive {
namespace {

// Kind, hash, size and two times.
constexpr size_t child_head_bytes = 1 + sizeof(Hash) + 3 * 8;

void append_ms(Bytes& out, int64_t ms) { append_le64(out, static_cast<uint64_t>(ms)); }

int64_t take_ms(Fields& fields) { return static_cast<int64_t>(fields.take64()); }

void append_named_root(Bytes& out, const SnapshotRecord& record) {
  append_sized16(out, record.name);
  out.append(bytes_of(record.root));
  append_ms(out, record.created_at_ms);
}

SnapshotRecord take_named_root(Fields& fields) {
  SnapshotRecord record;
  record.name = fields.take_sized16();
  record.root = fields.take_hash();
  record.created_at_ms = take_ms(fields);
  return record;
}

}  // namespace

Bytes encode_file_record(const FileRecord& record) {
  Bytes out;
  out.reserve(36 + record.path.size() + record.content_type.size() + record.metadata.size() +
              record.chunks.size() * sizeof(Hash));
  append_sized16(out, record.path);
  append_sized16(out, record.content_type);
  append_le64(out, record.total_size);
  append_ms(out, record.created_at_ms);
  append_ms(out, record.updated_at_ms);
  append_sized32(out, record.metadata);
  append_le32(out, static_cast<uint32_t>(record.chunks.size()));
  for (const Hash& chunk : record.chunks) out.append(bytes_of(chunk));
  return out;
}

std::optional<BytesView> chunk_hashes(BytesView record) {
  Fields fields(record);
  fields.take_sized16();
  fields.take_sized16();
  fields.take(3 * sizeof(uint64_t));
  fields.take_sized32();
  const uint64_t count = fields.take32();
  const BytesView hashes = fields.take(count * sizeof(Hash));
  if (!fields.all()) return std::nullopt;
  return hashes;
}

std::optional<FileRecord> decode_file_record(BytesView bytes) {
  Fields fields(bytes);
  FileRecord record;
  record.path = fields.take_sized16();
  record.content_type = fields.take_sized16();
  record.total_size = fields.take64();
  record.created_at_ms = take_ms(fields);
  record.updated_at_ms = take_ms(fields);
  record.metadata = fields.take_sized32();
  const uint64_t count = fields.take32();
  BytesView hashes = fields.take(count * sizeof(Hash));
  if (!fields.all()) return std::nullopt;
  record.chunks.reserve(count);
  for (; !hashes.empty(); hashes.remove_prefix(sizeof(Hash))) record.chunks.push_back(hash_of(hashes));
  return record;
}

Bytes encode_symlink(const SymlinkRecord& record) {
  Bytes out;
  append_sized16(out, record.path);
  append_sized16(out, record.target);
  append_ms(out, record.created_at_ms);
  append_ms(out, record.updated_at_ms);
  return out;
}

std::optional<SymlinkRecord> decode_symlink(BytesView bytes) {
  Fields fields(bytes);
  SymlinkRecord record;
  record.path = fields.take_sized16();
  record.target = fields.take_sized16();
  record.created_at_ms = take_ms(fields);
  record.updated_at_ms = take_ms(fields);
  if (!fields.all()) return std::nullopt;
  return record;
}

void append_child(Bytes& out, const ChildEntry& child) {
  out.push_back(static_cast<char>(child.kind));
  out.append(bytes_of(child.hash));
  append_le64(out, child.size);
  append_ms(out, child.created_at_ms);
  append_ms(out, child.updated_at_ms);
  append_sized16(out, child.name);
  append_sized16(out, child.content_type);
}

std::optional<ChildView> take_child(BytesView& rest) {
  const BytesView all = rest;
  Fields fields(rest);
  fields.take(child_head_bytes);
  ChildView view;
  view.name = fields.take_sized16();
  fields.take_sized16();
  if (!fields.ok()) return std::nullopt;
  view.bytes = all.substr(0, all.size() - rest.size());
  return view;
}

std::optional<ChildEntry> decode_child(BytesView bytes) {
  Fields fields(bytes);
  ChildEntry child;
  child.kind = static_cast<EntryKind>(fields.take8());
  child.hash = fields.take_hash();
  child.size = fields.take64();
  child.created_at_ms = take_ms(fields);
  child.updated_at_ms = take_ms(fields);
  child.name = fields.take_sized16();
  child.content_type = fields.take_sized16();
  const bool known =
      child.kind == EntryKind::file || child.kind == EntryKind::directory || child.kind == EntryKind::symlink;
  if (!fields.all() || !known) return std::nullopt;
  return child;
}

NodeForm form_of_node(BytesView bytes) {
  if (!bytes.empty() && bytes[0] == 0) return NodeForm::leaf;
  return !bytes.empty() && bytes[0] == 1 ? NodeForm::internal : NodeForm::flat;
}

std::optional<BytesView> children_bytes(BytesView bytes) {
  switch (form_of_node(bytes)) {
    case NodeForm::internal:
      return std::nullopt;
    case NodeForm::flat:
      return bytes;
    case NodeForm::leaf:
      break;
  }
  if (bytes.size() < 3) return std::nullopt;
  return bytes.substr(3);
}

std::optional<std::vector<ChildEntry>> decode_children(BytesView bytes) {
  std::optional<BytesView> rest = children_bytes(bytes);
  if (!rest) return std::nullopt;
  std::vector<ChildEntry> children;
  children.reserve(rest->size() / (child_head_bytes + 4));
  while (!rest->empty()) {
    const std::optional<ChildView> view = take_child(*rest);
    std::optional<ChildEntry> child = view ? decode_child(view->bytes) : std::nullopt;
    if (!child) return std::nullopt;
    children.push_back(std::move(*child));
  }
  if (form_of_node(bytes) == NodeForm::leaf) {
    Fields fields(bytes);
    fields.take8();
    if (fields.take16() != children.size()) return std::nullopt;
  }
  return children;
}

Bytes encode_flat(const std::vector<ChildEntry>& children) {
  Bytes out;
  for (const ChildEntry& child : children) append_child(out, child);
  return out;
}

Bytes encode_leaf(const std::vector<ChildEntry>& children) {
  STRATA_ASSERT(children.size() <= max_leaf_children);
  Bytes out(1, static_cast<char>(NodeForm::leaf));
  append_le16(out, static_cast<uint16_t>(children.size()));
  for (const ChildEntry& child : children) append_child(out, child);
  return out;
}

Bytes encode_internal(std::span<const NodeChildView> children) {
  STRATA_ASSERT(!children.empty() && children.size() <= max_node_children);
  size_t size = 3;
  for (const NodeChildView& child : children) size += 2 + child.first_name.size() + sizeof(Hash);
  Bytes out(1, static_cast<char>(NodeForm::internal));
  out.reserve(size);
  append_le16(out, static_cast<uint16_t>(children.size() - 1));
  for (const NodeChildView& child : children.subspan(1)) append_sized16(out, child.first_name);
  for (const NodeChildView& child : children) out.append(child.hash_bytes);
  return out;
}

Bytes encode_internal(const std::vector<NodeChild>& children) {
  std::vector<NodeChildView> views;
  views.reserve(children.size());
  for (const NodeChild& child : children) views.push_back({child.first_name, bytes_of(child.hash)});
  return encode_internal(views);
}

std::optional<std::vector<NodeChildView>> view_internal(BytesView bytes) {
  if (form_of_node(bytes) != NodeForm::internal) return std::nullopt;
  Fields fields(bytes);
  fields.take8();
  const size_t keys = fields.take16();
  // Each key and each hash takes bytes that must be there: no count is worth more than what follows it.
  if (!fields.ok() || keys * (2 + sizeof(Hash)) > bytes.size()) return std::nullopt;
  std::vector<NodeChildView> children(keys + 1);
  for (size_t i = 1; i <= keys; ++i) children[i].first_name = fields.take_sized16();
  for (NodeChildView& child : children) child.hash_bytes = fields.take(sizeof(Hash));
  if (!fields.all()) return std::nullopt;
  return children;
}

std::optional<std::vector<NodeChild>> decode_internal(BytesView bytes) {
  const std::optional<std::vector<NodeChildView>> views = view_internal(bytes);
  if (!views) return std::nullopt;
  std::vector<NodeChild> children;
  children.reserve(views->size());
  for (const NodeChildView& view : *views) children.push_back({std::string(view.first_name), view.hash()});
  return children;
}

Bytes encode_snapshot(const SnapshotRecord& record) {
  Bytes out = encode_fork(record);
  append_sized32(out, record.metadata);
  return out;
}

std::optional<SnapshotRecord> decode_snapshot(BytesView bytes) {
  Fields fields(bytes);
  SnapshotRecord record = take_named_root(fields);
  record.metadata = fields.take_sized32();
  if (!fields.all()) return std::nullopt;
  return record;
}

Bytes encode_fork(const SnapshotRecord& record) {
  Bytes out;
  append_named_root(out, record);
  return out;
}

std::optional<SnapshotRecord> decode_fork(BytesView bytes) {
  Fields fields(bytes);
  SnapshotRecord record = take_named_root(fields);
  if (!fields.all()) return std::nullopt;
  return record;
}

Bytes encode_deletion(const DeletionRecord& record) {
  Bytes out;
  append_sized16(out, record.path);
  append_ms(out, record.deleted_at_ms);
  append_sized16(out, record.reason);
  return out;
}

std::optional<DeletionRecord> decode_deletion(BytesView bytes) {
  Fields fields(bytes);
  DeletionRecord record;
  record.path = fields.take_sized16();
  record.deleted_at_ms = take_ms(fields);
  record.reason = fields.take_sized16();
  if (!fields.all()) return std::nullopt;
  return record;
}

Hash content_hash(EntryKind kind, BytesView bytes) {
  switch (kind) {
    case EntryKind::chunk:
      return blake3(chunk_domain, bytes);
    case EntryKind::file:
      return blake3(file_domain, bytes);
    case EntryKind::symlink:
      return blake3(symlink_domain, bytes);
    default:
      STRATA_ASSERT(kind == EntryKind::directory);
      return blake3(directory_domain, bytes);
  }
}

Hash path_hash(EntryKind kind, std::string_view path) {
  switch (kind) {
    case EntryKind::file:
      return blake3("file:", path);
    case EntryKind::symlink:
      return blake3("symlink:", path);
    default:
      STRATA_ASSERT(kind == EntryKind::directory);
      return blake3("dir:", path);
  }
}

}  // namespace strata::archive
