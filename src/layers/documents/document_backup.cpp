#include "layers/documents/document_backup.h"

#include <set>

#include "archive/fields.h"
#include "layers/documents/schema.h"

namespace strata::documents {
namespace {

using archive::Fields;

constexpr archive::FileKind documents_kind{.magic = "STRATADB", .version = 1};
constexpr archive::FileKind manifest_kind{.magic = "STRATADM", .version = 1};

enum class Frame : uint8_t { copied = 1, changes = 2, end = 3, backup = 4, table = 5, footer = 6 };
enum class Kind : uint8_t { put = 1, removed = 2 };

void append_digest(Bytes& out, const archive::Digest128& digest) {
  append_le64(out, digest.low);
  append_le64(out, digest.high);
}

archive::Digest128 take_digest(Fields& fields) {
  const uint64_t low = fields.take64();
  return {.low = low, .high = fields.take64()};
}

}  // namespace

BackupWriter::BackupWriter(ByteSink& sink) : frames_(sink, documents_kind) {}

Result<void> BackupWriter::add(const BackupItem& item) {
  STRATA_ASSERT(item.text || item.is_change);
  const size_t text_bytes = item.text ? 4 + item.text->size() : 0;
  const Frame type = item.is_change ? Frame::changes : Frame::copied;
  RETURN_IF_ERROR(frames_.prepare(static_cast<uint8_t>(type), 4 + 1 + 2 + item.key.size() + text_bytes));
  Bytes& out = frames_.payload();
  append_le32(out, item.table);
  out.push_back(static_cast<char>(item.text ? Kind::put : Kind::removed));
  archive::append_sized16(out, item.key);
  if (item.text) archive::append_sized32(out, *item.text);
  ++items_;
  return {};
}

Result<void> BackupWriter::finish() {
  RETURN_IF_ERROR(frames_.flush());
  digest_ = frames_.digest();
  RETURN_IF_ERROR(frames_.prepare(static_cast<uint8_t>(Frame::end), 8 + 16));
  append_le64(frames_.payload(), items_);
  append_digest(frames_.payload(), digest_);
  return frames_.flush();
}

BackupReader::BackupReader(ByteSource& source, size_t tables)
    : frames_(source, documents_kind, "backup"), tables_(tables) {}

Result<std::optional<BackupItem>> BackupReader::next() {
  if (!open_ || frames_.rest().empty()) {
    RETURN_IF_ERROR(frames_.next());
    open_ = true;
    const auto type = static_cast<Frame>(frames_.type());
    if (type == Frame::end) {
      RETURN_IF_ERROR(end());
      return std::optional<BackupItem>();
    }
    if ((type != Frame::copied && type != Frame::changes) || (in_changes_ && type == Frame::copied)) {
      return frames_.broken("a frame that does not belong here");
    }
    in_changes_ = type == Frame::changes;
  }
  Fields fields(frames_.rest());
  BackupItem item{.table = fields.take32(), .is_change = in_changes_};
  const auto kind = static_cast<Kind>(fields.take8());
  item.key = fields.take_sized16();
  if (kind == Kind::put) item.text = fields.take_sized32();
  if (!fields.ok() || item.table >= tables_ || (kind != Kind::put && (kind != Kind::removed || !in_changes_))) {
    return frames_.broken("a document of the wrong shape");
  }
  RETURN_IF_ERROR(check(item));
  ++items_;
  return std::optional<BackupItem>(item);
}

Result<void> BackupReader::check(const BackupItem& item) {
  if (!validate_document_key(item.key).ok()) return frames_.broken("a key that no document has");
  if (item.text) {
    Arena blanks;
    const auto text = minify_document(*item.text, blanks);
    if (!text.ok() || *text != *item.text) return frames_.broken("a document that is not such JSON as is stored");
  }
  if (item.is_change) return {};
  if (table_ && (item.table < *table_ || (item.table == *table_ && item.key <= BytesView(key_)))) {
    return frames_.broken("documents that are not in order");
  }
  table_ = item.table;
  key_ = item.key;
  return {};
}

Result<void> BackupReader::end() {
  const archive::Digest128 before = frames_.digest();
  Fields fields(frames_.rest());
  const uint64_t items = fields.take64();
  const archive::Digest128 digest = take_digest(fields);
  if (!fields.all() || items != items_ || digest != before) {
    return frames_.broken("the end does not fit what came before it");
  }
  digest_ = digest;
  return frames_.expect_end();
}

Result<void> write_manifest(ByteSink& sink, const BackupManifest& manifest) {
  archive::FrameWriter frames(sink, manifest_kind);
  RETURN_IF_ERROR(frames.begin());
  RETURN_IF_ERROR(frames.prepare(static_cast<uint8_t>(Frame::backup), 8 + 8 + 8 + 16 + 4));
  Bytes& out = frames.payload();
  append_le64(out, static_cast<uint64_t>(manifest.created_us));
  append_le64(out, manifest.items);
  append_le64(out, manifest.bytes);
  append_digest(out, manifest.digest);
  append_le32(out, static_cast<uint32_t>(manifest.tables.size()));
  RETURN_IF_ERROR(frames.flush());
  for (const Table& table : manifest.tables) {
    Bytes item;
    archive::append_sized16(item, table.name);
    append_le64(item, static_cast<uint64_t>(table.created_us));
    append_le32(item, table.options.shards);
    archive::append_sized32(item, table.options.description);
    archive::append_sized32(item, table.options.schema);
    Bytes indexes;
    append_indexes(indexes, table.indexes, table.next_index);
    archive::append_sized32(item, indexes);
    RETURN_IF_ERROR(frames.prepare(static_cast<uint8_t>(Frame::table), item.size()));
    frames.payload().append(item);
    RETURN_IF_ERROR(frames.flush());
  }
  const archive::Digest128 digest = frames.digest();
  RETURN_IF_ERROR(frames.prepare(static_cast<uint8_t>(Frame::footer), 16));
  append_digest(frames.payload(), digest);
  return frames.flush();
}

namespace {

Result<Table> read_table(archive::FrameReader& frames) {
  RETURN_IF_ERROR(frames.next());
  Table table;
  Fields fields(frames.rest());
  table.name = fields.take_sized16();
  table.created_us = static_cast<int64_t>(fields.take64());
  table.options.shards = fields.take32();
  table.options.description = fields.take_sized32();
  table.options.schema = fields.take_sized32();
  const BytesView indexes = fields.take_sized32();
  if (frames.type() != static_cast<uint8_t>(Frame::table) || !fields.all() || !table_names.validate(table.name).ok() ||
      !validate_table_options(table.options).ok() || !take_indexes(indexes, table.indexes, table.next_index).ok()) {
    return frames.broken("a table of the wrong shape");
  }
  if (!table.options.schema.empty() && !Schema::compile(table.options.schema).ok()) {
    return frames.broken("a table whose schema is none");
  }
  for (IndexDefinition& index : table.indexes) index.state = IndexState::building;
  return table;
}

}  // namespace

Result<BackupManifest> read_manifest(ByteSource& source) {
  archive::FrameReader frames(source, manifest_kind, "manifest of the backup");
  RETURN_IF_ERROR(frames.begin());
  RETURN_IF_ERROR(frames.next());
  BackupManifest manifest;
  Fields fields(frames.rest());
  manifest.created_us = static_cast<int64_t>(fields.take64());
  manifest.items = fields.take64();
  manifest.bytes = fields.take64();
  manifest.digest = take_digest(fields);
  const uint32_t tables = fields.take32();
  if (frames.type() != static_cast<uint8_t>(Frame::backup) || !fields.all() || tables > max_backup_tables) {
    return frames.broken("a beginning of the wrong shape");
  }
  std::set<std::string> names;
  for (uint32_t i = 0; i < tables; ++i) {
    ASSIGN_OR_RETURN(Table table, read_table(frames));
    if (!names.insert(table.name).second) return frames.broken("a table that is there twice");
    manifest.tables.push_back(std::move(table));
  }
  RETURN_IF_ERROR(frames.next());
  Fields footer(frames.rest());
  const archive::Digest128 digest = take_digest(footer);
  if (frames.type() != static_cast<uint8_t>(Frame::footer) || !footer.all() || digest != frames.digest()) {
    return frames.broken("the end does not fit what came before it");
  }
  RETURN_IF_ERROR(frames.expect_end());
  return manifest;
}

}  // namespace strata::documents
