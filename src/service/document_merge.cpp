#include <fmt/format.h>

#include <algorithm>

#include "layers/documents/document_text.h"
#include "layers/documents/merge.h"
#include "service/document_internals.h"
#include "service/documents.h"

namespace strata::service {
namespace {

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

// Their texts are views of the request or of the arena.
Result<std::vector<documents::MergeRecord>> prepare_records(const MergeRequest& request, Arena& arena,
                                                            size_t limit_bytes) {
  if (request.records.size() > max_merge_records) {
    return invalid(fmt::format("records has {} entries, at most {} are possible: send smaller pages",
                               request.records.size(), max_merge_records));
  }
  if (request.records.empty() && !request.final) {
    return invalid("records is empty: send \"final\": true to delete everything behind last_merged_id");
  }
  if (!request.after.empty()) RETURN_IF_ERROR(documents::validate_document_key(request.after, "last_merged_id"));
  std::vector<documents::MergeRecord> records;
  records.reserve(request.records.size());
  for (const DocumentInsert& record : request.records) {
    RETURN_IF_ERROR(documents::validate_document_key(record.key, "the key of a record"));
    auto text = documents::minify_document(record.json, arena, limit_bytes);
    if (!text.ok()) return documents::about_document(record.key, text.error());
    records.push_back({record.key, *text});
  }
  std::ranges::sort(records, {}, &documents::MergeRecord::key);
  return records;
}

void add(MergeAnswer& answer, documents::MergeOutcome&& outcome) {
  answer.upserted += outcome.upserted;
  answer.skipped += outcome.skipped;
  answer.deleted += outcome.deleted;
  answer.keys_scanned += outcome.keys_scanned;
  std::ranges::move(outcome.deleted_keys, std::back_inserter(answer.deleted_keys));
  answer.partial = outcome.partial;
  answer.next_cursor = std::move(outcome.reached);
}

}  // namespace

Result<MergeAnswer> Documents::merge(const Context& context, const MergeRequest& request) {
  const int64_t begin_us = options_.clock->steady_us();
  Arena arena;
  const auto records = prepare_records(request, arena, document_limit_bytes());
  if (!records.ok()) return after_tables(context, std::span(&request.table, 1), records.error());
  const size_t transaction_bytes = database_.engine().limits().transaction_bytes;
  documents::MergeRequest page{.records = *records,
                               .after = request.after,
                               .final = request.final,
                               .dry_run = request.dry_run,
                               .budget_bytes = transaction_bytes - transaction_bytes / 10};
  MergeAnswer answer;
  bool is_unknown = false;
  for (bool below_done = false; !below_done;) {
    ASSIGN_OR_RETURN(documents::MergeOutcome outcome,
                     run(context, [&](kv::Transaction& transaction) -> Result<documents::MergeOutcome> {
                       if (is_unknown_outcome(transaction, is_unknown)) return documents::MergeOutcome();
                       read_what_is_stored(transaction);
                       ASSIGN_OR_RETURN(const auto table, table_or_error(transaction, request.table));
                       ASSIGN_OR_RETURN(const auto schema, schema_of(table));
                       page.schema = schema.get();
                       return documents::merge_page(transaction, table, page);
                     }));
    if (is_unknown) return ErrorCode::commit_unknown_result;
    below_done = outcome.below_done;
    // What did not fit belongs to the next transaction; next_cursor could not tell of it.
    page.records = page.records.subspan(outcome.records_below);
    add(answer, std::move(outcome));
  }
  answer.took_us = options_.clock->steady_us() - begin_us;
  return answer;
}

}  // namespace strata::service
