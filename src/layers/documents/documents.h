// Documents: one key of a table, one JSON text of any size.
//
// Purpose:       read and write of a document, and pages of many in the order of their keys.
// Ownership:     what is returned owns its bytes; a DocumentHead views what it was parsed from.
// Thread safety: as the transaction that is passed.
// Invariants:    a head says whether its text lies in chunks; chunks exist only behind such a head. Who writes has read
//                the old head serializably, so writers of one document conflict and nothing of an old text is left.
//                The version of a document is the stamp of the commit that wrote it: it grows with every write.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kv/transaction.h"
#include "layers/documents/document_keys.h"
#include "layers/documents/tables.h"

namespace strata::documents {

// Also the most that a head holds.
inline constexpr size_t chunk_bytes = 96'000;

// The 80 bits of a stamp as a decimal number, the text of X-Antfly-Version. Never "0": that means no document.
std::string format_version(const Stamp& stamp);
inline constexpr std::string_view no_version = "0";
// Digits without a leading zero.
bool is_version(std::string_view text);

struct DocumentHead {
  Stamp stamp{};
  bool chunked = false;
  uint64_t size = 0;
  BytesView text;  // when not chunked
};
Result<DocumentHead> parse_head(BytesView stored);

struct StoredDocument {
  Stamp stamp{};
  Bytes text;
};
Result<std::optional<StoredDocument>> read_document(const kv::ReadTransaction& transaction, const Table& table,
                                                    BytesView key);
// The text of a head, from its chunks where it has some.
Result<Bytes> read_text(const kv::ReadTransaction& transaction, const Table& table, BytesView key,
                        const DocumentHead& head);

// What is stored of many documents, for who is about to write them.
class StoredHeads {
 public:
  // Serializably, and each key for itself. keys: ascending, none twice.
  static Result<StoredHeads> read(kv::Transaction& transaction, const Table& table, std::span<const BytesView> keys);
  // As parse_head takes it; nullopt: there is no document.
  std::optional<BytesView> stored(size_t i) const { return stored_[i]; }

 private:
  Result<size_t> read_ranges(kv::Transaction& transaction, const Table& table, std::span<const BytesView> keys);

  std::vector<std::unique_ptr<kv::Rows>> pages_;
  std::vector<std::optional<Bytes>> single_;
  std::vector<std::optional<BytesView>> stored_;
};

// The one place where a document changes. `old`: its head, read serializably in this transaction. No text: it is
// removed.
Result<void> write_document(kv::Transaction& transaction, const Table& table, BytesView key,
                            const std::optional<DocumentHead>& old, std::optional<BytesView> text);

// Keys from `begin` to `end`, each with the bound itself or without; nullopt: the table's.
struct KeyBound {
  BytesView key;
  bool inclusive = true;
};
struct DocumentRange {
  std::optional<KeyBound> begin;
  std::optional<KeyBound> end;
};
// Of the heads; empty (begin >= end) for a range that holds no key.
kv::KeyRange head_range(const Table& table, const DocumentRange& range);

// Documents of a page, as views of what the engine returned.
class DocumentPage {
 public:
  struct Entry {
    BytesView key;
    BytesView text;
    Stamp stamp{};
  };
  const std::vector<Entry>& entries() const { return entries_; }
  // More may follow: go on behind the last entry.
  bool more() const { return more_; }
  // Some of entries().
  void keep(std::vector<Entry> entries) { entries_ = std::move(entries); }

 private:
  friend Result<DocumentPage> read_page(const kv::ReadTransaction&, const Table&, const DocumentRange&, size_t);
  std::unique_ptr<kv::Rows> rows_;
  std::vector<std::unique_ptr<Bytes>> large_;
  std::vector<Entry> entries_;
  bool more_ = false;
};
// About 80 KB, at least one document, at most `limit`; 0: no limit of the caller's.
Result<DocumentPage> read_page(const kv::ReadTransaction& transaction, const Table& table, const DocumentRange& range,
                               size_t limit);

}  // namespace strata::documents
