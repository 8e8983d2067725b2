// VectorView: what searches of one collection look at; derived from its keys, and rebuilt from them.
//
// Purpose:       the graph, the metadata by which searches filter, what is pending and what is deferred, in step with
//                the collection's log.
// Ownership:     owns all of it, and copies what it is given.
// Thread safety: searches from any thread, which wait for no write; apply and begin_image one after another (a lock
//                inside); move_one from any number of threads.
// Invariants:    a vector is in one of three places: in the graph, pending, or deferred. One on its way from pending to
//                the graph is in both, and a search shows it once. What apply() was given is seen by every search that
//                begins after it returned. Changes are given in the order of their LSNs.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/future.h"
#include "base/writer_first_mutex.h"
#include "hnsw/index.h"
#include "layers/vectors/metadata_index.h"
#include "layers/vectors/vectors.h"
#include "service/vector_pending.h"

namespace strata::service {

// What happened to one vector, once it is committed.
struct VectorChange {
  enum class Kind : uint8_t {
    put,       // new values and metadata, deferred as `deferral` says
    values,    // new values (and `metadata`, the old one or a new one); stays as deferred as it is
    metadata,  // new metadata alone
    remove,
    threshold,
    undefer,  // values and metadata as they are; nothing is deferred any more
  };
  Kind kind = Kind::put;
  uint64_t id = 0;
  std::span<const float> values = {};
  const Metadata* metadata = nullptr;
  vectors::Deferral deferral = {};
  uint32_t ef_construction = 0;
  std::optional<float> threshold = std::nullopt;
};

enum class FilterStrategy : uint8_t { automatic, pre_filter, post_filter };

struct ViewQuery {
  std::span<const float> values;
  size_t k = 0;
  uint32_t ef = 0;
  const VectorFilter* filter = nullptr;
  FilterStrategy strategy = FilterStrategy::automatic;
  // Which of these ids' metadata match the filter: asked for what the view does not know.
  std::function<Result<std::vector<uint64_t>>(std::span<const uint64_t> ids)> resolve = nullptr;
  // Does the work, which reads about so many bytes, wherever that is in nobody's way; absent: here.
  using Work = std::function<Result<std::vector<hnsw::Match>>()>;
  std::function<Result<std::vector<hnsw::Match>>(uint64_t bytes, const Work& work)> run = nullptr;
  const hnsw::StopCheck* stopped = nullptr;
};

// The state of a view at one moment, to be written (vector_image.h).
struct ViewImage {
  uint64_t lsn = 0;
  std::unique_ptr<hnsw::Image> index;
  Bytes metadata;
  // Not in the graph: deferred or pending. Read anew when the image is opened.
  std::vector<uint64_t> missing;
};

// Of the graph of a view.
hnsw::Options view_index_options(const vectors::Collection& collection, const std::string& directory);

class VectorView {
 public:
  // Pending vectors above this make writers wait: a scan of them costs a few percent of a search.
  static size_t pending_limit(uint32_t dimension);

  // directory: for the rows of the graph; empty: memory.
  static Result<std::unique_ptr<VectorView>> create(const vectors::Collection& collection,
                                                    const std::string& directory);
  // Of an image that was opened.
  VectorView(const vectors::Collection& collection, std::unique_ptr<hnsw::Index> index, vectors::MetadataIndex metadata,
             uint64_t lsn);

  void apply(std::span<const VectorChange> changes, uint64_t last_lsn);
  uint64_t applied_lsn() const { return applied_lsn_.load(std::memory_order_acquire); }

  Result<std::vector<hnsw::Match>> search(const ViewQuery& query) const;

  // Its collection is dropped, or it is not right: nobody needs its graph.
  void abandon();
  bool is_abandoned() const { return abandoned_.load(); }

  // Moves one pending vector into the graph; false: there is none.
  Result<bool> move_one();
  size_t pending() const { return pending_.size(); }
  // Ready when writers may go on.
  Future<void> room();

  // While nobody searches: many at once, with several threads; they are not in the view.
  Result<void> build(std::span<const VectorChange> puts, uint32_t threads);

  Result<ViewImage> begin_image();

  // What optimize is to do; ids ascend.
  std::vector<uint64_t> deferred_ids() const;
  size_t deferred_count() const { return deferred_count_.load(std::memory_order_relaxed); }
  // Of them, those that no search finds.
  size_t unindexed_count() const { return unindexed_count_.load(std::memory_order_relaxed); }
  vectors::Deferral deferral_of(uint64_t id) const;
  void load_deferral(uint64_t id, const vectors::Deferral& deferral);
  bool is_graph_deferred(uint64_t id) const;
  std::optional<float> threshold_of(uint64_t id) const;
  // All, the deferred ones included; one that is on its way into the graph counts once.
  size_t count() const { return count_.load(std::memory_order_relaxed); }
  // In the graph or pending: all but those that no search finds.
  size_t size() const {
    const size_t all = count();
    return all - std::min(all, unindexed_count());
  }
  hnsw::Memory index_memory() const { return index_->memory(); }
  size_t memory_bytes() const;
  const hnsw::Index& index() const { return *index_; }
  const PendingVectors& pending_vectors() const { return pending_; }
  void repair() { index_->repair(); }

 private:
  void apply_one(const VectorChange& change);
  void put(const VectorChange& change, const vectors::Deferral& deferral);
  void set_metadata(const VectorChange& change);
  // Whether no search found it before.
  bool set_deferral(uint64_t id, const vectors::Deferral& deferral);
  bool remove_from_graph(uint64_t id);
  void remove(uint64_t id);
  bool has_room() const;
  void wake_writers();
  std::vector<uint64_t> add_allowed(const ViewQuery& query, hnsw::SlotSet& allowed) const;
  Result<std::vector<hnsw::Match>> search_graph(const ViewQuery& query) const;
  Result<std::vector<hnsw::Match>> search_filtered(const ViewQuery& query) const;

  const vectors::Collection collection_;
  const std::unique_ptr<hnsw::Index> index_;
  mutable WriterFirstMutex metadata_mutex_;
  vectors::MetadataIndex metadata_;  // by slots of the graph
  PendingVectors pending_;
  std::mutex apply_mutex_;
  // Shared by who moves a vector, alone by who takes an image: graph and metadata are in step then.
  WriterFirstMutex move_mutex_;
  std::atomic<uint64_t> applied_lsn_{0};
  std::atomic<bool> abandoned_{false};

  mutable std::mutex maps_mutex_;
  std::unordered_map<uint64_t, vectors::Deferral> deferred_;
  std::unordered_map<uint64_t, float> thresholds_;
  std::atomic<size_t> deferred_count_{0};
  std::atomic<size_t> unindexed_count_{0};
  // Kept by the changes, once for each: sums of what graph and pending hold count one on its way between them twice.
  std::atomic<size_t> count_;

  std::mutex room_mutex_;
  std::vector<Promise<void>> waiting_;
};

}  // namespace strata::service
