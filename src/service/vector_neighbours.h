// VectorNeighbours: the nearest vectors of a vector, remembered while nothing changes.
//
// Purpose:       edges of the virtual graph ask for the neighbours of a vector and of each of its neighbours, and those
//                that walk it ask again and again.
// Ownership:     owns what it remembers; lists are shared with who uses them.
// Thread safety: any thread; two may compute the same list, which is the same.
// Invariants:    a list holds the max_vector_edges nearest others whose edges are not deferred, by score and id. It is
//                of the moment it was asked for, or younger: any change of the collection forgets all its lists.
//                Exact where the collection is small (exact_numbers), else by a search of the graph that is wide enough
//                to miss next to nothing (search_width).
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "hnsw/types.h"
#include "service/vector_collection.h"

namespace strata::service {

// Of a vector, in the virtual graph (vector_graph.h).
inline constexpr uint32_t max_vector_edges = 50;

class VectorNeighbours {
 public:
  // A scan of so many numbers takes about as long as a wide search of a graph.
  static constexpr size_t exact_numbers = 2u << 20;
  static constexpr uint32_t search_width = 400;
  static constexpr size_t max_lists = 32'768;
  static constexpr size_t max_collections = 64;

  using List = std::shared_ptr<const std::vector<hnsw::Match>>;

  // nullptr: the view does not show the vector, or its edges are deferred.
  Result<List> of(VectorCollection& collection, uint64_t id);

 private:
  struct Lists {
    uint64_t lsn = 0;
    size_t deferred = 0;
    std::unordered_map<uint64_t, List> by_id;
  };
  static Result<List> compute(VectorCollection& collection, uint64_t id);
  Lists& current(const VectorCollection& collection);

  std::mutex mutex_;
  std::unordered_map<int64_t, Lists> collections_;
};

}  // namespace strata::service
