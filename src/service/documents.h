// Documents: the use cases of JSON documents in tables.
//
// Purpose:       what a face calls; where a transaction begins, is retried and ends; where what comes from outside is
//                checked before anything is written.
// Ownership:     borrows the database and the clock, which outlive it. Requests are views, answers own their bytes.
// Thread safety: any thread.
// Invariants:    a write is answered after its commit, as durable as the store was opened for; a batch over any number
//                of tables is all or nothing. A read sees every write that was answered before it began.
// Errors:        not_found ("table not found: X") before anything else that is wrong with a request; invalid_argument
//                with the key of the document; payload_too_large for what no transaction takes;
//                commit_unknown_result when a write could not be told from one that did not happen.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kv/database.h"
#include "layers/documents/batch.h"
#include "layers/documents/documents.h"
#include "layers/documents/paced_matcher.h"
#include "layers/documents/projection.h"
#include "service/context.h"
#include "service/index_request.h"

namespace strata::service {

using documents::DocumentPage;
using documents::DocumentRange;
using documents::format_time;
using documents::KeyBound;
using documents::Projection;
using documents::StoredDocument;

// What X-Antfly-Version shows: a decimal number.
inline std::string version_of(const StoredDocument& document) { return documents::format_version(document.stamp); }

struct DocumentsOptions {
  Clock* clock = &system_clock();
  // Of every commit.
  kv::Durability durability = kv::Durability::sync;
};

struct TableRequest {
  std::string_view name;
  int64_t shards = 1;
  std::string_view description = {};
  // JSON Schema; absent: any document.
  std::optional<BytesView> schema = std::nullopt;
  std::vector<IndexRequest> indexes = {};
};
struct TableStatus {
  documents::Table table;
  // Of keys and values, roughly.
  int64_t disk_bytes = 0;
  bool empty = true;
};

struct DocumentInsert {
  BytesView key;
  BytesView json;
};
struct DocumentOperation {
  std::string_view op;  // "$set"
  std::string_view path;
  std::optional<BytesView> value;  // JSON
};
struct DocumentTransform {
  BytesView key;
  std::vector<DocumentOperation> operations;
  bool upsert = false;
};
// Deletes, then inserts, then transforms.
struct TableBatch {
  std::string table;
  std::vector<Bytes> deletes;
  std::vector<DocumentInsert> inserts;  // no key twice
  std::vector<DocumentTransform> transforms;

  bool empty() const { return deletes.empty() && inserts.empty() && transforms.empty(); }
};
struct BatchCounts {
  size_t inserted = 0;
  size_t deleted = 0;
  size_t transformed = 0;
};

// What the caller has read: the document must still have this version, "0" for none.
struct DocumentRead {
  std::string table;
  Bytes key;
  std::string version;
};
struct DocumentConflict {
  DocumentRead read;
  std::string current_version;
};
struct DocumentCommit {
  std::span<const DocumentRead> reads;
  std::span<const TableBatch> tables;  // no table twice
};

struct MergeRequest {
  std::string_view table;
  std::span<const DocumentInsert> records;  // no key twice, in any order
  BytesView after;
  bool final = false;
  bool dry_run = false;
};
struct MergeAnswer {
  size_t upserted = 0;
  size_t skipped = 0;
  size_t deleted = 0;
  size_t keys_scanned = 0;
  std::vector<Bytes> deleted_keys;
  Bytes next_cursor;
  bool partial = false;
  int64_t took_us = 0;
};
inline constexpr size_t max_merge_records = 10'000;

struct DocumentScanRequest {
  std::string_view table;
  DocumentRange range;
  // Of documents that match; 0: none.
  uint64_t limit = 0;
  // JSON; absent: every document.
  std::optional<BytesView> filter = std::nullopt;
  // Lets others have a turn where the filter takes long; its error ends the scan. Kept by the scan.
  documents::Pace::Pause pause = nullptr;
};

// Pages of a range, each at a version of its own.
class DocumentScan {
 public:
  // The next documents that match; perhaps none of a page, and yet not done(). Errors: not_found when the table was
  // dropped meanwhile.
  Result<DocumentPage> next(const Context& context);
  // Nothing is left.
  bool done() const { return done_ || (limited_ && left_ == 0); }

 private:
  friend class Documents;
  DocumentScan(const kv::Database& database, Clock& clock, documents::Table table)
      : database_(database), clock_(clock), table_(std::move(table)) {}
  Result<void> filter_page(DocumentPage& page);

  const kv::Database& database_;
  Clock& clock_;
  documents::Table table_;
  std::optional<std::pair<Bytes, bool>> begin_;
  std::optional<std::pair<Bytes, bool>> end_;
  std::unique_ptr<const documents::Filter> filter_;
  std::unique_ptr<documents::PacedMatcher> matcher_;
  uint64_t left_ = 0;
  bool limited_ = false;
  bool done_ = false;
};

class Documents {
 public:
  Documents(const kv::Database& database, const DocumentsOptions& options);
  ~Documents();

  // The largest document that this engine's transactions take.
  size_t document_limit_bytes() const;

  // invalid_argument ("table already exists: X") when there is one.
  Result<TableStatus> make_table(const Context& context, const TableRequest& request);
  Result<void> drop_table(const Context& context, std::string_view name);
  Result<TableStatus> table(const Context& context, std::string_view name);
  // By name, those behind `after`, at most tables_a_page.
  Result<std::vector<TableStatus>> tables(const Context& context, std::string_view after);
  static constexpr size_t tables_a_page = 100;
  Result<void> require_table(const Context& context, std::string_view name);

  // One of propose, write, full_text, enrichments, aknn, full_index: with one transactional core all of them mean that
  // what is answered is committed and readable.
  static Result<void> check_sync_level(std::string_view level);
  // What was asked for, in the order of the tables.
  static std::vector<BatchCounts> counts_of(std::span<const TableBatch> tables);
  Result<std::vector<BatchCounts>> batch(const Context& context, std::span<const TableBatch> tables);
  // Writes only if every read still holds, in one transaction; a conflict is an answer.
  Result<std::optional<DocumentConflict>> commit(const Context& context, const DocumentCommit& request);
  Result<MergeAnswer> merge(const Context& context, const MergeRequest& request);

  Result<std::optional<StoredDocument>> read(const Context& context, std::string_view table, BytesView key);
  Result<DocumentScan> scan(const Context& context, const DocumentScanRequest& request);

 private:
  class Cache;
  struct Write;

  template <class Body>
  auto run(const Context& context, Body body) -> std::invoke_result_t<Body&, kv::Transaction&>;
  Result<std::vector<Write>> prepare(std::span<const TableBatch> tables) const;
  Result<documents::Batch> prepare(const TableBatch& table) const;
  Result<void> apply(kv::Transaction& transaction, const Write& write);
  // What is said first of a request that is wrong: that its table does not exist.
  Error after_tables(const Context& context, std::span<const std::string_view> tables, const Error& error);
  Result<TableStatus> status_of(const kv::ReadTransaction& transaction, documents::Table table);
  Result<std::shared_ptr<const documents::Schema>> schema_of(const documents::Table& table);
  Result<std::optional<StoredDocument>> read_cached(std::string_view table, BytesView key);

  const kv::Database& database_;
  const DocumentsOptions options_;
  std::unique_ptr<Cache> cache_;
};

}  // namespace strata::service
