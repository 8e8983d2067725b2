#include <fmt/format.h>

#include <map>

#include "base/log.h"
#include "service/document_copy.h"
#include "service/document_internals.h"

namespace strata::service {
namespace {

using documents::BackupItem;
using documents::Table;

// Of a transaction; a larger document has one of its own.
constexpr size_t batch_bytes = 1u << 20;
constexpr size_t batch_items = 1'000;
constexpr uint64_t check_items = 1'000;

// Hands out every item of the backup; it is the manifest's when this ends well.
template <class Take>
Result<void> read_items(const CopyContext& context, blobs::BlobStore& store, const std::string& id,
                        const documents::BackupManifest& manifest, Take take) {
  ASSIGN_OR_RETURN(const auto blob, store.open(id + std::string(documents_suffix)));
  documents::BackupReader reader(*blob, manifest.tables.size());
  RETURN_IF_ERROR(reader.begin());
  for (;;) {
    ASSIGN_OR_RETURN(const auto item, reader.next());
    if (!item) break;
    RETURN_IF_ERROR(take(*item));
    if (reader.items() % check_items != 0) continue;
    RETURN_IF_ERROR(context.progress.check());
    context.progress.add_done(check_items);
  }
  if (reader.items() != manifest.items || reader.digest() != manifest.digest || reader.bytes() != manifest.bytes) {
    return Error(ErrorCode::corruption, "the documents of the backup are not those of its manifest");
  }
  context.progress.add_done(reader.items() % check_items);
  return context.progress.check();
}

// Fills tables that nobody can see.
class Load {
 public:
  Load(const CopyContext& context, std::vector<std::optional<Table>> tables)
      : context_(context), tables_(std::move(tables)) {}

  Result<void> take(const BackupItem& item) {
    if (!tables_[item.table]) return {};
    const size_t bytes = item.key.size() + (item.text ? item.text->size() : 0);
    if (bytes_ + bytes > batch_bytes || items_.size() == batch_items) RETURN_IF_ERROR(flush());
    bytes_ += bytes;
    items_.push_back({.table = item.table,
                      .is_change = item.is_change,
                      .key = Bytes(item.key),
                      .text = item.text ? std::optional<Bytes>(*item.text) : std::nullopt});
    return {};
  }

  Result<void> flush() {
    const auto written = run_transaction(context_.database, {}, context_.clock, context_.durability,
                                         [this](kv::Transaction& transaction) { return write(transaction); });
    RETURN_IF_ERROR(written);
    items_.clear();
    bytes_ = 0;
    return {};
  }

 private:
  struct Item {
    uint32_t table = 0;
    bool is_change = false;
    Bytes key;
    std::optional<Bytes> text;
  };

  // The same however often it is tried: nobody else writes here, and an attempt whose outcome is not known has written
  // the same.
  Result<void> write(kv::Transaction& transaction) {
    std::map<std::pair<uint32_t, BytesView>, const Item*> last;
    for (const Item& item : items_) last[{item.table, item.key}] = &item;
    for (const auto& [at, item] : last) {
      const Table& table = *tables_[item->table];
      std::optional<Bytes> stored;
      std::optional<documents::DocumentHead> old;
      if (item->is_change) {
        ASSIGN_OR_RETURN(stored, transaction.get(documents::document_key(table.prefix, item->key)).get());
      }
      if (stored) {
        ASSIGN_OR_RETURN(old, documents::parse_head(*stored));
      }
      RETURN_IF_ERROR(documents::write_document(transaction, table, item->key, old,
                                                item->text ? std::optional<BytesView>(*item->text) : std::nullopt));
    }
    return {};
  }

  const CopyContext& context_;
  // Of the manifest's; absent: left out.
  const std::vector<std::optional<Table>> tables_;
  std::vector<Item> items_;
  size_t bytes_ = 0;
};

Result<std::vector<std::optional<Table>>> make_hidden(const CopyContext& context, const RestorePlan& plan) {
  return run_transaction(context.database, {}, context.clock, context.durability,
                         [&](kv::Transaction& transaction) -> Result<std::vector<std::optional<Table>>> {
                           std::vector<std::optional<Table>> tables(plan.names.size());
                           for (size_t i = 0; i < tables.size(); ++i) {
                             if (plan.names[i].empty()) continue;
                             Table table = plan.manifest.tables[i];
                             table.name = plan.names[i];
                             ASSIGN_OR_RETURN(table.number, documents::make_hidden_table(transaction));
                             table.prefix = documents::table_prefix(table.number);
                             tables[i] = std::move(table);
                           }
                           return tables;
                         });
}

Result<void> reveal(const CopyContext& context, const std::vector<std::optional<Table>>& tables) {
  return run_transaction(context.database, {}, context.clock, context.durability,
                         [&](kv::Transaction& transaction) -> Result<void> {
                           for (const auto& table : tables) {
                             if (!table) continue;
                             if (transaction.unknown_since()) {
                               // Revealed by an earlier attempt whose outcome was not known.
                               ASSIGN_OR_RETURN(const auto now, documents::find_table(transaction, table->name));
                               if (now && now->number == table->number) continue;
                             }
                             ASSIGN_OR_RETURN(const bool free, documents::reveal_table(transaction, *table));
                             if (!free) return table_exists(table->name);
                           }
                           return {};
                         });
}

void clear_hidden(const CopyContext& context, const std::vector<std::optional<Table>>& tables) {
  const auto cleared = run_transaction(
      context.database, {}, context.clock, context.durability, [&](kv::Transaction& transaction) -> Result<void> {
        for (const auto& table : tables) {
          if (!table) continue;
          // One that was revealed is a table like any other.
          ASSIGN_OR_RETURN(const auto hidden, transaction.get(documents::hidden_table_key(table->number)).get());
          if (hidden) documents::clear_hidden_table(transaction, table->number);
        }
        return {};
      });
  if (!cleared.ok()) {
    log::warning("a restore that failed is cleared at the next start", {{"error", cleared.error().message()}});
  }
}

}  // namespace

Error table_exists(std::string_view name) {
  return Error(ErrorCode::invalid_argument, fmt::format("table already exists: {}", printable(name)));
}

Result<documents::BackupManifest> load_manifest(blobs::BlobStore& store, const std::string& id) {
  auto blob = store.open(id + std::string(manifest_suffix));
  if (!blob.ok() && blob.error().code() == ErrorCode::not_found) {
    return Error(ErrorCode::not_found, fmt::format("backup not found: {}", id));
  }
  if (!blob.ok()) return blob.error();
  return documents::read_manifest(**blob);
}

Result<void> load_documents(const CopyContext& context, blobs::BlobStore& store, const std::string& id,
                            const RestorePlan& plan) {
  context.progress.set_total(2 * plan.manifest.items);
  context.progress.set_message("checks the backup");
  RETURN_IF_ERROR(read_items(context, store, id, plan.manifest, [](const BackupItem&) -> Result<void> { return {}; }));
  context.progress.set_message("loads the documents");
  ASSIGN_OR_RETURN(const auto tables, make_hidden(context, plan));
  const auto fill = [&]() -> Result<void> {
    Load load(context, tables);
    RETURN_IF_ERROR(
        read_items(context, store, id, plan.manifest, [&](const BackupItem& item) { return load.take(item); }));
    RETURN_IF_ERROR(load.flush());
    return reveal(context, tables);
  };
  const Result<void> filled = fill();
  if (!filled.ok()) clear_hidden(context, tables);
  return filled;
}

}  // namespace strata::service
