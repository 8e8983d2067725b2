#include "service/document_indexes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "layers/documents/documents.h"
#include "service/document_internals.h"

namespace strata::service {

namespace {

using documents::IndexDefinition;
using documents::IndexState;
using documents::IndexType;
using documents::Table;

// Who makes an index wakes the thread; this is for what failed, and for indexes that another server made.
constexpr int64_t pass_interval_ms = 30'000;
constexpr size_t tables_a_page = 100;
// Of small documents; large ones are fewer.
constexpr size_t max_page_documents = 1'024;

Error no_such_index(std::string_view table, std::string_view name) {
  return Error(ErrorCode::not_found, fmt::format("index not found: {} of table {}", printable(name), printable(table)));
}

bool is_same(const IndexDefinition& a, const IndexDefinition& b) {
  return a.name == b.name && a.field == b.field && a.type == b.type && a.analyzer == b.analyzer;
}

}  // namespace

DocumentIndexes::DocumentIndexes(const kv::Database& database, const DocumentIndexesOptions& options)
    : database_(database), options_(options) {}

DocumentIndexes::~DocumentIndexes() {
  stopping_ = true;
  task_.stop();
}

struct DocumentIndexes::Build {
  std::string_view table;
  int64_t number;
  uint32_t id;
};

void DocumentIndexes::start() {
  task_.start(pass_interval_ms, [this] {
    const Result<void> passed = build_all();
    if (!passed.ok()) log::warning("building indexes failed, will try again", {{"error", passed.error().message()}});
  });
  task_.wake();
}

Result<IndexStatus> DocumentIndexes::status_of(const kv::ReadTransaction& transaction, const Table& table,
                                               const IndexDefinition& index) const {
  ASSIGN_OR_RETURN(const auto progress, documents::read_progress(transaction, table.prefix, index.id));
  IndexStatus status{.name = index.name,
                     .field = index.field.to_string(),
                     .type = documents::index_type_name(index.type),
                     .ready = index.state == IndexState::ready,
                     .documents = progress.documents};
  if (index.type == IndexType::fulltext) status.analyzer = index.analyzer.name();
  std::lock_guard lock(mutex_);
  const auto failure = failures_.find({table.number, index.id});
  if (!status.ready && failure != failures_.end()) status.error = failure->second;
  return status;
}

Result<IndexStatus> DocumentIndexes::make(const Context& context, const IndexRequest& request) {
  auto made = run_transaction(
      database_, context, *options_.clock, options_.durability,
      [&](kv::Transaction& transaction) -> Result<IndexStatus> {
        ASSIGN_OR_RETURN(Table table, table_or_error(transaction, request.table));
        ASSIGN_OR_RETURN(IndexDefinition index, index_definition(request));
        // An attempt whose outcome was not told did come through.
        const auto made_before = std::ranges::find(table.indexes, index.name, &IndexDefinition::name);
        if (transaction.unknown_since() && made_before != table.indexes.end() && is_same(*made_before, index)) {
          return status_of(transaction, table, *made_before);
        }
        RETURN_IF_ERROR(add_index(table.indexes, table.next_index, std::move(index)));
        documents::put_table(transaction, table);
        return status_of(transaction, table, table.indexes.back());
      });
  if (made.ok()) task_.wake();
  return made;
}

Result<std::vector<IndexStatus>> DocumentIndexes::list(const Context& context, std::string_view name) {
  return run_transaction(database_, context, *options_.clock, kv::Durability::engine_default,
                         [&](kv::Transaction& transaction) -> Result<std::vector<IndexStatus>> {
                           const kv::ReadTransaction snapshot = transaction.snapshot();
                           ASSIGN_OR_RETURN(const Table table, table_or_error(snapshot, name));
                           std::vector<IndexStatus> found;
                           for (const IndexDefinition& index : table.indexes) {
                             ASSIGN_OR_RETURN(auto status, status_of(snapshot, table, index));
                             found.push_back(std::move(status));
                           }
                           return found;
                         });
}

Result<IndexStatus> DocumentIndexes::get(const Context& context, std::string_view table, std::string_view name) {
  ASSIGN_OR_RETURN(auto all, list(context, table));
  const auto found = std::ranges::find(all, name, &IndexStatus::name);
  if (found == all.end()) return no_such_index(table, name);
  return std::move(*found);
}

Result<void> DocumentIndexes::drop(const Context& context, std::string_view table_name, std::string_view name) {
  return run_transaction(database_, context, *options_.clock, options_.durability,
                         [&](kv::Transaction& transaction) -> Result<void> {
                           ASSIGN_OR_RETURN(Table table, table_or_error(transaction, table_name));
                           const auto found = std::ranges::find(table.indexes, name, &IndexDefinition::name);
                           // It may be an attempt whose outcome was not told that dropped it.
                           if (found == table.indexes.end() && transaction.unknown_since()) return {};
                           if (found == table.indexes.end()) return no_such_index(table_name, name);
                           documents::clear_index(transaction, table.prefix, found->id);
                           table.indexes.erase(found);
                           documents::put_table(transaction, table);
                           return {};
                         });
}

Result<void> DocumentIndexes::build_all() {
  std::set<std::pair<int64_t, uint32_t>> met;
  std::string after;
  for (;;) {
    ASSIGN_OR_RETURN(const auto tables, database_.read([&](const kv::ReadTransaction& transaction) {
      return documents::list_tables(transaction, after, tables_a_page);
    }));
    for (const Table& table : tables) {
      for (const IndexDefinition& index : table.indexes) {
        if (index.state == IndexState::ready) continue;
        const Build one{table.name, table.number, index.id};
        const Result<void> built = build(one);
        if (stopping_) return {};
        note(one, built);
        met.emplace(table.number, index.id);
      }
    }
    if (tables.size() < tables_a_page) break;
    after = tables.back().name;
  }
  // What was dropped meanwhile.
  std::lock_guard lock(mutex_);
  std::erase_if(failures_, [&](const auto& failure) { return !met.contains(failure.first); });
  return {};
}

void DocumentIndexes::note(const Build& build, const Result<void>& built) {
  if (!built.ok()) {
    log::warning("building an index failed, will try again",
                 {{"table", build.table}, {"index", std::to_string(build.id)}, {"error", built.error().message()}});
  }
  std::lock_guard lock(mutex_);
  const std::pair key(build.number, build.id);
  if (built.ok()) {
    failures_.erase(key);
  } else {
    failures_.insert_or_assign(key, std::string(built.error().message()));
  }
}

Result<void> DocumentIndexes::build(const Build& build) {
  size_t most = max_page_documents;
  for (bool more = true; more && !stopping_;) {
    ASSIGN_OR_RETURN(more, build_page(build, most));
  }
  return {};
}

Result<bool> DocumentIndexes::build_page(const Build& build, size_t& most) {
  bool again = false;
  size_t documents = 0;
  Bytes last;
  auto built = run_transaction(
      database_, {}, *options_.clock, options_.durability, [&](kv::Transaction& transaction) -> Result<bool> {
        // A document of the page was written meanwhile. One that is written all the time would keep the whole page out;
        // alone, it loses no more often than its writers do.
        if (std::exchange(again, true)) most = std::max<size_t>(most / 4, 1);
        ASSIGN_OR_RETURN(auto table, documents::find_table(transaction, build.table));
        if (!table || table->number != build.number) return false;
        const auto index = std::ranges::find(table->indexes, build.id, &IndexDefinition::id);
        if (index == table->indexes.end() || index->state == IndexState::ready) return false;
        ASSIGN_OR_RETURN(auto progress, documents::read_progress(transaction, table->prefix, build.id));
        documents::DocumentRange range;
        if (progress.documents > 0) range.begin = documents::KeyBound{progress.last_key, false};
        // Read serializably: a write of one of these documents makes this try again.
        ASSIGN_OR_RETURN(const auto page, documents::read_page(transaction, *table, range, most));
        documents = page.entries().size();
        if (documents > 0) progress.last_key = last = page.entries().back().key;
        for (const auto& entry : page.entries()) {
          RETURN_IF_ERROR(documents::add_to_index(transaction, table->prefix, *index, entry.key, entry.text));
          // Who writes the document now has looked for entries that were not there yet.
          RETURN_IF_ERROR(transaction.add_write_conflict_key(documents::document_key(table->prefix, entry.key)));
        }
        progress.documents += documents;
        documents::write_progress(transaction, table->prefix, build.id, progress);
        if (page.more()) return true;
        index->state = IndexState::ready;
        documents::put_table(transaction, *table);
        return false;
      });
  if (built.ok()) most = std::min(2 * most, max_page_documents);
  if (built.ok() || built.error().code() != ErrorCode::transaction_too_large) return built;
  if (documents > 1) {
    most = std::max<size_t>(documents / 8, 1);
    return true;
  }
  return Error(ErrorCode::transaction_too_large,
               fmt::format("document {}: what the index holds of it does not fit one transaction", printable(last)));
}

}  // namespace strata::service
