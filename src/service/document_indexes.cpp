#include "service/document_indexes.h"

#include <fmt/format.h>

#include <algorithm>

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

Error no_such_index(std::string_view table, std::string_view name) {
  return Error(ErrorCode::not_found, fmt::format("index not found: {} of table {}", printable(name), printable(table)));
}

Result<IndexStatus> status_of(const kv::ReadTransaction& transaction, const Table& table,
                              const IndexDefinition& index) {
  ASSIGN_OR_RETURN(const auto progress, documents::read_progress(transaction, table.prefix, index.id));
  IndexStatus status{.name = index.name,
                     .field = index.field.to_string(),
                     .type = documents::index_type_name(index.type),
                     .ready = index.state == IndexState::ready,
                     .documents = progress.documents};
  if (index.type == IndexType::fulltext) status.analyzer = index.analyzer.name();
  return status;
}

}  // namespace

DocumentIndexes::DocumentIndexes(const kv::Database& database, const DocumentIndexesOptions& options)
    : database_(database), options_(options) {}

DocumentIndexes::~DocumentIndexes() {
  stopping_ = true;
  task_.stop();
}

void DocumentIndexes::start() {
  task_.start(pass_interval_ms, [this] {
    const Result<void> passed = build_all();
    if (!passed.ok()) log::warning("building indexes failed, will try again", {{"error", passed.error().message()}});
  });
  task_.wake();
}

Result<IndexStatus> DocumentIndexes::make(const Context& context, const IndexRequest& request) {
  auto made = run_transaction(database_, context, *options_.clock, options_.durability,
                              [&](kv::Transaction& transaction) -> Result<IndexStatus> {
                                ASSIGN_OR_RETURN(Table table, table_or_error(transaction, request.table));
                                ASSIGN_OR_RETURN(IndexDefinition index, index_definition(request));
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
                           if (found == table.indexes.end()) return no_such_index(table_name, name);
                           documents::clear_index(transaction, table.prefix, found->id);
                           table.indexes.erase(found);
                           documents::put_table(transaction, table);
                           return {};
                         });
}

Result<void> DocumentIndexes::build_all() {
  std::string after;
  for (;;) {
    ASSIGN_OR_RETURN(const auto tables, database_.read([&](const kv::ReadTransaction& transaction) {
      return documents::list_tables(transaction, after, tables_a_page);
    }));
    for (const Table& table : tables) {
      for (const IndexDefinition& index : table.indexes) {
        if (index.state == IndexState::ready) continue;
        for (bool more = true; more;) {
          if (stopping_) return {};
          ASSIGN_OR_RETURN(more, build_page(table.name, index.id));
        }
      }
    }
    if (tables.size() < tables_a_page) return {};
    after = tables.back().name;
  }
}

Result<bool> DocumentIndexes::build_page(std::string_view name, uint32_t id) {
  return run_transaction(
      database_, {}, *options_.clock, options_.durability, [&](kv::Transaction& transaction) -> Result<bool> {
        ASSIGN_OR_RETURN(auto table, documents::find_table(transaction, name));
        if (!table) return false;
        const auto index = std::ranges::find(table->indexes, id, &IndexDefinition::id);
        if (index == table->indexes.end() || index->state == IndexState::ready) return false;
        ASSIGN_OR_RETURN(auto progress, documents::read_progress(transaction, table->prefix, id));
        documents::DocumentRange range;
        if (progress.documents > 0) range.begin = documents::KeyBound{progress.last_key, false};
        // Read serializably: a write of one of these documents makes this try again.
        ASSIGN_OR_RETURN(const auto page, documents::read_page(transaction, *table, range, 0));
        for (const auto& entry : page.entries()) {
          RETURN_IF_ERROR(documents::add_to_index(transaction, table->prefix, *index, entry.key, entry.text));
        }
        if (!page.entries().empty()) progress.last_key = page.entries().back().key;
        progress.documents += page.entries().size();
        documents::write_progress(transaction, table->prefix, id, progress);
        if (page.more()) return true;
        index->state = IndexState::ready;
        documents::put_table(transaction, *table);
        return false;
      });
}

}  // namespace strata::service
