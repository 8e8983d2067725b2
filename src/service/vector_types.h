// What operations on vectors are asked and what they answer.
//
// Purpose:       plain structs that the HTTP and the gRPC door fill in and read; the types of metadata and of filters
//                under the service's name.
// Ownership:     requests are views, which the caller keeps for the length of the call; answers own what they hold.
// Thread safety: values.
// Invariants:    a default of a field is what a request means that does not name it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "layers/vectors/filter.h"
#include "layers/vectors/metadata.h"

namespace strata::service {

using vectors::Metadata;
using vectors::MetadataField;
using vectors::MetadataValue;
using VectorFilter = vectors::Filter;

inline constexpr uint32_t max_ef_search = 10'000;
// Of results; more is invalid_argument.
inline constexpr uint32_t max_search_results = 100'000;
inline constexpr size_t max_batch_queries = 1'000;
inline constexpr uint32_t max_bulk_batch_rows = 10'000;

// What a collection is for; kept and told, and every mode does everything.
enum class CollectionMode : uint8_t { vector_only, auto_similarity, hybrid };

struct MakeCollectionRequest {
  std::string_view name;
  uint64_t dimension = 0;
  // "cosine", "euclidean", "dot_product" or "manhattan"; empty: cosine.
  std::string_view distance_metric = {};
  float default_threshold = 0;
  uint64_t max_vectors = 0;  // 0: no limit
  // Asked for "scalar".
  bool quantized = false;
  std::optional<uint32_t> m = std::nullopt;
  std::optional<uint32_t> ef_construction = std::nullopt;
  CollectionMode mode = CollectionMode::vector_only;
};

struct CollectionInfo {
  std::string name;
  uint32_t dimension = 0;
  std::string distance_metric;
  uint64_t vector_count = 0;
  float default_threshold = 0;
  // "ready", "pending_optimization" or "optimizing"
  std::string status;
  // "none" or "scalar"
  std::string quantization_type;
  // Of vector_count, those that a search finds.
  uint64_t indexed_count = 0;
};

// One vector on its way in.
struct VectorRow {
  uint64_t id = 0;  // 0: the next one
  std::span<const float> values;
  Metadata metadata = {};
};

struct StoredVector {
  uint64_t id = 0;
  std::vector<float> values;
  Metadata metadata;  // sorted by name
};

// At least one of the two.
struct VectorUpdate {
  uint64_t id = 0;
  std::optional<std::span<const float>> values = std::nullopt;
  // All of it anew; empty: none any more.
  std::optional<Metadata> metadata = std::nullopt;
};

struct BulkOptions {
  // Vectors of a transaction; 1 to max_bulk_batch_rows, else invalid_argument.
  uint32_t batch_rows = 1;
  // No edges of the virtual graph before optimize.
  bool defer_graph = false;
  // Vectors between syncs. Whatever it is, what is acknowledged is durable, but with 0: then with the next sync.
  uint32_t sync_every = 1;
  uint32_t ef_construction = 0;  // 0: the collection's
  // "immediate" or "deferred": not found by search before optimize.
  std::string_view index_mode = "immediate";
  bool skip_metadata_index = false;
  // optimize builds what is deferred with all cores.
  bool parallel_build = false;
  // Batches between checkpoints; 0: none, and no token where something failed.
  uint32_t checkpoint_every = 0;
  std::string_view resume_token = {};
};

struct BulkAnswer {
  uint64_t inserted_count = 0;
  // "row 3: ...", in input order.
  std::vector<std::string> errors;
  uint64_t last_completed_batch_index = 0;
  uint64_t last_committed_lsn = 0;
  std::string resume_token;
  std::vector<uint64_t> assigned_ids;
};

struct BulkFromPathRequest {
  std::string_view path;   // absolute, below one of the server's bulk roots
  uint32_t dimension = 0;  // 0: the collection's
  uint64_t expected_count = 0;
  uint64_t total_count_hint = 0;
  uint64_t id_start = 1;
  std::string_view ids_path = {};
  bool skip_metadata_index = false;
  std::string_view index_mode = "immediate";
  uint32_t ef_construction = 0;
  uint32_t chunk_rows = 0;  // 0: one pass
};

struct OptimizeAnswer {
  std::string status;  // "completed" or "already_optimized"
  std::string message;
  uint64_t duration_ms = 0;
  uint64_t vectors_processed = 0;
};

struct PersistenceStatus {
  uint64_t last_snapshot_lsn = 0;
  uint64_t current_lsn = 0;
  uint64_t next_lsn = 1;
};

struct PruneAnswer {
  std::string status;
  uint64_t files_deleted = 0;
  uint64_t bytes_freed = 0;
  uint64_t duration_ms = 0;
};

struct CompactRequest {
  uint32_t min_segments = 0;  // 0: 4
  bool remove_deleted = true;
};
struct CompactAnswer {
  std::string status;  // "completed" or "skipped"
  uint64_t segments_merged = 0;
  uint64_t vectors_written = 0;
  uint64_t vectors_removed = 0;
  uint64_t duration_ms = 0;
};

struct CollectionCounters {
  uint64_t map_lock_acquisitions = 0;
  uint64_t collection_read_acquisitions = 0;
  uint64_t collection_write_acquisitions = 0;
  uint64_t total_blocked_microseconds = 0;
};

enum class RecoveryPath : uint8_t { none, snapshot_only, snapshot_plus_wal, full_wal_replay };
// "none", "snapshot_only", ...
std::string_view recovery_path_name(RecoveryPath path);

struct RecoveryStatus {
  RecoveryPath path = RecoveryPath::none;
  uint64_t elapsed_seconds = 0;
  struct Collection {
    std::string name;
    RecoveryPath path = RecoveryPath::none;
  };
  std::vector<Collection> collections;
};

struct VectorSearchRequest {
  std::string_view collection;
  std::span<const float> query;
  uint32_t k = 0;
  // Absent: none.
  std::optional<VectorFilter> filter = std::nullopt;
  // "auto", "pre_filter" or "post_filter"; empty: auto.
  std::string_view strategy = {};
  bool include_metadata = false;
  bool include_graph = false;
  float graph_threshold = 0;  // 0: the collection's
  uint32_t max_graph_edges = 10;
  std::optional<uint32_t> ef_search = std::nullopt;
  // Of a quantized collection: how many more candidates are compared exactly. 0: the index decides.
  float oversampling = 0;
};

struct RelatedVector {
  uint64_t id = 0;
  float similarity = 0;
};

struct ScoredVector {
  uint64_t id = 0;
  float score = 0;
  Metadata metadata;                 // with include_metadata
  std::vector<RelatedVector> edges;  // with include_graph
};

struct VectorSearchAnswer {
  std::vector<ScoredVector> results;
  uint64_t search_time_us = 0;
  std::string warning;
};

struct BatchSearchAnswer {
  std::vector<VectorSearchAnswer> results;
  uint64_t total_time_us = 0;
};

}  // namespace strata::service
