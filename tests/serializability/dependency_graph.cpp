#include "serializability/dependency_graph.h"

#include <algorithm>
#include <deque>

namespace strata::serializability {
namespace {
constexpr size_t none = SIZE_MAX;
}

size_t DependencyGraph::add_node() {
  edges_.emplace_back();
  return edges_.size() - 1;
}

// Without recursion: a history is a path of thousands of nodes.
std::vector<size_t> DependencyGraph::components() const {
  struct Visit {
    size_t node;
    size_t next_edge;
  };
  const size_t count = edges_.size();
  std::vector<size_t> index(count, none), low(count, 0), component(count, none);
  std::vector<size_t> stack;
  std::vector<Visit> visits;
  size_t next_index = 0, next_component = 0;
  for (size_t root = 0; root < count; ++root) {
    if (index[root] != none) continue;
    visits.push_back({root, 0});
    while (!visits.empty()) {
      const size_t node = visits.back().node;
      if (visits.back().next_edge == 0) {
        index[node] = low[node] = next_index++;
        stack.push_back(node);
      }
      if (visits.back().next_edge < edges_[node].size()) {
        const size_t to = edges_[node][visits.back().next_edge++].to;
        if (index[to] == none) {
          visits.push_back({to, 0});
        } else if (component[to] == none) {
          low[node] = std::min(low[node], index[to]);
        }
        continue;
      }
      if (low[node] == index[node]) {
        size_t member;
        do {
          member = stack.back();
          stack.pop_back();
          component[member] = next_component;
        } while (member != node);
        ++next_component;
      }
      visits.pop_back();
      if (!visits.empty()) low[visits.back().node] = std::min(low[visits.back().node], low[node]);
    }
  }
  return component;
}

std::vector<DependencyGraph::Step> DependencyGraph::shortest_way_round(size_t start,
                                                                       const std::vector<size_t>& component) const {
  std::vector<Step> came_by(edges_.size(), {none, {none, Dependency::real_time}});
  std::deque<size_t> queue = {start};
  while (!queue.empty()) {
    const size_t node = queue.front();
    queue.pop_front();
    for (const Edge& edge : edges_[node]) {
      if (component[edge.to] != component[start] || came_by[edge.to].from != none) continue;
      came_by[edge.to] = {node, edge};
      if (edge.to != start) {
        queue.push_back(edge.to);
        continue;
      }
      std::vector<Step> cycle;
      for (size_t at = start;;) {
        cycle.push_back(came_by[at]);
        at = came_by[at].from;
        if (at == start) break;
      }
      std::reverse(cycle.begin(), cycle.end());
      return cycle;
    }
  }
  return {};
}

std::vector<DependencyGraph::Step> DependencyGraph::find_cycle() const {
  const std::vector<size_t> component = components();
  std::vector<size_t> members(edges_.size(), 0);
  for (const size_t c : component) ++members[c];
  std::vector<Step> shortest;
  // Of a large component, looking at some of its members is enough for a short cycle.
  size_t looks_left = 200;
  for (size_t node = 0; node < edges_.size() && looks_left > 0; ++node) {
    if (members[component[node]] < 2) continue;
    --looks_left;
    std::vector<Step> cycle = shortest_way_round(node, component);
    if (shortest.empty() || cycle.size() < shortest.size()) shortest = std::move(cycle);
  }
  return shortest;
}

}  // namespace strata::serializability
