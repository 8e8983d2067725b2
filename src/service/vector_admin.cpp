// What of Vectors works on a collection as a whole: bulk loads from files, optimize, images, the log.
#include <fmt/format.h>

#include <algorithm>

#include "service/bulk_insert.h"
#include "service/run.h"
#include "service/vector_checks.h"
#include "service/vector_collections.h"
#include "service/vector_files.h"
#include "service/vector_image.h"

namespace strata::service {
namespace {

// Of a file that is read at once.
constexpr size_t piece_bytes = 4u << 20;
constexpr size_t undefer_at_once = 256;
constexpr uint32_t default_min_segments = 4;
// Records of the log that are looked at one by one, a transaction.
constexpr size_t log_page_records = 10'000;

struct BulkFiles {
  NumberFile vectors;
  std::optional<NumberFile> ids;
};

Result<BulkFiles> open_files(std::span<const std::string> roots, uint32_t dimension,
                             const BulkFromPathRequest& request) {
  if (request.dimension != 0 && request.dimension != dimension) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("dimension mismatch: the collection has {}, dim is {}", dimension, request.dimension));
  }
  ASSIGN_OR_RETURN(auto vectors,
                   NumberFile::open(roots, request.path, NumberFile::Type::float32, dimension, request.expected_count));
  BulkFiles files{.vectors = std::move(vectors)};
  if (!request.ids_path.empty()) {
    ASSIGN_OR_RETURN(auto ids, NumberFile::open(roots, request.ids_path, NumberFile::Type::int64, 1, 0));
    if (ids.rows() != files.vectors.rows()) {
      return Error(ErrorCode::invalid_argument,
                   fmt::format("file size mismatch: {} vectors and {} ids", files.vectors.rows(), ids.rows()));
    }
    files.ids = std::move(ids);
  }
  return files;
}

// Rows [first, first + count); false: the bulk has ended.
Result<bool> add_rows(const Context& context, const BulkFiles& files, const BulkFromPathRequest& request,
                      BulkInsert& bulk, uint64_t first, size_t count) {
  std::vector<float> values(count * bulk.dimension());
  RETURN_IF_ERROR(files.vectors.read(first, {reinterpret_cast<char*>(values.data()), values.size() * sizeof(float)}));
  std::vector<int64_t> ids;
  if (files.ids) {
    ids.resize(count);
    RETURN_IF_ERROR(files.ids->read(first, {reinterpret_cast<char*>(ids.data()), ids.size() * sizeof(int64_t)}));
  }
  for (size_t at = 0; at < count; ++at) {
    const std::span row = std::span(values).subspan(at * bulk.dimension(), bulk.dimension());
    bool more = true;
    if (files.ids && ids[at] <= 0) {
      more = bulk.add_failed(context, "an id must be greater than 0");
    } else if (!files.ids && request.id_start != 0 && request.id_start + first + at < request.id_start) {
      more = bulk.add_failed(context, "no id is left behind id_start");
    } else {
      const uint64_t numbered = request.id_start == 0 ? 0 : request.id_start + first + at;
      more = bulk.add(context, {.id = files.ids ? static_cast<uint64_t>(ids[at]) : numbered, .values = row});
    }
    if (!more) return false;
  }
  return true;
}

uint64_t since_ms(const Clock& clock, int64_t begin_us) {
  return static_cast<uint64_t>(clock.steady_us() - begin_us) / 1'000;
}

}  // namespace

Result<BulkAnswer> Vectors::bulk_from_path(const Context& context, std::string_view name,
                                           const BulkFromPathRequest& request) {
  ASSIGN_OR_RETURN(const auto collection, collections_->find(context, name));
  RETURN_IF_ERROR(check_index_mode(request.index_mode, request.ef_construction));
  const BulkOptions options{.batch_rows = max_bulk_batch_rows,
                            .sync_every = UINT32_MAX,
                            .ef_construction = request.ef_construction,
                            .index_mode = request.index_mode,
                            .skip_metadata_index = request.skip_metadata_index};
  return jobs_.run<BulkAnswer>(std::make_shared<StopFlag>(), [&, collection]() -> Result<BulkAnswer> {
    ASSIGN_OR_RETURN(const BulkFiles files, open_files(options_.bulk_roots, collection->dimension(), request));
    BulkInsert bulk(collection, database_, *options_.clock, options_.durability, options, {});
    const size_t row_bytes = collection->dimension() * sizeof(float);
    const uint64_t piece_rows = std::max<size_t>(piece_bytes / row_bytes, 1);
    const uint64_t rows = files.vectors.rows();
    uint64_t chunk_end = request.chunk_rows == 0 ? rows : std::min<uint64_t>(request.chunk_rows, rows);
    for (uint64_t first = 0; first < rows;) {
      const uint64_t count = std::min(piece_rows, chunk_end - first);
      ASSIGN_OR_RETURN(const bool more, add_rows(context, files, request, bulk, first, count));
      if (!more) break;
      first += count;
      if (first < chunk_end || first == rows) continue;
      chunk_end = std::min<uint64_t>(chunk_end + request.chunk_rows, rows);
      RETURN_IF_ERROR(collections_->write_image(*collection));
    }
    return bulk.finish(context);
  });
}

Result<OptimizeAnswer> Vectors::optimize(const Context& context, std::string_view name, bool rebuild_graph) {
  ASSIGN_OR_RETURN(const auto collection, collections_->find(context, name));
  if (collection->optimizing.exchange(true)) {
    return Error(ErrorCode::conflict, fmt::format("collection '{}' is being optimized already", name));
  }
  auto answer = jobs_.run<OptimizeAnswer>(std::make_shared<StopFlag>(), [&, collection]() -> Result<OptimizeAnswer> {
    const int64_t begin_us = options_.clock->steady_us();
    VectorView& view = collection->view();
    OptimizeAnswer done;
    size_t indexed = 0;
    const std::vector<uint64_t> ids = view.deferred_ids();
    for (size_t at = 0; at < ids.size(); at += undefer_at_once) {
      RETURN_IF_ERROR(timeout_ms(context, *options_.clock));
      std::vector<VectorOperation> operations;
      for (size_t i = at; i < std::min(ids.size(), at + undefer_at_once); ++i) {
        operations.push_back({.kind = VectorOperation::Kind::undefer, .id = ids[i]});
      }
      // By bytes too: vectors of 65,536 dimensions are a quarter of a megabyte each.
      const size_t most = std::max<size_t>(collection->writer().max_bytes() / (collection->dimension() * 4), 1);
      for (size_t from = 0; from < operations.size(); from += most) {
        const auto part = std::span(operations).subspan(from, std::min(most, operations.size() - from));
        RETURN_IF_ERROR(collection->writer().submit(part, options_.durability));
        for (const VectorOperation& operation : part) indexed += operation.error ? 0 : 1;
      }
    }
    if (rebuild_graph) view.repair();
    done.duration_ms = since_ms(*options_.clock, begin_us);
    done.vectors_processed = rebuild_graph ? view.size() : indexed;
    const bool nothing = indexed == 0 && !rebuild_graph;
    done.status = nothing ? "already_optimized" : "completed";
    done.message = nothing ? "nothing was deferred"
                           : fmt::format("indexed {} vectors, their metadata and their edges", done.vectors_processed);
    return done;
  });
  collection->optimizing = false;
  return answer;
}

Result<uint64_t> Vectors::snapshot(const Context& context, std::string_view name) {
  ASSIGN_OR_RETURN(const auto collection, collections_->find(context, name));
  return jobs_.run<uint64_t>(std::make_shared<StopFlag>(),
                             [this, collection] { return collections_->write_image(*collection); });
}

Result<PersistenceStatus> Vectors::persistence_status(const Context& context, std::string_view name) {
  ASSIGN_OR_RETURN(const auto collection, collections_->find(context, name));
  return run_transaction(
      database_, context, *options_.clock, options_.durability,
      [&](kv::Transaction& transaction) -> Result<PersistenceStatus> {
        ASSIGN_OR_RETURN(const auto counters, vectors::read_counters(transaction.snapshot(), collection->row()));
        ASSIGN_OR_RETURN(const auto image, vectors::read_image_row(transaction.snapshot(), collection->row()));
        return PersistenceStatus{.last_snapshot_lsn = image ? image->lsn : 0,
                                 .current_lsn = counters.next_lsn - 1,
                                 .next_lsn = counters.next_lsn};
      });
}

Result<PruneAnswer> Vectors::prune_log(const Context& context, std::string_view name) {
  const int64_t begin_us = options_.clock->steady_us();
  ASSIGN_OR_RETURN(const auto collection, collections_->find(context, name));
  PruneAnswer answer{.status = "completed"};
  // A page of records a transaction, so that a log of any length can be counted.
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(
        const vectors::LogSize size,
        run_transaction(database_, context, *options_.clock, options_.durability,
                        [&](kv::Transaction& transaction) -> Result<vectors::LogSize> {
                          ASSIGN_OR_RETURN(const auto image, vectors::read_image_row(transaction, collection->row()));
                          const uint64_t upto = image ? image->lsn : 0;
                          ASSIGN_OR_RETURN(auto found, vectors::measure_log(transaction.snapshot(), collection->row(),
                                                                            0, upto, log_page_records));
                          if (found.records > 0) {
                            vectors::clear_log(transaction, collection->row(), found.last_lsn);
                          }
                          return found;
                        }));
    answer.files_deleted += size.records;
    answer.bytes_freed += size.bytes;
    more = size.more;
  }
  answer.duration_ms = since_ms(*options_.clock, begin_us);
  return answer;
}

Result<CompactAnswer> Vectors::compact(const Context& context, std::string_view name, const CompactRequest& request) {
  const int64_t begin_us = options_.clock->steady_us();
  ASSIGN_OR_RETURN(const auto collection, collections_->find(context, name));
  const uint32_t least = request.min_segments == 0 ? default_min_segments : request.min_segments;
  CompactAnswer answer{.status = "completed"};
  uint64_t segments = collection->image_lsn > 0 ? 1 : 0;
  vectors::LogSize size{.more = true, .last_lsn = collection->image_lsn};
  while (size.more) {
    ASSIGN_OR_RETURN(size, run_transaction(database_, context, *options_.clock, options_.durability,
                                           [&, after = size.last_lsn](kv::Transaction& transaction) {
                                             return vectors::measure_log(transaction.snapshot(), collection->row(),
                                                                         after, UINT64_MAX - 1, log_page_records);
                                           }));
    segments += size.records;
    answer.vectors_removed += size.removals;
  }
  if (segments < least) {
    answer = {.status = "skipped"};
  } else {
    ASSIGN_OR_RETURN(const uint64_t lsn, snapshot(context, name));
    static_cast<void>(lsn);
    answer.segments_merged = segments;
    answer.vectors_written = collection->view().size();
    if (!request.remove_deleted) {
      answer.vectors_removed = 0;
    } else {
      collection->view().repair();
      RETURN_IF_ERROR(prune_log(context, name));
    }
  }
  answer.duration_ms = since_ms(*options_.clock, begin_us);
  return answer;
}

Result<CollectionCounters> Vectors::counters(const Context& context, std::string_view name) {
  ASSIGN_OR_RETURN(const auto collection, collections_->find(context, name));
  const VectorWriterCounters& writer = collection->writer().counters();
  return CollectionCounters{.map_lock_acquisitions = collections_->lookups(),
                            .collection_read_acquisitions = collection->reads,
                            .collection_write_acquisitions = writer.commits,
                            .total_blocked_microseconds = writer.blocked_us};
}

RecoveryStatus Vectors::recovery_status() const { return collections_->recovery_status(); }

}  // namespace strata::service
