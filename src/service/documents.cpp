#include "service/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "layers/documents/document_text.h"
#include "layers/documents/tables.h"
#include "service/document_internals.h"

namespace strata::service {
namespace {

// Reads that are validated at once.
constexpr size_t window_keys = 256;

bool is_about_the_request(const Error& error) {
  const int status = http_status(error.code());
  return status == 400 || status == 413;
}

}  // namespace

struct Documents::Write {
  std::string_view table;
  documents::Batch batch;
};

Documents::Documents(const kv::Database& database, const DocumentsOptions& options)
    : database_(database), options_(options), cache_(std::make_unique<Cache>()) {}
Documents::~Documents() = default;

size_t Documents::document_limit_bytes() const {
  // Room for the rest of a transaction: 8 MiB where one has 10 MB.
  return database_.engine().limits().transaction_bytes < (32u << 20) ? 8u << 20 : documents::max_document_bytes;
}

Error Documents::after_tables(const Context& context, std::span<const std::string_view> tables, const Error& error) {
  if (!is_about_the_request(error)) return error;
  const Result<void> found = run(context, [&](kv::Transaction& transaction) -> Result<void> {
    const kv::ReadTransaction snapshot = transaction.snapshot();
    for (const std::string_view name : tables) RETURN_IF_ERROR(table_or_error(snapshot, name));
    return {};
  });
  return found.ok() ? error : found.error();
}

Result<void> Documents::require_table(const Context& context, std::string_view name) {
  return run(context, [&](kv::Transaction& transaction) -> Result<void> {
    RETURN_IF_ERROR(table_or_error(transaction.snapshot(), name));
    return {};
  });
}

Result<std::shared_ptr<const documents::Schema>> Documents::schema_of(const documents::Table& table) {
  if (table.options.schema.empty()) return std::shared_ptr<const documents::Schema>();
  return cache_->schema(table);
}

Result<TableStatus> Documents::status_of(const kv::ReadTransaction& transaction, documents::Table table) {
  TableStatus status{.table = std::move(table)};
  const Bytes end = *prefix_end(status.table.prefix);
  ASSIGN_OR_RETURN(status.disk_bytes, database_.engine().estimated_bytes(status.table.prefix, end).get());
  const kv::KeyRange heads = documents::head_range(status.table, {});
  ASSIGN_OR_RETURN(const kv::RangePage first,
                   transaction.get_range(heads.begin, heads.end, {.limit = 1, .mode = kv::StreamingMode::exact}).get());
  status.empty = first.rows.empty();
  return status;
}

Result<TableStatus> Documents::make_table(const Context& context, const TableRequest& request) {
  RETURN_IF_ERROR(documents::table_names.validate(request.name));
  documents::TableOptions table{.description = Bytes(request.description)};
  table.shards = static_cast<uint32_t>(std::clamp<int64_t>(request.shards, 0, UINT32_MAX));
  if (request.schema) {
    RETURN_IF_ERROR(documents::Schema::compile(*request.schema));
    // Not minify_document: `true` is a schema too.
    ASSIGN_OR_RETURN(const documents::Value schema, documents::parse_value(*request.schema));
    documents::append_json(table.schema, schema);
  }
  RETURN_IF_ERROR(documents::validate_table_options(table));
  std::vector<documents::IndexDefinition> indexes;
  uint32_t next_index = 1;
  for (const IndexRequest& asked : request.indexes) {
    auto index = index_definition(asked);
    if (!index.ok()) return Error(index.error().code(), fmt::format("indexes: {}", index.error().message()));
    // There is nothing to build.
    index->state = documents::IndexState::ready;
    RETURN_IF_ERROR(add_index(indexes, next_index, *std::move(index)));
  }
  const int64_t wall_us = options_.clock->wall_us();
  return run(context, [&](kv::Transaction& transaction) -> Result<TableStatus> {
    ASSIGN_OR_RETURN(auto made, documents::make_table(transaction, request.name, table, wall_us));
    if (!made && transaction.unknown_since()) {
      // An attempt whose outcome was not told did come through.
      ASSIGN_OR_RETURN(auto found, table_or_error(transaction, request.name));
      if (found.created_us == wall_us) return TableStatus{.table = std::move(found)};
    }
    if (!made) {
      return Error(ErrorCode::invalid_argument, fmt::format("table already exists: {}", request.name));
    }
    if (!indexes.empty()) {
      made->indexes = indexes;
      made->next_index = next_index;
      documents::put_table(transaction, *made);
    }
    return TableStatus{.table = *std::move(made)};
  });
}

Result<void> Documents::drop_table(const Context& context, std::string_view name) {
  ASSIGN_OR_RETURN(const bool dropped, run(context, [&](kv::Transaction& transaction) {
                     auto found = documents::drop_table(transaction, name);
                     // It may be an attempt whose outcome was not told that dropped it.
                     if (found.ok() && transaction.unknown_since()) return Result<bool>(true);
                     return found;
                   }));
  cache_->forget(name);
  if (!dropped) return no_such_table(name);
  return {};
}

Result<TableStatus> Documents::table(const Context& context, std::string_view name) {
  return run(context, [&](kv::Transaction& transaction) -> Result<TableStatus> {
    const kv::ReadTransaction snapshot = transaction.snapshot();
    ASSIGN_OR_RETURN(documents::Table found, table_or_error(snapshot, name));
    return status_of(snapshot, std::move(found));
  });
}

Result<std::vector<TableStatus>> Documents::tables(const Context& context, std::string_view after) {
  return run(context, [&](kv::Transaction& transaction) -> Result<std::vector<TableStatus>> {
    const kv::ReadTransaction snapshot = transaction.snapshot();
    ASSIGN_OR_RETURN(auto page, documents::list_tables(snapshot, after, tables_a_page));
    std::vector<TableStatus> statuses;
    for (documents::Table& table : page) {
      ASSIGN_OR_RETURN(statuses.emplace_back(), status_of(snapshot, std::move(table)));
    }
    return statuses;
  });
}

Result<void> Documents::check_sync_level(std::string_view level) {
  static constexpr std::array<std::string_view, 6> levels = {"propose",     "write", "full_text",
                                                             "enrichments", "aknn",  "full_index"};
  if (std::ranges::find(levels, level) != levels.end()) return {};
  return Error(ErrorCode::invalid_argument,
               fmt::format("sync_level must be one of {}, not {}", fmt::join(levels, ", "), printable(level, 40)));
}

Result<documents::Batch> Documents::prepare(const TableBatch& table) const {
  documents::Batch batch;
  const size_t limit = document_limit_bytes();
  size_t bytes = 0;
  batch.deletes.reserve(table.deletes.size());
  for (const Bytes& key : table.deletes) {
    RETURN_IF_ERROR(documents::validate_document_key(key, "the key of a delete"));
    batch.deletes.push_back(key);
  }
  batch.inserts.reserve(table.inserts.size());
  for (const DocumentInsert& insert : table.inserts) {
    RETURN_IF_ERROR(documents::validate_document_key(insert.key, "the key of an insert"));
    auto text = documents::minify_document(insert.json, batch.arena, limit);
    if (!text.ok()) return documents::about_document(insert.key, text.error());
    bytes += text->size();
    if (bytes > database_.engine().limits().transaction_bytes) return ErrorCode::transaction_too_large;
    batch.inserts.push_back({insert.key, *text});
  }
  batch.transforms.reserve(table.transforms.size());
  for (const DocumentTransform& transform : table.transforms) {
    RETURN_IF_ERROR(documents::validate_document_key(transform.key, "the key of a transform"));
    documents::Transform& made = batch.transforms.emplace_back();
    made.key = transform.key;
    made.upsert = transform.upsert;
    for (const DocumentOperation& operation : transform.operations) {
      auto compiled = documents::make_transform_operation(operation.op, operation.path, operation.value);
      if (!compiled.ok()) return documents::about_document(transform.key, compiled.error());
      made.operations.push_back(*std::move(compiled));
    }
  }
  return batch;
}

Result<std::vector<Documents::Write>> Documents::prepare(std::span<const TableBatch> tables) const {
  std::vector<Write> writes;
  writes.reserve(tables.size());
  for (const TableBatch& table : tables) {
    auto batch = prepare(table);
    if (!batch.ok() && batch.error().code() == ErrorCode::transaction_too_large) {
      return too_large_for(database_.engine().limits());
    }
    if (!batch.ok()) return batch.error();
    writes.push_back({table.table, *std::move(batch)});
  }
  return writes;
}

Result<void> Documents::apply(kv::Transaction& transaction, const Write& write) {
  ASSIGN_OR_RETURN(const documents::Table table, table_or_error(transaction, write.table));
  ASSIGN_OR_RETURN(const auto schema, schema_of(table));
  return documents::apply_batch(
      transaction, table, write.batch,
      {.schema = schema.get(), .document_limit_bytes = document_limit_bytes(), .wall_us = options_.clock->wall_us()});
}

Result<std::vector<BatchCounts>> Documents::batch(const Context& context, std::span<const TableBatch> tables) {
  ASSIGN_OR_RETURN(const auto conflict, commit(context, {.reads = {}, .tables = tables}));
  STRATA_ASSERT(!conflict);
  return counts_of(tables);
}

std::vector<BatchCounts> Documents::counts_of(std::span<const TableBatch> tables) {
  std::vector<BatchCounts> counts;
  for (const TableBatch& table : tables) {
    counts.push_back({table.inserts.size(), table.deletes.size(), table.transforms.size()});
  }
  return counts;
}

namespace {

Result<void> check_reads(std::span<const DocumentRead> reads) {
  for (const DocumentRead& read : reads) {
    RETURN_IF_ERROR(documents::validate_document_key(read.key, "the key of a read"));
    if (!documents::is_version(read.version)) {
      return Error(ErrorCode::invalid_argument,
                   fmt::format("document {}: the version must be a decimal number as X-Antfly-Version gave it, not {}",
                               printable(read.key), printable(read.version, 40)));
    }
  }
  return {};
}

// The first read that does not hold any more.
Result<std::optional<DocumentConflict>> validate_reads(kv::Transaction& transaction,
                                                       std::span<const DocumentRead> reads) {
  std::vector<Future<std::optional<Bytes>>> heads;
  std::string name;
  documents::Table table;
  for (size_t begin = 0; begin < reads.size(); begin += window_keys) {
    const size_t end = std::min(reads.size(), begin + window_keys);
    heads.clear();
    for (size_t i = begin; i < end; ++i) {
      if (table.number == 0 || reads[i].table != table.name) {
        ASSIGN_OR_RETURN(table, table_or_error(transaction, reads[i].table));
      }
      heads.push_back(transaction.get(documents::document_key(table.prefix, reads[i].key)));
    }
    for (size_t i = begin; i < end; ++i) {
      ASSIGN_OR_RETURN(const auto stored, heads[i - begin].get());
      std::string current(documents::no_version);
      if (stored) {
        ASSIGN_OR_RETURN(const documents::DocumentHead head, documents::parse_head(*stored));
        current = documents::format_version(head.stamp);
      }
      if (current != reads[i].version) return std::optional<DocumentConflict>({reads[i], std::move(current)});
    }
  }
  return std::optional<DocumentConflict>();
}

}  // namespace

Result<std::optional<DocumentConflict>> Documents::commit(const Context& context, const DocumentCommit& request) {
  auto writes = prepare(request.tables);
  const Result<void> reads = check_reads(request.reads);
  if (!writes.ok() || !reads.ok()) {
    std::vector<std::string_view> names;
    for (const DocumentRead& read : request.reads) names.push_back(read.table);
    for (const TableBatch& table : request.tables) names.push_back(table.table);
    return after_tables(context, names, reads.ok() ? writes.error() : reads.error());
  }
  bool is_unknown = false;
  auto result = run(context, [&](kv::Transaction& transaction) -> Result<std::optional<DocumentConflict>> {
    if (is_unknown_outcome(transaction, is_unknown)) return std::optional<DocumentConflict>();
    read_what_is_stored(transaction);
    // All tables before any document: that one does not exist is said first.
    for (const Write& write : *writes) RETURN_IF_ERROR(table_or_error(transaction, write.table));
    ASSIGN_OR_RETURN(auto conflict, validate_reads(transaction, request.reads));
    if (conflict) return conflict;
    for (const Write& write : *writes) RETURN_IF_ERROR(apply(transaction, write));
    return conflict;
  });
  if (result.ok() && is_unknown) return ErrorCode::commit_unknown_result;
  return result;
}

// One read of the engine at its newest version, without a transaction: that the document is there proves that the
// table is, since numbers are never given out again. nullopt decides nothing.
Result<std::optional<StoredDocument>> Documents::read_cached(std::string_view table, BytesView key) {
  const auto prefix = cache_->prefix(table);
  if (!prefix) return std::optional<StoredDocument>();
  kv::Engine& engine = database_.engine();
  ASSIGN_OR_RETURN(const kv::Version version, engine.read_version().get());
  ASSIGN_OR_RETURN(const auto stored, engine.get(documents::document_key(*prefix, key), version).get());
  if (!stored) return std::optional<StoredDocument>();
  ASSIGN_OR_RETURN(const documents::DocumentHead head, documents::parse_head(*stored));
  if (head.chunked) return std::optional<StoredDocument>();
  return std::optional<StoredDocument>({head.stamp, Bytes(head.text)});
}

Result<std::optional<StoredDocument>> Documents::read(const Context& context, std::string_view table, BytesView key) {
  const Result<void> valid = documents::validate_document_key(key);
  if (!valid.ok()) return after_tables(context, std::span(&table, 1), valid.error());
  if (auto cached = read_cached(table, key); cached.ok() && cached->has_value()) return cached;
  return run(context, [&](kv::Transaction& transaction) -> Result<std::optional<StoredDocument>> {
    const kv::ReadTransaction snapshot = transaction.snapshot();
    ASSIGN_OR_RETURN(const documents::Table found, table_or_error(snapshot, table));
    cache_->put(found);
    return documents::read_document(snapshot, found, key);
  });
}

}  // namespace strata::service
