// Vectors: the use cases of collections of vectors.
//
// Purpose:       what a face calls; where a transaction begins, is retried and ends; where what comes from outside is
//                checked before anything is written.
// Ownership:     borrows the database and the clock, which outlive it; owns the views (vector_view.h) and their
//                threads.
// Thread safety: any thread. Calls wait on futures, so that they may run as coroutines; long scans leave the caller's
//                thread.
// Invariants:    a write is answered after its commit and when the next search shows it; a vector is written whole or
//                not at all. What a search answers is what the keys hold: the view is fed from them and rebuilt from
//                them, never trusted over them.
// Errors:        not_found ("collection 'X' not found", "vector 7 not found"), already_exists ("collection 'X' already
//                exists"; "vector id 7 already exists": the gRPC door makes that one INVALID_ARGUMENT),
//                invalid_argument (with the word "dimension" where that is wrong), permission_denied (bulk roots),
//                operation_cancelled (`stop` was set), transaction_timed_out, conflict (optimize runs already),
//                too_many_requests (too many writes wait), unavailable (the collection is being recovered and that
//                takes longer than the caller waits).
#pragma once

#include <memory>

#include "base/clock.h"
#include "kv/database.h"
#include "service/context.h"
#include "service/long_jobs.h"
#include "service/vector_pace.h"
#include "service/vector_types.h"

namespace strata {
class MetricsRegistry;
}

namespace strata::service {

class VectorBulk;
class VectorCollection;
class VectorCollections;
struct CheckedVectorQuery;

struct VectorsOptions {
  Clock* clock = &system_clock();
  kv::Durability durability = kv::Durability::sync;
  // Where images and rows lie, <database>/vectors; empty: nothing is kept beside the keys.
  std::string directory = {};
  // Below which files for bulk_insert_from_path lie; absolute.
  std::vector<std::string> bulk_roots = {};
  // Of building indexes; 0: one a core.
  size_t threads = 0;
  // A replica: nothing is written, images included.
  bool read_only = false;
  // A search that reads more leaves its thread.
  uint64_t short_search_bytes = VectorPace::default_short_bytes;
};

// The virtual graph, for searches that ask for edges (vector_graph.h).
class VectorEdges {
 public:
  virtual ~VectorEdges() = default;
  // Fills in `edges` of each, at most `limit`: by similarity, largest first, then by id. threshold: for vectors that
  // have none of their own; 0: the collection's.
  virtual Result<void> add_edges(const Context& context, VectorCollection& collection, std::span<ScoredVector> results,
                                 float threshold, uint32_t limit, const StopHandle& stop) = 0;
};

class Vectors {
 public:
  Vectors(const kv::Database& database, const VectorsOptions& options);
  ~Vectors();
  Vectors(const Vectors&) = delete;
  Vectors& operator=(const Vectors&) = delete;

  // Before requests are served: begins to recover all collections. Those that are not ready make their callers wait.
  Result<void> open();
  // Writes the last images.
  void stop();
  // Empty, or why not: for /readyz.
  std::string not_ready() const;
  void register_metrics(MetricsRegistry& registry);
  // Before requests are served.
  void set_edges(VectorEdges* edges);

  Result<CollectionInfo> make_collection(const Context& context, const MakeCollectionRequest& request);
  Result<void> drop_collection(const Context& context, std::string_view name);
  Result<CollectionInfo> collection(const Context& context, std::string_view name);
  Result<std::vector<CollectionInfo>> collections(const Context& context);
  uint64_t collection_count() const;
  uint64_t vector_count() const;

  // The id.
  Result<uint64_t> insert(const Context& context, std::string_view collection, VectorRow row);
  Result<StoredVector> get(const Context& context, std::string_view collection, uint64_t id);
  Result<void> update(const Context& context, std::string_view collection, VectorUpdate update);
  Result<void> remove(const Context& context, std::string_view collection, uint64_t id);
  // Of the virtual graph, of one vector (threshold 0: the collection's again), or of the collection (id 0).
  Result<void> set_threshold(const Context& context, std::string_view collection, uint64_t id, float threshold);

  // A bulk insert (vector_bulk.h): rows are added one by one, committed batch by batch.
  Result<std::unique_ptr<VectorBulk>> begin_bulk(const Context& context, std::string_view collection,
                                                 const BulkOptions& options);
  Result<BulkAnswer> bulk_from_path(const Context& context, std::string_view collection,
                                    const BulkFromPathRequest& request);

  Result<OptimizeAnswer> optimize(const Context& context, std::string_view collection, bool rebuild_graph = false);
  // The LSN of the image.
  Result<uint64_t> snapshot(const Context& context, std::string_view collection);
  Result<PersistenceStatus> persistence_status(const Context& context, std::string_view collection);
  Result<PruneAnswer> prune_log(const Context& context, std::string_view collection);
  Result<CompactAnswer> compact(const Context& context, std::string_view collection, const CompactRequest& request);
  Result<CollectionCounters> counters(const Context& context, std::string_view collection);
  RecoveryStatus recovery_status() const;

  Result<VectorSearchAnswer> search(const Context& context, const VectorSearchRequest& request,
                                    const StopHandle& stop = {});
  // One that is wrong fails all of them, with its index in the message.
  Result<BatchSearchAnswer> search_batch(const Context& context, std::span<const VectorSearchRequest> requests,
                                         const StopHandle& stop = {});

  // For what computes over a collection: its view (vector_view.h), once it is ready. not_found.
  Result<std::shared_ptr<VectorCollection>> open_collection(const Context& context, std::string_view name);

 private:
  Result<VectorSearchAnswer> search_checked(const Context& context, const CheckedVectorQuery& query, int64_t begin_us,
                                            const StopHandle& stop, VectorPace& pace);
  Result<void> set_default_threshold(const Context& context, VectorCollection& collection, float threshold);

  const kv::Database& database_;
  const VectorsOptions options_;
  std::unique_ptr<VectorCollections> collections_;
  VectorEdges* edges_ = nullptr;
  // Last: they use the members above.
  LongSearches long_searches_;
  LongJobs jobs_;
};

}  // namespace strata::service
