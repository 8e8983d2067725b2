#include "layers/documents/documents.h"

#include <algorithm>

#include "layers/documents/document_text.h"
#include "layers/documents/indexes.h"

namespace strata::documents {
namespace {

constexpr char format = 1;
constexpr char chunked_flag = 1;
constexpr size_t header_bytes = 2 + stamp_bytes;
// From so many keys on a range is tried first. It costs about what five gets do.
constexpr size_t least_keys_of_a_range = 8;

Error broken(const char* what) {
  return Error(ErrorCode::corruption, std::string("a stored document is broken: ") + what);
}

// The operand of SET_VERSIONSTAMPED_VALUE that makes a head.
Bytes head_operand(BytesView text) {
  const bool chunked = text.size() > chunk_bytes;
  Bytes out;
  out.reserve(header_bytes + 5 + (chunked ? 0 : text.size()) + 4);
  out.push_back(format);
  out.push_back(chunked ? chunked_flag : '\0');
  out.append(stamp_bytes, '\xFF');
  append_varint(out, text.size());
  if (!chunked) out.append(text);
  append_le32(out, 2);  // where the stamp goes; trimmed off
  return out;
}

void write_chunks(kv::Transaction& transaction, BytesView prefix, BytesView text) {
  Bytes key(prefix);
  for (uint32_t index = 0; !text.empty(); ++index) {
    key.resize(prefix.size());
    append_be32(key, index);
    const BytesView chunk = text.substr(0, chunk_bytes);
    transaction.set(key, chunk);
    text.remove_prefix(chunk.size());
  }
}

}  // namespace

std::string format_version(const Stamp& stamp) {
  unsigned __int128 number = 0;
  for (const char c : stamp) number = (number << 8) | static_cast<unsigned char>(c);
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(number % 10)));
    number /= 10;
  } while (number != 0);
  std::ranges::reverse(digits);
  return digits;
}

bool is_version(std::string_view text) {
  // 2^80 has 25 digits.
  if (text.empty() || text.size() > 25 || (text[0] == '0' && text.size() > 1)) return false;
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

Result<DocumentHead> parse_head(BytesView stored) {
  if (stored.size() < header_bytes) return broken("shorter than its header");
  if (stored[0] != format) return broken("unknown format");
  if (stored[1] != 0 && stored[1] != chunked_flag) return broken("unknown flags");
  DocumentHead head;
  head.chunked = stored[1] == chunked_flag;
  std::copy_n(stored.begin() + 2, stamp_bytes, head.stamp.begin());
  stored.remove_prefix(header_bytes);
  const auto size = take_varint(stored);
  if (!size || *size > max_document_bytes) return broken("an impossible length");
  head.size = *size;
  if (head.chunked ? head.size <= chunk_bytes || !stored.empty() : stored.size() != head.size) {
    return broken("a text of another length");
  }
  head.text = stored;
  return head;
}

Result<Bytes> read_text(const kv::ReadTransaction& transaction, const Table& table, BytesView key,
                        const DocumentHead& head) {
  if (!head.chunked) return Bytes(head.text);
  const Bytes prefix = document_chunks_prefix(table.prefix, key);
  Bytes text;
  text.reserve(head.size);
  uint32_t index = 0;
  kv::RangeIterator chunks(transaction, prefix, *prefix_end(prefix), {.mode = kv::StreamingMode::want_all});
  while (chunks.next()) {
    const BytesView at = chunks.key();
    if (at.size() != prefix.size() + 4 || read_be32(at.substr(prefix.size())) != index++) {
      return broken("a chunk is missing");
    }
    if (chunks.value().size() > head.size - text.size()) return broken("more chunks than its length");
    text.append(chunks.value());
  }
  RETURN_IF_ERROR(chunks.status());
  if (text.size() != head.size) return broken("fewer chunks than its length");
  return text;
}

Result<std::optional<StoredDocument>> read_document(const kv::ReadTransaction& transaction, const Table& table,
                                                    BytesView key) {
  ASSIGN_OR_RETURN(auto stored, transaction.get(document_key(table.prefix, key)).get());
  if (!stored) return std::optional<StoredDocument>();
  ASSIGN_OR_RETURN(const DocumentHead head, parse_head(*stored));
  if (!head.chunked) {
    // In its place: a query reads many.
    stored->erase(0, stored->size() - head.size);
    return std::optional<StoredDocument>({head.stamp, *std::move(stored)});
  }
  ASSIGN_OR_RETURN(Bytes text, read_text(transaction, table, key, head));
  return std::optional<StoredDocument>({head.stamp, std::move(text)});
}

// Batches are mostly of new keys behind all others, or of keys that follow each other: one range, with few other
// documents in it, then tells of all (0.9 us less for each key of a batch than a get). Goes on while half of what the
// ranges bring is asked for. How many keys are decided.
Result<size_t> StoredHeads::read_ranges(kv::Transaction& transaction, const Table& table,
                                        std::span<const BytesView> keys) {
  size_t next = 0;
  bool is_dense = keys.size() >= least_keys_of_a_range;
  while (is_dense && next < keys.size()) {
    const Bytes end = key_after(document_key(table.prefix, keys.back()));
    ASSIGN_OR_RETURN(kv::RangePage page,
                     transaction.snapshot()
                         .get_range(document_key(table.prefix, keys[next]), end,
                                    {.limit = static_cast<int>(keys.size()), .mode = kv::StreamingMode::want_all})
                         .get());
    const kv::Rows& rows = *pages_.emplace_back(std::make_unique<kv::Rows>(std::move(page.rows)));
    size_t row = 0;
    size_t found = 0;
    for (; next < keys.size(); ++next) {
      const Bytes key = document_key(table.prefix, keys[next]);
      while (row < rows.size() && rows.key(row) < key) ++row;
      if (row == rows.size() && page.more) break;
      RETURN_IF_ERROR(transaction.add_read_conflict_key(key));
      if (row == rows.size() || rows.key(row) != key) continue;
      stored_[next] = rows.value(row);
      ++found;
    }
    is_dense = 2 * found >= rows.size();
  }
  return next;
}

Result<StoredHeads> StoredHeads::read(kv::Transaction& transaction, const Table& table,
                                      std::span<const BytesView> keys) {
  StoredHeads heads;
  heads.stored_.resize(keys.size());
  ASSIGN_OR_RETURN(const size_t decided, heads.read_ranges(transaction, table, keys));
  std::vector<Future<std::optional<Bytes>>> reads;
  reads.reserve(keys.size() - decided);
  for (const BytesView key : keys.subspan(decided)) reads.push_back(transaction.get(document_key(table.prefix, key)));
  // Views of them are handed out: they do not move any more.
  heads.single_.reserve(reads.size());
  for (auto& read : reads) {
    ASSIGN_OR_RETURN(auto stored, read.get());
    const auto& kept = heads.single_.emplace_back(std::move(stored));
    if (kept) heads.stored_[decided + heads.single_.size() - 1] = *kept;
  }
  return heads;
}

Result<void> write_document(kv::Transaction& transaction, const Table& table, BytesView key,
                            const std::optional<DocumentHead>& old, std::optional<BytesView> text) {
  if (!table.indexes.empty()) {
    // Before the old chunks go: a transaction sees its own writes.
    std::optional<Bytes> before;
    if (old) {
      ASSIGN_OR_RETURN(before, read_text(transaction, table, key, *old));
    }
    RETURN_IF_ERROR(update_indexes(transaction, table.prefix, table.indexes, key, before, text));
  }
  if (table.is_copied) {
    transaction.mutate(kv::MutationType::set_versionstamped_key, change_operand(table.prefix, key), "");
  }
  const Bytes chunks = document_chunks_prefix(table.prefix, key);
  if (old && old->chunked) transaction.clear_prefix(chunks);
  if (!text) {
    if (old) transaction.clear(document_key(table.prefix, key));
    return {};
  }
  transaction.mutate(kv::MutationType::set_versionstamped_value, document_key(table.prefix, key), head_operand(*text));
  if (text->size() > chunk_bytes) write_chunks(transaction, chunks, *text);
  return {};
}

kv::KeyRange head_range(const Table& table, const DocumentRange& range) {
  const Bytes prefix = documents_prefix(table.prefix);
  // Longer keys were never made, and might not fit the engine: cut, they stand between the same documents, since a
  // bound that was cut is never a document's key.
  const auto bound = [&](const KeyBound& at, bool behind) {
    Bytes key = document_key(table.prefix, at.key.substr(0, max_document_key_bytes + 1));
    return behind ? key_after(key) : key;
  };
  kv::KeyRange keys{prefix, *prefix_end(prefix)};
  if (range.begin) keys.begin = bound(*range.begin, !range.begin->inclusive);
  if (range.end) keys.end = bound(*range.end, range.end->inclusive);
  if (keys.end < keys.begin) keys.end = keys.begin;
  return keys;
}

Result<DocumentPage> read_page(const kv::ReadTransaction& transaction, const Table& table, const DocumentRange& range,
                               size_t limit) {
  const kv::KeyRange keys = head_range(table, range);
  DocumentPage page;
  if (keys.begin >= keys.end) return page;
  const kv::RangeOptions options{.limit = static_cast<int>(std::min<size_t>(limit, 1'000'000)),
                                 .mode = kv::StreamingMode::want_all};
  ASSIGN_OR_RETURN(kv::RangePage read, transaction.get_range(keys.begin, keys.end, options).get());
  page.rows_ = std::make_unique<kv::Rows>(std::move(read.rows));
  page.more_ = read.more;
  page.entries_.reserve(page.rows_->size());
  const size_t prefix_bytes = table.prefix.size() + 1;
  size_t large_bytes = 0;
  for (size_t i = 0; i < page.rows_->size(); ++i) {
    if (large_bytes >= max_document_bytes / 4) {
      // Large texts are fetched one by one: the rest is for another page.
      page.more_ = true;
      break;
    }
    const BytesView key = page.rows_->key(i).substr(prefix_bytes);
    ASSIGN_OR_RETURN(const DocumentHead head, parse_head(page.rows_->value(i)));
    if (!head.chunked) {
      page.entries_.push_back({key, head.text, head.stamp});
      continue;
    }
    ASSIGN_OR_RETURN(Bytes text, read_text(transaction, table, key, head));
    large_bytes += text.size();
    page.large_.push_back(std::make_unique<Bytes>(std::move(text)));
    page.entries_.push_back({key, *page.large_.back(), head.stamp});
  }
  return page;
}

}  // namespace strata::documents
