#include "layers/files/entries.h"

#include <fmt/format.h>
#include <zstd.h>

#include "archive/fields.h"
#include "layers/files/file_keys.h"

namespace strata::files {
namespace {

using archive::Fields;

// Format, compression and two sizes.
constexpr size_t first_part_head_bytes = 10;

// Directories are most of what small writes write: 25 KB for each of them where one has 255 names. Packed they take
// half of that in the log, the memtable and every compaction, which saves more time than it takes. Level 1 makes hashes
// and times no smaller, and takes half as long again to three times as long.
constexpr size_t least_packed_tree_bytes = 500;
constexpr int tree_level = -1;

size_t part_count(size_t stored_size) { return stored_size == 0 ? 1 : (stored_size + part_bytes - 1) / part_bytes; }

// All parts have it but the last, which may be smaller: thirds of a chunk are large values, of which the engine writes
// each byte once, where the rest behind two full parts would not be one.
size_t part_size(size_t stored_size) {
  const size_t parts = part_count(stored_size);
  return (stored_size + parts - 1) / parts;
}

Bytes part_key(BytesView first_key, size_t part) {
  Bytes key(first_key);
  append_be16(key, static_cast<uint16_t>(part));
  return key;
}

Error collected(const Hash& hash) {
  return {ErrorCode::not_found, fmt::format("{} is no content of a version that exists", hash_hex(hash))};
}

Error malformed(std::string_view what, const Hash& hash) {
  return corrupt_row(fmt::format("{} {}", what, hash_hex(hash)));
}

template <class Context, Context* (*create)(), size_t (*destroy)(Context*)>
Context* context_of_thread() {
  struct Holder {
    Context* context = create();
    ~Holder() { destroy(context); }
  };
  static thread_local Holder holder;
  return holder.context;
}

}  // namespace

Bytes encode_entry_row(const EntryRow& row) {
  Bytes stored{row_format, static_cast<char>(row.kind), static_cast<char>(row.compression)};
  append_le32(stored, row.epoch);
  append_le32(stored, row.raw_size);
  append_le32(stored, row.stored_size);
  return stored;
}

Result<EntryRow> decode_entry_row(BytesView stored) {
  Fields fields(stored);
  const bool known = fields.take8() == row_format;
  EntryRow row;
  row.kind = static_cast<EntryKind>(fields.take8());
  row.compression = static_cast<Compression>(fields.take8());
  row.epoch = fields.take32();
  row.raw_size = fields.take32();
  row.stored_size = fields.take32();
  if (!known || !fields.all() || row.compression > Compression::zstd) return corrupt_row("an entry's row");
  return row;
}

Bytes entry_row_key(const Hash& hash) { return file_key(RowKind::entry, bytes_of(hash)); }

kv::KeyRange entry_rows() { return file_keys(RowKind::entry); }

std::optional<Hash> hash_of_row_key(BytesView key) {
  if (key.size() != layer_prefix.size() + 1 + sizeof(Hash)) return std::nullopt;
  return hash_of(file_key_rest(key));
}

Bytes entry_data_key(EntryKind kind, const Hash& hash) {
  Bytes key = file_key(RowKind::data);
  key.push_back(static_cast<char>(kind));
  key.append(bytes_of(hash));
  return key;
}

kv::KeyRange entry_data(EntryKind kind) {
  const char byte = static_cast<char>(kind);
  return file_keys(RowKind::data, {&byte, 1});
}

Result<StoredEntry> decode_first_part(BytesView stored) {
  Fields fields(stored);
  const bool known = fields.take8() == row_format;
  StoredEntry entry;
  entry.compression = static_cast<Compression>(fields.take8());
  entry.raw_size = fields.take32();
  entry.stored_size = fields.take32();
  entry.first = stored;
  const bool sizes = entry.stored_size <= max_entry_bytes && entry.raw_size <= max_entry_bytes &&
                     entry.first.size() == part_size(entry.stored_size);
  if (!known || !fields.ok() || entry.compression > Compression::zstd || !sizes) return corrupt_row("an entry");
  return entry;
}

Result<Bytes> unpack(Compression compression, Bytes stored, uint32_t raw_size) {
  if (compression == Compression::none) {
    if (stored.size() != raw_size) return corrupt_row("the size of an entry");
    return stored;
  }
  ZSTD_DCtx* const context = context_of_thread<ZSTD_DCtx, ZSTD_createDCtx, ZSTD_freeDCtx>();
  if (context == nullptr) return Error(ErrorCode::internal, "no memory to decompress");
  Bytes raw(raw_size, '\0');
  const size_t size = ZSTD_decompressDCtx(context, raw.data(), raw.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) || size != raw_size) return corrupt_row("a compressed entry");
  return raw;
}

std::optional<Bytes> pack_zstd(BytesView raw, int level) {
  ZSTD_CCtx* const context = context_of_thread<ZSTD_CCtx, ZSTD_createCCtx, ZSTD_freeCCtx>();
  if (context == nullptr) return std::nullopt;
  // A sixteenth must be won, or every read pays for nothing.
  Bytes packed(raw.size() - raw.size() / 16, '\0');
  const size_t size = ZSTD_compressCCtx(context, packed.data(), packed.size(), raw.data(), raw.size(), level);
  if (ZSTD_isError(size)) return std::nullopt;
  packed.resize(size);
  return packed;
}

Result<std::optional<Bytes>> EntryReader::read(EntryKind kind, const Hash& hash) const {
  ASSIGN_OR_RETURN(const std::optional<Bytes> first, get_first_part(kind, hash).get());
  if (!first) return std::optional<Bytes>();
  ASSIGN_OR_RETURN(Bytes bytes, finish(kind, hash, *first));
  return std::optional<Bytes>(std::move(bytes));
}

Future<std::optional<Bytes>> EntryReader::get_first_part(EntryKind kind, const Hash& hash) const {
  return transaction_.get(entry_data_key(kind, hash));
}

Result<Bytes> EntryReader::finish(EntryKind kind, const Hash& hash, BytesView first_part) const {
  ASSIGN_OR_RETURN(PackedEntry entry, finish_packed(kind, hash, first_part));
  return unpack(entry.compression, std::move(entry.stored), entry.raw_size);
}

Result<BytesView> EntryReader::finish_view(EntryKind kind, const Hash& hash, BytesView first_part, Bytes& space) const {
  ASSIGN_OR_RETURN(const StoredEntry entry, decode_first_part(first_part));
  const bool is_all = entry.first.size() == entry.raw_size && entry.first.size() == entry.stored_size;
  if (is_all && entry.compression == Compression::none) return entry.first;
  ASSIGN_OR_RETURN(space, finish(kind, hash, first_part));
  return BytesView(space);
}

Result<PackedEntry> EntryReader::finish_packed(EntryKind kind, const Hash& hash, BytesView first_part) const {
  ASSIGN_OR_RETURN(const StoredEntry entry, decode_first_part(first_part));
  std::vector<Future<std::optional<Bytes>>> parts;
  const Bytes key = entry_data_key(kind, hash);
  for (size_t part = 1; part < part_count(entry.stored_size); ++part) {
    parts.push_back(transaction_.get(part_key(key, part)));
  }
  Bytes stored;
  stored.reserve(entry.stored_size);
  stored.append(entry.first);
  for (Future<std::optional<Bytes>>& part : parts) {
    ASSIGN_OR_RETURN(const std::optional<Bytes> more, part.get());
    if (!more) return malformed("of the entry, a part is missing:", hash);
    stored.append(*more);
  }
  if (stored.size() != entry.stored_size) return malformed("the size of the parts of", hash);
  return PackedEntry{entry.compression, entry.raw_size, std::move(stored)};
}

Result<std::shared_ptr<const Bytes>> EntryReader::cached(EntryKind kind, const Hash& hash) const {
  if (std::shared_ptr<const Bytes> found = cache_->find(hash)) return found;
  ASSIGN_OR_RETURN(std::optional<Bytes> bytes, read(kind, hash));
  if (!bytes) return collected(hash);
  auto shared = std::make_shared<const Bytes>(std::move(*bytes));
  cache_->add(hash, shared);
  return std::shared_ptr<const Bytes>(std::move(shared));
}

Result<std::shared_ptr<const Bytes>> EntryReader::node(const Hash& hash) const {
  return cached(EntryKind::directory, hash);
}

Result<archive::FileRecord> EntryReader::file_record(const Hash& hash) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Bytes> bytes, cached(EntryKind::file, hash));
  std::optional<archive::FileRecord> record = archive::decode_file_record(*bytes);
  if (!record) return malformed("the record of a file", hash);
  return std::move(*record);
}

Result<archive::SymlinkRecord> EntryReader::symlink(const Hash& hash) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Bytes> bytes, cached(EntryKind::symlink, hash));
  std::optional<archive::SymlinkRecord> record = archive::decode_symlink(*bytes);
  if (!record) return malformed("the record of a symlink", hash);
  return std::move(*record);
}

Result<std::optional<EntryRow>> EntryReader::row(const Hash& hash) const {
  ASSIGN_OR_RETURN(const std::optional<Bytes> stored, transaction_.get(entry_row_key(hash)).get());
  if (!stored) return std::optional<EntryRow>();
  ASSIGN_OR_RETURN(const EntryRow row, decode_entry_row(*stored));
  return std::optional<EntryRow>(row);
}

Bytes collection_state_key() { return file_key(RowKind::collection); }

Bytes encode_collection_state(const CollectionState& state) {
  Bytes stored{row_format};
  append_le32(stored, state.epoch);
  stored.push_back(state.running ? 1 : 0);
  stored.append(state.cursor);
  return stored;
}

Result<CollectionState> decode_collection_state(const std::optional<Bytes>& stored) {
  CollectionState state;
  if (!stored) return state;
  BytesView rest(*stored);
  Fields fields(rest);
  const bool known = fields.take8() == row_format;
  state.epoch = fields.take32();
  const uint8_t running = fields.take8();
  if (!known || !fields.ok() || running > 1) return corrupt_row("the state of the collection");
  state.running = running == 1;
  state.cursor = rest;
  return state;
}

Result<EntryWriter> EntryWriter::begin(kv::Transaction& transaction, NodeCache& cache) {
  ASSIGN_OR_RETURN(const std::optional<Bytes> stored, transaction.get(collection_state_key()).get());
  ASSIGN_OR_RETURN(CollectionState state, decode_collection_state(stored));
  return EntryWriter(transaction, cache, std::move(state));
}

void EntryWriter::store(EntryKind kind, const Hash& hash, BytesView stored, Compression compression,
                        uint32_t raw_size) {
  STRATA_ASSERT(stored.size() <= max_entry_bytes);
  const EntryRow row{kind, compression, collection_.epoch, raw_size, static_cast<uint32_t>(stored.size())};
  writes_->set(entry_row_key(hash), encode_entry_row(row));

  const Bytes key = entry_data_key(kind, hash);
  const size_t size = part_size(stored.size());
  Bytes first;
  first.reserve(first_part_head_bytes + size);
  first.push_back(row_format);
  first.push_back(static_cast<char>(compression));
  append_le32(first, raw_size);
  append_le32(first, row.stored_size);
  first.append(stored.substr(0, size));
  writes_->set(key, first);
  for (size_t part = 1; part < part_count(stored.size()); ++part) {
    writes_->set(part_key(key, part), stored.substr(part * size, size));
  }
}

void EntryWriter::put(EntryKind kind, const Hash& hash, BytesView bytes) {
  store(kind, hash, bytes, Compression::none, static_cast<uint32_t>(bytes.size()));
}

Hash EntryWriter::put_tree_bytes(const Hash& hash, Bytes bytes) {
  const auto packed = bytes.size() < least_packed_tree_bytes ? std::nullopt : pack_zstd(bytes, tree_level);
  if (packed) {
    store(EntryKind::directory, hash, *packed, Compression::zstd, static_cast<uint32_t>(bytes.size()));
  } else {
    put(EntryKind::directory, hash, bytes);
  }
  cache().add(hash, std::make_shared<const Bytes>(std::move(bytes)));
  return hash;
}

Hash EntryWriter::put_directory(Bytes bytes) {
  const Hash hash = blake3(archive::directory_domain, bytes);
  return put_tree_bytes(hash, std::move(bytes));
}

Hash EntryWriter::put_node(Bytes bytes) {
  const Hash hash = blake3(archive::node_domain, bytes);
  return put_tree_bytes(hash, std::move(bytes));
}

Hash EntryWriter::put_file(const archive::FileRecord& record) {
  const Bytes bytes = archive::encode_file_record(record);
  const Hash hash = archive::content_hash(EntryKind::file, bytes);
  put(EntryKind::file, hash, bytes);
  return hash;
}

Hash EntryWriter::put_symlink(const archive::SymlinkRecord& record) {
  const Bytes bytes = archive::encode_symlink(record);
  const Hash hash = archive::content_hash(EntryKind::symlink, bytes);
  put(EntryKind::symlink, hash, bytes);
  return hash;
}

void EntryWriter::put_chunk(const Hash& hash, BytesView stored, Compression compression, uint32_t raw_size) {
  store(EntryKind::chunk, hash, stored, compression, raw_size);
}

Future<std::optional<Bytes>> EntryWriter::look_up(const Hash& hash) const {
  // While nothing is collected, nothing is removed: one that begins meanwhile conflicts with its state, which was read.
  const Bytes key = entry_row_key(hash);
  return collection_.running ? writes_->get(key) : writes_->snapshot().get(key);
}

Result<std::optional<EntryRow>> EntryWriter::reuse(const Hash& hash, const std::optional<Bytes>& found) {
  if (!found) return std::optional<EntryRow>();
  ASSIGN_OR_RETURN(EntryRow row, decode_entry_row(*found));
  if (collection_.running && row.epoch != collection_.epoch) {
    row.epoch = collection_.epoch;
    writes_->set(entry_row_key(hash), encode_entry_row(row));
  }
  return std::optional<EntryRow>(row);
}

void EntryWriter::remove(const Hash& hash, const EntryRow& row) {
  writes_->clear(entry_row_key(hash));
  const Bytes key = entry_data_key(row.kind, hash);
  writes_->clear(key);
  for (size_t part = 1; part < part_count(row.stored_size); ++part) writes_->clear(part_key(key, part));
}

}  // namespace strata::files
