#include "layers/documents/indexes.h"

#include <algorithm>

#include "layers/documents/document_text.h"
#include "layers/documents/index_values.h"

namespace strata::documents {

namespace {

constexpr char progress_format = 1;

Bytes with_id(BytesView table, char kind, uint32_t id) {
  Bytes key(table);
  key.push_back(kind);
  append_be32(key, id);
  return key;
}

Bytes below(Bytes prefix, char kind, BytesView rest = {}) {
  prefix.push_back(kind);
  return prefix.append(rest);
}

// Entries and counters are read by snapshot alone, and who writes them has written the document, or says so as a build
// does, which is where writers meet: conflict ranges would only cost, 5 % of a batch with two indexes.
kv::Transaction& without_conflict(kv::Transaction& transaction) {
  STRATA_ASSERT(transaction.set_option(kv::TransactionOption::next_write_no_write_conflict_range).ok());
  return transaction;
}

// Two's complement: adding -1 takes one away.
void add(kv::Transaction& transaction, BytesView key, int64_t delta, bool keeps_zero = false) {
  if (delta == 0) return;
  Bytes operand;
  append_le64(operand, static_cast<uint64_t>(delta));
  without_conflict(transaction).mutate(kv::MutationType::add, key, operand);
  if (delta > 0 || keeps_zero) return;
  // Counters of terms that nobody uses any more would stay for ever.
  without_conflict(transaction).mutate(kv::MutationType::compare_and_clear, key, Bytes(8, '\0'));
}

Result<uint64_t> read_counter(const kv::ReadTransaction& transaction, BytesView key) {
  ASSIGN_OR_RETURN(const auto stored, transaction.get(key).get());
  if (!stored) return uint64_t{0};
  if (stored->size() != 8) return Error(ErrorCode::corruption, "a counter of a fulltext index is broken");
  return read_le64(*stored);
}

// What one index gets from a document; taken before anything waits, as the parsed document is the thread's.
struct Contribution {
  std::vector<Bytes> values;
  TextTerms text;
};

Result<std::vector<Contribution>> contributions(std::span<const IndexDefinition> indexes,
                                                const std::optional<BytesView>& text) {
  std::vector<Contribution> found(indexes.size());
  if (!text) return found;
  ASSIGN_OR_RETURN(const simdjson::dom::element document, parse_stored(*text));
  for (size_t i = 0; i < indexes.size(); ++i) {
    if (indexes[i].type == IndexType::fulltext) {
      found[i].text = text_terms(indexes[i], document);
    } else {
      found[i].values = index_values(indexes[i], document);
    }
  }
  return found;
}

// Millions of words would else be gathered first and refused then.
Result<void> require_room(const kv::Transaction& transaction) {
  if (!transaction.has_room_for(0)) return ErrorCode::transaction_too_large;
  return {};
}

Result<void> update_entries(kv::Transaction& transaction, BytesView prefix, BytesView key,
                            const std::vector<Bytes>& before, const std::vector<Bytes>& after) {
  const auto entry = [&](const Bytes& value) { return (Bytes(prefix) + value).append(key); };
  size_t i = 0;
  size_t j = 0;
  while (i < before.size() || j < after.size()) {
    RETURN_IF_ERROR(require_room(transaction));
    if (j == after.size() || (i < before.size() && before[i] < after[j])) {
      without_conflict(transaction).clear(entry(before[i++]));
    } else if (i == before.size() || after[j] < before[i]) {
      without_conflict(transaction).set(entry(after[j++]), {});
    } else {
      ++i;
      ++j;
    }
  }
  return {};
}

// Of a transaction, to take this out of the index and to look whether counters are zero.
size_t removal_bytes(BytesView prefix, BytesView key, const TextTerms& text) {
  constexpr size_t mutations = 3;
  size_t bytes = 0;
  for (const Bytes& term : text.terms) {
    bytes += mutations * (prefix.size() + 1 + term.size() + sizeof(kv::Mutation)) + key.size() + 2 * sizeof(uint64_t);
  }
  return bytes;
}

Result<void> update_fulltext(kv::Transaction& transaction, const Bytes& prefix, BytesView key, const TextTerms& before,
                             const TextTerms& after) {
  const Bytes mark = below(prefix, 'k', key);
  ASSIGN_OR_RETURN(const auto marked, transaction.get(mark).get());
  const TextTerms none;
  const TextTerms& old = marked ? before : none;
  // What just fitted a transaction is to be removed by one: then for no more than it was written, and counters that
  // become zero stay until somebody else's do.
  const bool keeps_zeros = !transaction.has_room_for(removal_bytes(prefix, key, old));
  const auto change = [&](const Bytes& term, bool there) {
    const Bytes posting = below(prefix, 't', term).append(key);
    if (there) {
      without_conflict(transaction).set(posting, {});
    } else {
      without_conflict(transaction).clear(posting);
    }
    add(transaction, below(prefix, 'd', term), there ? 1 : -1, keeps_zeros);
  };
  size_t i = 0;
  size_t j = 0;
  while (i < old.terms.size() || j < after.terms.size()) {
    RETURN_IF_ERROR(require_room(transaction));
    if (j == after.terms.size() || (i < old.terms.size() && old.terms[i] < after.terms[j])) {
      change(old.terms[i++], false);
    } else if (i == old.terms.size() || after.terms[j] < old.terms[i]) {
      change(after.terms[j++], true);
    } else {
      ++i;
      ++j;
    }
  }
  add(transaction, below(prefix, 'l'), static_cast<int64_t>(after.length) - static_cast<int64_t>(old.length));
  const bool was = marked.has_value();
  const bool is = !after.empty();
  if (was != is) add(transaction, below(prefix, 's'), is ? 1 : -1);
  if (is && !was) transaction.set(mark, {});
  if (was && !is) transaction.clear(mark);
  return {};
}

Result<void> update_index(kv::Transaction& transaction, BytesView prefix, const IndexDefinition& index, BytesView key,
                          const Contribution& before, const Contribution& after) {
  if (index.type == IndexType::fulltext) {
    return update_fulltext(transaction, fulltext_prefix(prefix, index.id), key, before.text, after.text);
  }
  const Bytes entries = index_prefix(prefix, index.id);
  if (index.state == IndexState::building && !before.values.empty()) {
    // All of a document's entries are there or none: where the build has not been, nothing need be cleared. What is
    // more than fits a transaction could not be removed else.
    const Bytes first = (Bytes(entries) + before.values[0]).append(key);
    ASSIGN_OR_RETURN(const auto entry, transaction.snapshot().get(first).get());
    if (!entry) return update_entries(transaction, entries, key, {}, after.values);
  }
  return update_entries(transaction, entries, key, before.values, after.values);
}

}  // namespace

Bytes index_prefix(BytesView table, uint32_t id) { return with_id(table, 'i', id); }
Bytes fulltext_prefix(BytesView table, uint32_t id) { return with_id(table, 'f', id); }
Bytes postings_prefix(BytesView table, uint32_t id, BytesView term_value) {
  return below(fulltext_prefix(table, id), 't', term_value);
}

Result<void> update_indexes(kv::Transaction& transaction, BytesView prefix, std::span<const IndexDefinition> indexes,
                            BytesView key, std::optional<BytesView> old_text, std::optional<BytesView> new_text) {
  if (indexes.empty()) return {};
  ASSIGN_OR_RETURN(const auto before, contributions(indexes, old_text));
  ASSIGN_OR_RETURN(const auto after, contributions(indexes, new_text));
  for (size_t i = 0; i < indexes.size(); ++i) {
    RETURN_IF_ERROR(update_index(transaction, prefix, indexes[i], key, before[i], after[i]));
  }
  return {};
}

Result<void> add_to_index(kv::Transaction& transaction, BytesView prefix, const IndexDefinition& index, BytesView key,
                          BytesView text) {
  if (index.type == IndexType::fulltext) {
    // A writer was here before the build.
    const Bytes mark = below(fulltext_prefix(prefix, index.id), 'k', key);
    ASSIGN_OR_RETURN(const auto marked, transaction.get(mark).get());
    if (marked) return {};
  }
  ASSIGN_OR_RETURN(const auto after, contributions({&index, 1}, text));
  return update_index(transaction, prefix, index, key, {}, after[0]);
}

void clear_index(kv::Transaction& transaction, BytesView prefix, uint32_t id) {
  for (const char kind : {'i', 'f', 'b'}) transaction.clear_prefix(with_id(prefix, kind, id));
}

Result<BuildProgress> read_progress(const kv::ReadTransaction& transaction, BytesView prefix, uint32_t id) {
  ASSIGN_OR_RETURN(const auto stored, transaction.get(with_id(prefix, 'b', id)).get());
  if (!stored) return BuildProgress();
  if (stored->size() < 9 || (*stored)[0] != progress_format) {
    return Error(ErrorCode::corruption, "the progress of an index is broken");
  }
  return BuildProgress{.last_key = stored->substr(9), .documents = read_le64(BytesView(*stored).substr(1))};
}

void write_progress(kv::Transaction& transaction, BytesView prefix, uint32_t id, const BuildProgress& progress) {
  Bytes value(1, progress_format);
  append_le64(value, progress.documents);
  transaction.set(with_id(prefix, 'b', id), value.append(progress.last_key));
}

Result<text::CollectionStatistics> read_statistics(const kv::ReadTransaction& transaction, BytesView prefix,
                                                   uint32_t id) {
  text::CollectionStatistics statistics;
  ASSIGN_OR_RETURN(statistics.documents, read_counter(transaction, below(fulltext_prefix(prefix, id), 's')));
  ASSIGN_OR_RETURN(statistics.terms, read_counter(transaction, below(fulltext_prefix(prefix, id), 'l')));
  return statistics;
}

Result<uint64_t> read_frequency(const kv::ReadTransaction& transaction, BytesView prefix, uint32_t id,
                                BytesView term_value) {
  return read_counter(transaction, below(fulltext_prefix(prefix, id), 'd', term_value));
}

}  // namespace strata::documents
