// Indexes: the entries of a table's indexes, written in the transaction of the document.
//
// Purpose:       what a document had in every index goes, what it has now comes; fulltext statistics follow by atomic
//                adds, so that writers of different documents never conflict over an index.
// Ownership:     nothing is kept.
// Thread safety: as the transaction that is passed.
// Invariants:    after every commit the entries of a ready index are exactly those of the table's documents. A fulltext
//                index marks the documents it holds: who finds no mark has nothing to take back, so a document is
//                counted once whether its writer or the build comes first.
#pragma once

#include <optional>

#include "kv/transaction.h"
#include "layers/documents/index_definition.h"
#include "text/bm25.h"

namespace strata::documents {

// Of all entries of an index, and of all that a fulltext index has.
Bytes index_prefix(BytesView table, uint32_t id);
Bytes fulltext_prefix(BytesView table, uint32_t id);
// Below fulltext_prefix: the documents that contain a term; its end is the prefix's.
Bytes postings_prefix(BytesView table, uint32_t id, BytesView term_value);

// Absent: there was no document, or there is none now. `prefix`: the table's.
Result<void> update_indexes(kv::Transaction& transaction, BytesView prefix, std::span<const IndexDefinition> indexes,
                            BytesView key, std::optional<BytesView> old_text, std::optional<BytesView> new_text);
// One index, of a document that was written before the index was made.
Result<void> add_to_index(kv::Transaction& transaction, BytesView prefix, const IndexDefinition& index, BytesView key,
                          BytesView text);
// All of it, progress included.
void clear_index(kv::Transaction& transaction, BytesView prefix, uint32_t id);

// How far a build came: the last key that it dealt with, and how many.
struct BuildProgress {
  Bytes last_key;
  uint64_t documents = 0;
};
Result<BuildProgress> read_progress(const kv::ReadTransaction& transaction, BytesView prefix, uint32_t id);
void write_progress(kv::Transaction& transaction, BytesView prefix, uint32_t id, const BuildProgress& progress);

Result<text::CollectionStatistics> read_statistics(const kv::ReadTransaction& transaction, BytesView prefix,
                                                   uint32_t id);
// Documents that contain the term.
Result<uint64_t> read_frequency(const kv::ReadTransaction& transaction, BytesView prefix, uint32_t id,
                                BytesView term_value);

}  // namespace strata::documents
