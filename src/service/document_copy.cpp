#include "service/document_copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "base/log.h"
#include "service/document_internals.h"

namespace strata::service {
namespace {

using documents::Table;

constexpr size_t tables_a_page = 100;
constexpr size_t changes_a_page = 1'000;
// Of the changes, at one version: well below the 5 s that an engine keeps one.
constexpr int64_t round_us = 1'000'000;
// Rounds that did not meet the end of the changes.
constexpr int max_rounds = 600;

Result<std::vector<Table>> all_tables(const kv::ReadTransaction& transaction) {
  std::vector<Table> tables;
  for (;;) {
    ASSIGN_OR_RETURN(auto page,
                     documents::list_tables(transaction, tables.empty() ? "" : tables.back().name, tables_a_page));
    const bool more = page.size() == tables_a_page;
    std::ranges::move(page, std::back_inserter(tables));
    if (tables.size() > documents::max_backup_tables) {
      return Error(ErrorCode::invalid_argument,
                   fmt::format("a backup holds at most {} tables", documents::max_backup_tables));
    }
    if (!more) return tables;
  }
}

// From here on every write of these tables says which document it changed.
Result<std::vector<Table>> begin_copies(const CopyContext& context, const std::vector<std::string>& names, bool all) {
  return run_transaction(context.database, {}, context.clock, context.durability,
                         [&](kv::Transaction& transaction) -> Result<std::vector<Table>> {
                           std::vector<Table> tables;
                           if (all) {
                             ASSIGN_OR_RETURN(tables, all_tables(transaction));
                           }
                           for (const std::string& name : names) {
                             ASSIGN_OR_RETURN(auto table, table_or_error(transaction, name));
                             tables.push_back(std::move(table));
                           }
                           for (Table& table : tables) {
                             table.is_copied = true;
                             transaction.clear_prefix(documents::changes_prefix(table.prefix));
                             documents::put_table(transaction, table);
                           }
                           return tables;
                         });
}

Result<void> require_same(const kv::ReadTransaction& transaction, const Table& table) {
  ASSIGN_OR_RETURN(const auto now, documents::find_table(transaction, table.name));
  if (now && now->number == table.number && now->is_copied) return {};
  return Error(ErrorCode::conflict, fmt::format("table {} was dropped while it was copied", table.name));
}

class Copy {
 public:
  Copy(const CopyContext& context, const std::vector<Table>& tables, ByteSink& sink)
      : context_(context), tables_(tables), writer_(sink) {
    for (const Table& table : tables) positions_.push_back(documents::changes_prefix(table.prefix));
  }

  Result<void> run() {
    RETURN_IF_ERROR(writer_.begin());
    for (uint32_t i = 0; i < tables_.size(); ++i) {
      context_.progress.set_message("copies table " + tables_[i].name);
      RETURN_IF_ERROR(copy_table(i));
    }
    context_.progress.set_message("copies what was written meanwhile");
    for (int round = 0; round < max_rounds; ++round) {
      ASSIGN_OR_RETURN(const bool whole, context_.database.read([this](const kv::ReadTransaction& transaction) {
        return copy_changes(transaction);
      }));
      if (whole) return writer_.finish();
    }
    return Error(ErrorCode::unavailable, "documents are written faster than they are copied: try again later");
  }
  const documents::BackupWriter& writer() const { return writer_; }

 private:
  // Each page at a version of its own.
  Result<void> copy_table(uint32_t number) {
    const Table& table = tables_[number];
    std::optional<Bytes> after;
    for (;;) {
      RETURN_IF_ERROR(context_.progress.check());
      documents::DocumentRange range;
      if (after) range.begin = documents::KeyBound{*after, false};
      ASSIGN_OR_RETURN(const auto page, context_.database.read([&](const kv::ReadTransaction& transaction) {
        return documents::read_page(transaction, table, range, 0);
      }));
      for (const auto& entry : page.entries()) {
        RETURN_IF_ERROR(writer_.add({.table = number, .key = entry.key, .text = entry.text}));
      }
      context_.progress.add_done(page.entries().size());
      if (!page.more()) return {};
      if (!page.entries().empty()) after = Bytes(page.entries().back().key);
    }
  }

  // True: everything is as it was at this transaction's version. What was written before it failed stays right: a
  // document's last item counts, and none of them is left out.
  Result<bool> copy_changes(const kv::ReadTransaction& transaction) {
    const int64_t until_us = context_.clock.steady_us() + round_us;
    for (uint32_t i = 0; i < tables_.size(); ++i) {
      RETURN_IF_ERROR(require_same(transaction, tables_[i]));
      for (bool more = true; more;) {
        ASSIGN_OR_RETURN(more, copy_page(transaction, i, until_us));
        if (more && context_.clock.steady_us() > until_us) return false;
      }
    }
    return true;
  }

  Result<bool> copy_page(const kv::ReadTransaction& transaction, uint32_t number, int64_t until_us) {
    RETURN_IF_ERROR(context_.progress.check());
    const Table& table = tables_[number];
    const Bytes prefix = documents::changes_prefix(table.prefix);
    const kv::RangeOptions options{.limit = static_cast<int>(changes_a_page), .mode = kv::StreamingMode::want_all};
    ASSIGN_OR_RETURN(const kv::RangePage page,
                     transaction.get_range(positions_[number], *prefix_end(prefix), options).get());
    std::set<BytesView> seen;
    for (size_t i = 0; i < page.rows.size(); ++i) {
      const BytesView row = page.rows.key(i);
      if (row.size() <= prefix.size() + documents::stamp_bytes) {
        return Error(ErrorCode::corruption, "a change of a table is malformed: " + printable(row));
      }
      const BytesView key = row.substr(prefix.size() + documents::stamp_bytes);
      if (seen.insert(key).second) {
        ASSIGN_OR_RETURN(const auto found, documents::read_document(transaction, table, key));
        documents::BackupItem item{.table = number, .is_change = true, .key = key};
        if (found) item.text = found->text;
        RETURN_IF_ERROR(writer_.add(item));
      }
      positions_[number] = key_after(row);
      if (context_.clock.steady_us() > until_us) return true;
    }
    return page.more;
  }

  const CopyContext& context_;
  const std::vector<Table>& tables_;
  documents::BackupWriter writer_;
  // Where the changes of each table go on.
  std::vector<Bytes> positions_;
};

Result<void> copy_to(const CopyContext& context, blobs::BlobStore& store, const std::string& id,
                     const std::vector<Table>& tables) {
  documents::BackupManifest manifest{.created_us = context.clock.wall_us(), .tables = tables};
  const std::string file = id + std::string(documents_suffix);
  {
    ASSIGN_OR_RETURN(const auto blob, store.create(file));
    Copy copy(context, tables, *blob);
    RETURN_IF_ERROR(copy.run());
    RETURN_IF_ERROR(blob->finish());
    manifest.items = copy.writer().items();
    manifest.bytes = copy.writer().bytes();
    manifest.digest = copy.writer().digest();
  }
  const auto write = [&]() -> Result<void> {
    ASSIGN_OR_RETURN(const auto blob, store.create(id + std::string(manifest_suffix)));
    RETURN_IF_ERROR(documents::write_manifest(*blob, manifest));
    RETURN_IF_ERROR(context.progress.check());
    return blob->finish();
  };
  const Result<void> written = write();
  if (!written.ok()) {
    if (const auto removed = store.remove(file); !removed.ok()) {
      log::warning("a file of a backup that failed could not be removed",
                   {{"file", file}, {"error", removed.error().message()}});
    }
  }
  return written;
}

}  // namespace

Result<void> copy_documents(const CopyContext& context, blobs::BlobStore& store, const std::string& id,
                            std::vector<std::string> names, bool all) {
  const std::string manifest = id + std::string(manifest_suffix);
  ASSIGN_OR_RETURN(const auto there, store.list(manifest, "", 1));
  if (!there.blobs.empty() && there.blobs[0].name == manifest) {
    return Error(ErrorCode::conflict, fmt::format("there is a backup {} already", id));
  }
  ASSIGN_OR_RETURN(const std::vector<Table> tables, begin_copies(context, names, all));
  const Result<void> copied = copy_to(context, store, id, tables);
  if (const auto ended = end_copies(context.database, tables); !ended.ok()) {
    // Writes go on to note what they change, until the next backup or start.
    log::warning("a backup could not be ended in the store", {{"error", ended.error().message()}});
  }
  return copied;
}

Result<void> end_copies(const kv::Database& database, std::span<const Table> tables) {
  for (const Table& table : tables) {
    RETURN_IF_ERROR(database.run([&](kv::Transaction& transaction) -> Result<void> {
      ASSIGN_OR_RETURN(auto now, documents::find_table(transaction, table.name));
      if (!now || now->number != table.number) return {};
      now->is_copied = false;
      documents::put_table(transaction, *now);
      transaction.clear_prefix(documents::changes_prefix(now->prefix));
      return {};
    }));
  }
  return {};
}

Result<void> clear_unfinished_tables(const kv::Database& database) {
  ASSIGN_OR_RETURN(const size_t cleared, database.run([](kv::Transaction& transaction) -> Result<size_t> {
    ASSIGN_OR_RETURN(const auto numbers, documents::list_hidden_tables(transaction));
    for (const int64_t number : numbers) documents::clear_hidden_table(transaction, number);
    return numbers.size();
  }));
  if (cleared > 0) log::info("cleared what was being restored when the last run ended", {{"tables", cleared}});
  std::string after;
  for (;;) {
    ASSIGN_OR_RETURN(const auto tables, database.read([&](const kv::ReadTransaction& transaction) {
      return documents::list_tables(transaction, after, tables_a_page);
    }));
    std::vector<Table> copied;
    std::ranges::copy_if(tables, std::back_inserter(copied), &Table::is_copied);
    RETURN_IF_ERROR(end_copies(database, copied));
    if (tables.size() < tables_a_page) return {};
    after = tables.back().name;
  }
}

}  // namespace strata::service
