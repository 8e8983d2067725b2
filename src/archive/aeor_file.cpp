#include "archive/aeor_file.h"

#include <fmt/format.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>

#include "archive/fields.h"
#include "base/assert.h"

namespace strata::archive {
namespace {

constexpr BytesView file_magic = "AEOR";
constexpr uint32_t entry_magic = 0x0AE012DB;
constexpr uint8_t file_version = 1;
constexpr uint8_t entry_version = 1;
constexpr uint16_t blake3_256 = 1;
constexpr uint8_t no_compression = 0;
constexpr uint8_t zstd_compression = 1;
// Rows of other programs' tables have keys that are no hashes.
constexpr uint32_t max_key_bytes = 4'096;
// More than that is not read before the bytes so far have come.
constexpr size_t growth_bytes = 256u << 10;
constexpr size_t write_bytes = 256u << 10;
// Of a value that does not tell how large it is when it is decompressed.
constexpr size_t first_guess_bytes = 64u << 10;

// A record lists the chunks of its file: 16 MiB are those of 128 GiB. A flat directory has less than 256 entries, most
// of them far smaller than their largest name and content type.
size_t max_value_bytes(EntryKind kind) {
  switch (kind) {
    case EntryKind::chunk:
      return file_chunk_bytes;
    case EntryKind::file:
    case EntryKind::directory:
      return 16u << 20;
    default:
      return 1u << 20;
  }
}
// Compressed bytes that are many more than the plain ones are no good either.
size_t max_stored_bytes(EntryKind kind) { return ZSTD_compressBound(max_value_bytes(kind)); }

bool is_read(uint8_t kind) {
  return kind >= static_cast<uint8_t>(EntryKind::chunk) && kind <= static_cast<uint8_t>(EntryKind::symlink) &&
         kind != static_cast<uint8_t>(EntryKind::void_space);
}

Hash integrity_hash(uint8_t kind, BytesView key, BytesView stored) {
  const char type = static_cast<char>(kind);
  Blake3 hash;
  hash.update({&type, 1});
  hash.update(key);
  hash.update(stored);
  return hash.finish();
}

// False: not zstd, or more than `limit` bytes. In one step into memory of our own size: a stream would give a frame the
// window that it asks for, up to 128 MiB.
bool decompress(BytesView stored, size_t limit, Bytes& out) {
  const unsigned long long claimed = ZSTD_getFrameContentSize(stored.data(), stored.size());
  if (claimed == ZSTD_CONTENTSIZE_ERROR) return false;
  const bool is_known = claimed != ZSTD_CONTENTSIZE_UNKNOWN;
  if (is_known && claimed > limit) return false;
  // Several frames may follow each other: then the first one's size says too little.
  size_t room = std::min<size_t>(limit, is_known ? claimed : first_guess_bytes);
  for (;;) {
    out.resize(room);
    const size_t size = ZSTD_decompress(out.data(), out.size(), stored.data(), stored.size());
    if (ZSTD_isError(size) == 0) {
      out.resize(size);
      return true;
    }
    if (room == limit || ZSTD_getErrorCode(size) != ZSTD_error_dstSize_tooSmall) break;
    room = std::min(limit, std::max(first_guess_bytes, room * 8));
  }
  out.clear();
  return false;
}

}  // namespace

Bytes encode(const AeorHeader& header) {
  Bytes out(file_magic);
  out.push_back(static_cast<char>(file_version));
  append_le16(out, blake3_256);
  append_le64(out, static_cast<uint64_t>(header.created_at_ms));
  append_le64(out, static_cast<uint64_t>(header.updated_at_ms));
  out.append(57 - out.size(), '\0');  // the tables of other programs: none
  out.append(bytes_of(header.head));
  append_le64(out, header.entry_count);
  out.append(114 - out.size(), '\0');
  out.push_back(static_cast<char>(header.type));
  out.append(bytes_of(header.base));
  out.append(bytes_of(header.target));
  out.append(aeor_header_bytes - out.size(), '\0');
  return out;
}

Result<void> AeorWriter::begin(const AeorHeader& header) {
  STRATA_ASSERT(entries_ == 0 && pending_.empty());
  pending_ = encode(header);
  return {};
}

Result<void> AeorWriter::add(EntryKind kind, const Hash& key, BytesView stored, bool zstd, int64_t timestamp_ms) {
  STRATA_ASSERT(stored.size() <= max_stored_bytes(kind));
  ++entries_;
  append_le32(pending_, entry_magic);
  pending_.push_back(static_cast<char>(entry_version));
  pending_.push_back(static_cast<char>(kind));
  pending_.push_back('\0');  // flags
  append_le16(pending_, blake3_256);
  pending_.push_back(static_cast<char>(zstd ? zstd_compression : no_compression));
  pending_.push_back('\0');  // encryption
  append_le32(pending_, static_cast<uint32_t>(key.size()));
  append_le32(pending_, static_cast<uint32_t>(stored.size()));
  append_le64(pending_, static_cast<uint64_t>(timestamp_ms));
  append_le32(pending_, static_cast<uint32_t>(aeor_entry_header_bytes + key.size() + stored.size()));
  pending_.append(bytes_of(integrity_hash(static_cast<uint8_t>(kind), bytes_of(key), stored)));
  pending_.append(bytes_of(key));
  pending_.append(stored);
  return pending_.size() >= write_bytes ? finish() : Result<void>();
}

Result<void> AeorWriter::finish() {
  if (pending_.empty()) return {};
  const Result<void> written = sink_.write(pending_);
  pending_.clear();
  return written;
}

Error AeorReader::broken(std::string_view why) const {
  return Error(ErrorCode::invalid_argument,
               fmt::format("the archive is damaged near byte {} (entry {}): {}", position_, entries_, why));
}

Result<BytesView> AeorReader::take(size_t count) {
  while (buffer_.size() - at_ < count && !ended_) {
    buffer_.erase(0, at_);
    at_ = 0;
    const size_t before = buffer_.size();
    buffer_.resize(before + growth_bytes);
    const Result<size_t> got = source_.read(std::span(buffer_.data() + before, growth_bytes));
    buffer_.resize(before + (got.ok() ? *got : 0));
    if (!got.ok()) return got.error();
    ended_ = *got == 0;
  }
  const BytesView bytes = BytesView(buffer_).substr(at_, count);
  at_ += bytes.size();
  position_ += bytes.size();
  return bytes;
}

Result<BytesView> AeorReader::take_exactly(size_t count) {
  ASSIGN_OR_RETURN(const BytesView bytes, take(count));
  if (bytes.size() < count) return broken("it ends here, before its end");
  return bytes;
}

Result<AeorHeader> AeorReader::begin() {
  STRATA_ASSERT(position_ == 0);
  ASSIGN_OR_RETURN(BytesView bytes, take(aeor_header_bytes));
  if (!bytes.starts_with(file_magic)) {
    return Error(ErrorCode::invalid_argument, "this is not an .aeordb archive: it does not begin as one");
  }
  if (bytes.size() < aeor_header_bytes) return broken("it ends here, before its end");
  bytes.remove_prefix(file_magic.size());
  Fields fields(bytes);
  if (const uint8_t version = fields.take8(); version != file_version) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("the archive has format {}; this version reads format {}", version, file_version));
  }
  if (const uint16_t algorithm = fields.take16(); algorithm != blake3_256) {
    return Error(
        ErrorCode::invalid_argument,
        fmt::format("the archive's hashes are of kind {}; this version reads kind {}, BLAKE3", algorithm, blake3_256));
  }
  AeorHeader header;
  header.created_at_ms = static_cast<int64_t>(fields.take64());
  header.updated_at_ms = static_cast<int64_t>(fields.take64());
  for (Block& block : foreign_) {
    block.offset = fields.take64();
    block.length = fields.take64();
    fields.take8();  // its version
  }
  header.head = fields.take_hash();
  header.entry_count = fields.take64();
  fields.take(1 + 8 + 8);  // a table that is being enlarged
  const uint8_t type = fields.take8();
  if (type > static_cast<uint8_t>(BackupType::patch)) return broken("a kind of archive that is not known");
  header.type = static_cast<BackupType>(type);
  header.base = fields.take_hash();
  header.target = fields.take_hash();
  STRATA_ASSERT(fields.ok());
  // A database that is written to counts now and then; an archive is counted once and for all.
  promised_ = header.type == BackupType::normal ? 0 : header.entry_count;
  return header;
}

// Tables that other programs keep between the entries.
Result<void> AeorReader::skip_foreign_blocks() {
  for (Block& block : foreign_) {
    if (block.length == 0 || block.offset != position_) continue;
    while (block.length > 0) {
      ASSIGN_OR_RETURN(const BytesView bytes, take_exactly(std::min<uint64_t>(block.length, growth_bytes)));
      block.length -= bytes.size();
    }
  }
  return {};
}

Result<bool> AeorReader::next() {
  for (;;) {
    RETURN_IF_ERROR(skip_foreign_blocks());
    ASSIGN_OR_RETURN(const BytesView bytes, take(aeor_entry_header_bytes));
    if (bytes.empty()) {
      if (entries_ < promised_) return broken(fmt::format("of {} entries the rest is missing", promised_));
      return false;
    }
    if (bytes.size() < aeor_entry_header_bytes) return broken("it ends here, before its end");
    ASSIGN_OR_RETURN(const Lengths lengths, read_entry_header(bytes));
    ++entries_;
    if (is_read(kind_byte_)) {
      RETURN_IF_ERROR(read_entry(lengths));
      return true;
    }
    RETURN_IF_ERROR(pass_over(lengths));
  }
}

Result<AeorReader::Lengths> AeorReader::read_entry_header(BytesView bytes) {
  Fields fields(bytes);
  if (fields.take32() != entry_magic) return broken("no entry begins here");
  if (fields.take8() != entry_version) return broken("an entry of a version that is not known");
  kind_byte_ = fields.take8();
  fields.take8();  // flags: none that change what is read
  if (fields.take16() != blake3_256) return broken("an entry whose hash is not BLAKE3");
  const uint8_t compression = fields.take8();
  if (compression > zstd_compression) return broken("an entry with a compression that is not known");
  zstd_ = compression == zstd_compression;
  if (fields.take8() != 0) return broken("an encrypted entry");
  Lengths lengths;
  lengths.key = fields.take32();
  lengths.value = fields.take32();
  timestamp_ms_ = static_cast<int64_t>(fields.take64());
  const uint32_t total = fields.take32();
  integrity_ = fields.take_hash();
  STRATA_ASSERT(fields.all());
  if (uint64_t{aeor_entry_header_bytes} + lengths.key + lengths.value != total) {
    return broken("an entry whose lengths do not agree");
  }
  if (lengths.key > max_key_bytes) return broken("a key of an impossible length");
  return lengths;
}

Result<void> AeorReader::pass_over(Lengths lengths) {
  const char type = static_cast<char>(kind_byte_);
  Blake3 hash;
  hash.update({&type, 1});
  for (uint64_t left = uint64_t{lengths.key} + lengths.value; left > 0;) {
    ASSIGN_OR_RETURN(const BytesView bytes, take_exactly(std::min<uint64_t>(left, growth_bytes)));
    hash.update(bytes);
    left -= bytes.size();
  }
  if (hash.finish() != integrity_) return broken("an entry whose hash is wrong");
  return {};
}

Result<void> AeorReader::read_entry(Lengths lengths) {
  kind_ = static_cast<EntryKind>(kind_byte_);
  if (lengths.value > max_stored_bytes(kind_)) return broken("an entry of an impossible length");
  ASSIGN_OR_RETURN(const BytesView bytes, take_exactly(size_t{lengths.key} + lengths.value));
  const BytesView key = bytes.substr(0, lengths.key);
  stored_ = bytes.substr(lengths.key);
  if (integrity_hash(kind_byte_, key, stored_) != integrity_) return broken("an entry whose hash is wrong");
  key_.reset();
  if (key.size() == sizeof(Hash)) key_ = hash_of(key);
  return {};
}

Result<BytesView> AeorReader::value() {
  if (!zstd_) {
    if (stored_.size() > max_value_bytes(kind_)) return broken("an entry of an impossible length");
    return stored_;
  }
  if (!decompress(stored_, max_value_bytes(kind_), value_)) {
    return broken("an entry that cannot be decompressed, or to more than there may be");
  }
  return BytesView(value_);
}

std::optional<BytesView> AeorReader::unmarked_zstd_value() {
  constexpr uint32_t zstd_magic = 0xFD2FB528;
  if (zstd_ || stored_.size() < 4 || read_le32(stored_) != zstd_magic) return std::nullopt;
  if (!decompress(stored_, max_value_bytes(kind_), value_)) return std::nullopt;
  return BytesView(value_);
}

}  // namespace strata::archive
