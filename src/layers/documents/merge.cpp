#include "layers/documents/merge.h"

#include <algorithm>

#include "layers/documents/document_text.h"

namespace strata::documents {
namespace {

// One call reads no more than this: a version is readable for some seconds only.
constexpr size_t max_scanned_keys = 100'000;
constexpr size_t max_scanned_bytes = 256u << 20;
// Of a dry run.
constexpr size_t max_deleted_key_bytes = 8u << 20;
constexpr size_t window_keys = 256;

class Merger {
 public:
  Merger(kv::Transaction& transaction, const Table& table, const MergeRequest& request)
      : transaction_(transaction), table_(table), request_(request) {}

  Result<MergeOutcome> run() {
    const auto behind = std::ranges::upper_bound(request_.records, request_.after, {}, &MergeRecord::key);
    const auto below = static_cast<size_t>(behind - request_.records.begin());
    outcome_.reached = request_.after;
    RETURN_IF_ERROR(merge_below(request_.records.first(below)));
    outcome_.below_done = outcome_.records_below == below;
    if (outcome_.below_done) RETURN_IF_ERROR(merge_behind(request_.records.subspan(below)));
    outcome_.partial = outcome_.partial || !outcome_.below_done;
    return std::move(outcome_);
  }

 private:
  // Records at or below the cursor: written where they differ, whatever lies between them stays.
  Result<void> merge_below(std::span<const MergeRecord> records) {
    std::vector<Future<std::optional<Bytes>>> reads;
    for (size_t begin = 0; begin < records.size(); begin += window_keys) {
      const size_t end = std::min(records.size(), begin + window_keys);
      reads.clear();
      for (size_t i = begin; i < end; ++i) {
        reads.push_back(transaction_.get(document_key(table_.prefix, records[i].key)));
      }
      for (size_t i = begin; i < end; ++i) {
        ASSIGN_OR_RETURN(const auto stored, reads[i - begin].get());
        std::optional<DocumentHead> head;
        if (stored) {
          ASSIGN_OR_RETURN(head, parse_head(*stored));
        }
        ASSIGN_OR_RETURN(const bool done, upsert(records[i], head));
        if (!done) return {};
        ++outcome_.records_below;
      }
    }
    return {};
  }

  // The rest, side by side with what the table has there.
  Result<void> merge_behind(std::span<const MergeRecord> records) {
    if (records.empty() && !request_.final) return {};
    DocumentRange range;
    if (!request_.after.empty()) range.begin = KeyBound{request_.after, false};
    if (!request_.final) range.end = KeyBound{records.back().key, true};
    const kv::KeyRange keys = head_range(table_, range);
    const size_t prefix_bytes = table_.prefix.size() + 1;
    size_t next = 0;
    size_t scanned_bytes = 0;
    kv::RangeIterator stored(transaction_, keys.begin, keys.end, {.mode = kv::StreamingMode::want_all});
    while (stored.next()) {
      const BytesView key = stored.key().substr(prefix_bytes);
      ASSIGN_OR_RETURN(const bool inserted, insert_before(records, next, key));
      if (!inserted) return {};
      if (outcome_.keys_scanned == max_scanned_keys || scanned_bytes >= max_scanned_bytes) return stop();
      ++outcome_.keys_scanned;
      scanned_bytes += stored.value().size();
      ASSIGN_OR_RETURN(const DocumentHead head, parse_head(stored.value()));
      const bool is_record = next < records.size() && records[next].key == key;
      bool done = false;
      if (is_record) {
        ASSIGN_OR_RETURN(done, upsert(records[next], head));
        if (done) ++next;
      } else {
        ASSIGN_OR_RETURN(done, remove(key, head));
      }
      if (!done) return {};
      outcome_.reached = key;
    }
    RETURN_IF_ERROR(stored.status());
    ASSIGN_OR_RETURN(const bool inserted, insert_before(records, next, std::nullopt));
    static_cast<void>(inserted);
    return {};
  }

  // Records that come before `key` and that the table does not have. False: the budget is used up.
  Result<bool> insert_before(std::span<const MergeRecord> records, size_t& next, std::optional<BytesView> key) {
    while (next < records.size() && (!key || records[next].key < *key)) {
      ASSIGN_OR_RETURN(const bool done, upsert(records[next], std::nullopt));
      if (!done) return false;
      outcome_.reached = records[next++].key;
    }
    return true;
  }

  Result<void> stop() {
    outcome_.partial = true;
    return {};
  }

  // Before a change of about so many bytes. What was written is what the transaction says, entries of indexes included;
  // a dry run has nothing but the estimates.
  Result<bool> spend(size_t bytes) {
    size_t spent_bytes = estimated_bytes_;
    if (!request_.dry_run) {
      ASSIGN_OR_RETURN(const int64_t written_bytes, transaction_.get_approximate_size().get());
      spent_bytes = static_cast<size_t>(written_bytes);
    }
    const bool is_first = outcome_.upserted + outcome_.deleted == 0;
    if (!is_first && spent_bytes + bytes > request_.budget_bytes) {
      outcome_.partial = true;
      return false;
    }
    estimated_bytes_ += bytes;
    return true;
  }

  // Mutations and conflict ranges of one key, with what an engine adds.
  size_t cost(BytesView key, size_t text_bytes) const {
    const size_t keys = 1 + text_bytes / chunk_bytes;
    return text_bytes + keys * (3 * (table_.prefix.size() + key.size()) + 120);
  }

  Result<bool> is_equal(const MergeRecord& record, const DocumentHead& head) {
    Bytes large;
    if (head.chunked) {
      ASSIGN_OR_RETURN(large, read_text(transaction_, table_, record.key, head));
    }
    const BytesView stored = head.chunked ? BytesView(large) : head.text;
    if (stored == record.text) return true;
    ASSIGN_OR_RETURN(const Value a, parse_stored_value(stored));
    ASSIGN_OR_RETURN(const Value b, parse_stored_value(record.text));
    uint64_t work = 0;
    return deep_equal(a, b, work);
  }

  Result<bool> upsert(const MergeRecord& record, const std::optional<DocumentHead>& head) {
    if (head) {
      ASSIGN_OR_RETURN(const bool equal, is_equal(record, *head));
      if (equal) {
        ++outcome_.skipped;
        return true;
      }
    }
    RETURN_IF_ERROR(check_schema(request_.schema, record.key, record.text));
    ASSIGN_OR_RETURN(const bool fits, spend(cost(record.key, record.text.size())));
    if (!fits) return false;
    ++outcome_.upserted;
    if (!request_.dry_run) RETURN_IF_ERROR(write_document(transaction_, table_, record.key, head, record.text));
    return true;
  }

  Result<bool> remove(BytesView key, const DocumentHead& head) {
    ASSIGN_OR_RETURN(const bool fits, spend(cost(key, 0)));
    if (!fits) return false;
    if (request_.dry_run) {
      deleted_key_bytes_ += key.size();
      if (deleted_key_bytes_ > max_deleted_key_bytes) {
        outcome_.partial = true;
        return false;
      }
      outcome_.deleted_keys.emplace_back(key);
    } else {
      RETURN_IF_ERROR(write_document(transaction_, table_, key, head, std::nullopt));
    }
    ++outcome_.deleted;
    return true;
  }

  kv::Transaction& transaction_;
  const Table& table_;
  const MergeRequest& request_;
  MergeOutcome outcome_;
  size_t estimated_bytes_ = 0;
  size_t deleted_key_bytes_ = 0;
};

}  // namespace

Result<MergeOutcome> merge_page(kv::Transaction& transaction, const Table& table, const MergeRequest& request) {
  return Merger(transaction, table, request).run();
}

}  // namespace strata::documents
