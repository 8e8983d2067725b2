#include "service/bulk_insert.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/run.h"
#include "service/vector_checks.h"
#include "service/vector_collections.h"

namespace strata::service {
namespace {

// A commit of that much costs its sync and little else beside what its rows cost.
constexpr size_t group_rows = 512;
constexpr size_t group_bytes = 2u << 20;

vectors::Deferral deferral_of(const BulkOptions& options) {
  return {.index = options.index_mode == "deferred",
          .graph = options.defer_graph,
          .metadata = options.skip_metadata_index,
          .parallel = options.parallel_build};
}

}  // namespace

Result<void> check_index_mode(std::string_view mode, uint32_t ef_construction) {
  if (!mode.empty() && mode != "immediate" && mode != "deferred") {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("unknown index_mode \"{}\": immediate or deferred", printable(mode)));
  }
  if (ef_construction > hnsw::max_ef_construction) {
    return Error(ErrorCode::invalid_argument, fmt::format("ef_construction is {} at most", hnsw::max_ef_construction));
  }
  return {};
}

BulkInsert::BulkInsert(std::shared_ptr<VectorCollection> collection, const kv::Database& database, Clock& clock,
                       kv::Durability durability, const BulkOptions& options, BulkToken token)
    : collection_(std::move(collection)),
      database_(database),
      clock_(clock),
      durability_(durability),
      batch_rows_(options.batch_rows),
      sync_every_(options.sync_every),
      ef_construction_(options.ef_construction),
      checkpoints_(options.checkpoint_every != 0),
      deferral_(deferral_of(options)),
      token_(std::move(token)) {}

bool BulkInsert::is_committed_already(uint64_t index) {
  if (index >= token_.rows) return false;
  while (token_at_ < token_.failed.size() && index >= token_.failed[token_at_].first + token_.failed[token_at_].count) {
    ++token_at_;
  }
  return token_at_ == token_.failed.size() || index < token_.failed[token_at_].first;
}

void BulkInsert::fail(uint64_t index, std::string_view why) {
  errors_.emplace_back(index, fmt::format("row {}: {}", index, why));
}

bool BulkInsert::add_failed(const Context& context, std::string_view why) {
  if (ended_) return false;
  const uint64_t index = next_row_++;
  if (!is_committed_already(index)) fail(index, why);
  return after_row(context);
}

bool BulkInsert::add(const Context& context, VectorRow row) {
  if (ended_) return false;
  const uint64_t index = next_row_++;
  if (is_committed_already(index)) return after_row(context);
  Result<void> valid = check_values(row.values, dimension());
  if (valid.ok()) valid = vectors::check_metadata(row.metadata);
  if (!valid.ok()) {
    fail(index, valid.error().message());
    return after_row(context);
  }
  group_bytes_ += row.values.size_bytes() + 256;
  if (!row.metadata.empty()) group_bytes_ += vectors::encoded_size(row.metadata);
  values_.insert(values_.end(), row.values.begin(), row.values.end());
  rows_.push_back({index, row.id, std::move(row.metadata)});
  return after_row(context);
}

bool BulkInsert::after_row(const Context& context) {
  if (errors_.size() >= max_errors) {
    const bool flushed = flush(context);
    if (flushed) ended_ = Error(ErrorCode::invalid_argument, "too many rows failed: the rest was not read");
    return false;
  }
  const bool is_full = rows_.size() >= std::max<size_t>(group_rows, batch_rows_) || group_bytes_ >= group_bytes;
  return is_full ? flush(context) : true;
}

bool BulkInsert::must_sync(size_t rows) {
  unsynced_ += rows;
  if (sync_every_ == 0 || unsynced_ < sync_every_) return false;
  unsynced_ = 0;
  return true;
}

bool BulkInsert::flush(const Context& context) {
  if (ended_) return false;
  if (const auto left = timeout_ms(context, clock_); !left.ok()) {
    ended_ = left.error();
    return false;
  }
  if (!rows_.empty()) {
    std::vector<VectorOperation> operations;
    operations.reserve(rows_.size());
    for (size_t at = 0; at < rows_.size(); ++at) {
      operations.push_back({.id = rows_[at].id,
                            .values = std::span(values_).subspan(at * dimension(), dimension()),
                            .metadata = &rows_[at].metadata,
                            .deferral = deferral_,
                            .ef_construction = ef_construction_});
    }
    collection_->writes += operations.size();
    const kv::Durability durability = must_sync(operations.size()) ? durability_ : kv::Durability::async;
    const auto written = collection_->writer().submit(operations, durability);
    if (!written.ok()) {
      ended_ = written.error();
      return false;
    }
    answer_.last_committed_lsn = std::max(answer_.last_committed_lsn, *written);
    for (size_t at = 0; at < operations.size(); ++at) {
      if (operations[at].error) {
        fail(rows_[at].index, operations[at].error->message());
      } else {
        answer_.assigned_ids.push_back(operations[at].assigned_id);
        ++answer_.inserted_count;
      }
    }
  }
  committed_below_ = next_row_;
  rows_.clear();
  values_.clear();
  group_bytes_ = 0;
  return true;
}

// The last groups may not be synced yet: a commit that is, behind them. What it clears is never there.
Result<void> BulkInsert::sync_rest() {
  if (sync_every_ == 0 || unsynced_ == 0 || durability_ == kv::Durability::async) return {};
  return run_transaction(database_, {}, clock_, durability_, [&](kv::Transaction& transaction) -> Result<void> {
    transaction.clear(vectors::entity_key(collection_->row().prefix, vectors::VectorEntity::log, 0));
    return {};
  });
}

Result<BulkAnswer> BulkInsert::finish(const Context& context) {
  static_cast<void>(flush(context));
  if (const Result<void> synced = sync_rest(); !synced.ok()) return synced.error();
  if (ended_ && answer_.inserted_count == 0 && errors_.empty()) return *ended_;
  std::ranges::sort(errors_);
  BulkToken token{.rows = committed_below_};
  uint64_t first_failed = ended_ ? committed_below_ : UINT64_MAX;
  for (auto& [row, message] : errors_) {
    answer_.errors.push_back(std::move(message));
    first_failed = std::min(first_failed, row);
    if (row >= token.rows) continue;
    if (!token.failed.empty() && token.failed.back().first + token.failed.back().count == row) {
      ++token.failed.back().count;
    } else {
      token.failed.push_back({row, 1});
    }
  }
  if (ended_) answer_.errors.emplace_back(ended_->message());
  if (answer_.errors.empty()) return std::move(answer_);
  const uint64_t batch = first_failed / batch_rows_;
  answer_.last_completed_batch_index = batch == 0 ? 0 : batch - 1;
  if (checkpoints_) answer_.resume_token = format_bulk_token(collection_->row(), token);
  return std::move(answer_);
}

Result<std::unique_ptr<VectorBulk>> Vectors::begin_bulk(const Context& context, std::string_view name,
                                                        const BulkOptions& options) {
  ASSIGN_OR_RETURN(auto collection, collections_->find(context, name));
  if (options.batch_rows < 1 || options.batch_rows > max_bulk_batch_rows) {
    return Error(ErrorCode::invalid_argument, fmt::format("batch_lock_size must be 1 to {}", max_bulk_batch_rows));
  }
  RETURN_IF_ERROR(check_index_mode(options.index_mode, options.ef_construction));
  ASSIGN_OR_RETURN(auto token, parse_bulk_token(collection->row(), options.resume_token));
  return std::unique_ptr<VectorBulk>(std::make_unique<BulkInsert>(std::move(collection), database_, *options_.clock,
                                                                  options_.durability, options, std::move(token)));
}

}  // namespace strata::service
