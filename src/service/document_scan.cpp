#include <algorithm>

#include "layers/documents/document_text.h"
#include "layers/documents/filter_parser.h"
#include "service/document_internals.h"

namespace strata::service {
namespace {

Result<documents::Filter> make_filter(BytesView json, const documents::Table& table) {
  auto parsed = documents::parse_json(json);
  if (!parsed.ok()) {
    return Error(parsed.error().code(), fmt::format("filter_query: {}", parsed.error().message()));
  }
  return documents::parse_filter(*parsed, documents::field_analyzers(table.indexes));
}

}  // namespace

Result<DocumentScan> Documents::scan(const Context& context, const DocumentScanRequest& request) {
  ASSIGN_OR_RETURN(documents::Table table, run(context, [&](kv::Transaction& transaction) {
                     return table_or_error(transaction.snapshot(), request.table);
                   }));
  DocumentScan scan(database_, *options_.clock, std::move(table));
  const DocumentRange& range = request.range;
  if (range.begin) scan.begin_.emplace(range.begin->key, range.begin->inclusive);
  if (range.end) scan.end_.emplace(range.end->key, range.end->inclusive);
  scan.limited_ = request.limit > 0;
  scan.left_ = request.limit;
  if (request.filter) {
    ASSIGN_OR_RETURN(documents::Filter filter, make_filter(*request.filter, scan.table_));
    scan.filter_ = std::make_unique<const documents::Filter>(std::move(filter));
    scan.matcher_ = std::make_unique<documents::PacedMatcher>(*scan.filter_, request.pause);
  }
  return scan;
}

Result<void> DocumentScan::filter_page(DocumentPage& page) {
  std::vector<DocumentPage::Entry> matching;
  for (const auto& entry : page.entries()) {
    if (limited_ && matching.size() == left_) break;
    ASSIGN_OR_RETURN(const bool matches, matcher_->matches(entry.key, entry.text));
    if (matches) matching.push_back(entry);
  }
  page.keep(std::move(matching));
  return {};
}

Result<DocumentPage> DocumentScan::next(const Context& context) {
  if (done()) return DocumentPage();
  DocumentRange range;
  if (begin_) range.begin = KeyBound{begin_->first, begin_->second};
  if (end_) range.end = KeyBound{end_->first, end_->second};
  const size_t most = limited_ && !matcher_ ? static_cast<size_t>(std::min<uint64_t>(left_, 100'000)) : 0;
  auto page = run_transaction(database_, context, clock_, kv::Durability::engine_default,
                              [&](kv::Transaction& transaction) -> Result<DocumentPage> {
                                const kv::ReadTransaction snapshot = transaction.snapshot();
                                // A table that was dropped would look like one that ends here.
                                ASSIGN_OR_RETURN(const documents::Table now, table_or_error(snapshot, table_.name));
                                if (now.number != table_.number) return no_such_table(table_.name);
                                return documents::read_page(snapshot, table_, range, most);
                              });
  if (!page.ok()) return page;
  done_ = !page->more();
  if (!page->entries().empty()) begin_.emplace(page->entries().back().key, false);
  if (matcher_) RETURN_IF_ERROR(filter_page(*page));
  if (limited_) left_ -= std::min<uint64_t>(left_, page->entries().size());
  return page;
}

}  // namespace strata::service
