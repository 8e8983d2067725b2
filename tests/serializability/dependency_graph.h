// DependencyGraph: which transaction must come before which, and why.
//
// Purpose:       finds a cycle, and of it the shortest way round.
// Ownership:     owns its edges.
// Thread safety: none.
// Invariants:    nodes 0 .. count-1 are transactions; nodes behind them are moments, which are never named in a cycle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace strata::serializability {

enum class Dependency : uint8_t {
  write_write,  // appended directly after the other's element
  write_read,   // read the other's element as the last one
  read_write,   // read the list as it was directly before the other's element
  real_time,    // began after the other had ended
};

struct Edge {
  size_t to;
  Dependency why;
};

class DependencyGraph {
 public:
  explicit DependencyGraph(size_t nodes) : edges_(nodes) {}

  size_t add_node();
  void add_edge(size_t from, size_t to, Dependency why) {
    if (from != to) edges_[from].push_back({to, why});
  }

  struct Step {
    size_t from;
    Edge edge;
  };
  // A shortest cycle of one of the strongly connected components; empty when there is none.
  std::vector<Step> find_cycle() const;

 private:
  // Tarjan's: a component of each node; nodes of one component reach each other.
  std::vector<size_t> components() const;
  std::vector<Step> shortest_way_round(size_t start, const std::vector<size_t>& component) const;

  std::vector<std::vector<Edge>> edges_;
};

}  // namespace strata::serializability
