#include "serializability/history_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "serializability/dependency_graph.h"

namespace strata::serializability {
namespace {

using Outcome = RecordedTransaction::Outcome;
using Kind = Operation::Kind;

std::string show(const List& list) {
  std::string out = "[";
  // The end of a list tells: what is before it, everybody has seen.
  const size_t shown = 6;
  if (list.size() > shown) out += "... ";
  for (size_t i = list.size() > shown ? list.size() - shown : 0; i < list.size(); ++i)
    out += fmt::format("{} ", list[i]);
  if (out.back() == ' ') out.pop_back();
  return out + "]";
}

bool is_prefix(const List& shorter, const List& longer) {
  return shorter.size() <= longer.size() && std::equal(shorter.begin(), shorter.end(), longer.begin());
}

const char* name_of(Dependency why) {
  switch (why) {
    case Dependency::write_write:
      return "whose append is followed by one of";
    case Dependency::write_read:
      return "whose append is the last that is read by";
    case Dependency::read_write:
      return "which read the list just before the append of";
    case Dependency::real_time:
      return "which had ended before there began";
  }
  return "";
}

class Checker {
 public:
  Checker(const History& history, const FinalLists& final_lists) : history_(history), final_lists_(final_lists) {}

  std::optional<Anomaly> run() {
    index_appends();
    if (auto found = check_final_lists()) return found;
    for (size_t i = 0; i < history_.size(); ++i) {
      if (auto found = check_reads(i)) return found;
    }
    return check_cycles();
  }

 private:
  struct Append {
    size_t transaction;
    // Of the last append of its transaction to this list.
    bool is_last;
  };

  Anomaly anomaly(std::string name, const std::string& why, std::vector<size_t> transactions) const {
    std::string text = why;
    for (const size_t i : transactions) text += fmt::format("\n  T{} {}", i, describe(history_[i]));
    return {std::move(name), std::move(text), std::move(transactions)};
  }

  const List& final_list(uint32_t key) const {
    static const List empty;
    const auto found = final_lists_.find(key);
    return found == final_lists_.end() ? empty : found->second;
  }

  void index_appends() {
    for (size_t i = 0; i < history_.size(); ++i) {
      std::map<uint32_t, Element> last;
      for (const Operation& operation : history_[i].operations) {
        if (operation.kind != Kind::append) continue;
        appends_[operation.element] = {i, false};
        last[operation.key] = operation.element;
      }
      for (const auto& [key, element] : last) appends_[element].is_last = true;
    }
    for (const auto& [key, list] : final_lists_) present_.insert(list.begin(), list.end());
  }

  // Every element has an append that did not fail, once; every append that was answered is there.
  std::optional<Anomaly> check_final_lists() const {
    for (const auto& [key, list] : final_lists_) {
      if (std::set<Element>(list.begin(), list.end()).size() != list.size()) {
        return anomaly("duplicate", fmt::format("list {} holds an element twice: {}", key, show(list)), {});
      }
      for (const Element element : list) {
        const auto append = appends_.find(element);
        if (append == appends_.end()) return anomaly("garbage", fmt::format("nobody appended {}", element), {});
        if (history_[append->second.transaction].outcome == Outcome::failed) {
          return anomaly("aborted write", fmt::format("{} is there, and its transaction failed", element),
                         {append->second.transaction});
        }
      }
    }
    for (size_t i = 0; i < history_.size(); ++i) {
      if (history_[i].outcome != Outcome::committed) continue;
      for (const Operation& operation : history_[i].operations) {
        if (operation.kind == Kind::append && !present_.contains(operation.element)) {
          return anomaly("lost append",
                         fmt::format("{} was committed to list {} and is gone", operation.element, operation.key), {i});
        }
      }
    }
    return std::nullopt;
  }

  std::optional<Anomaly> check_elements(size_t reader, const Operation& read) const {
    for (const Element element : read.list) {
      const auto append = appends_.find(element);
      if (append == appends_.end()) {
        return anomaly("garbage read", fmt::format("nobody appended {}, which was read", element), {reader});
      }
      if (history_[append->second.transaction].outcome == Outcome::failed) {
        return anomaly("aborted read", fmt::format("{} was read, whose transaction failed", element),
                       {reader, append->second.transaction});
      }
    }
    return std::nullopt;
  }

  // What a transaction saw of a list before it touched it, and that it saw its own appends behind it.
  std::optional<Anomaly> check_reads(size_t reader) {
    const RecordedTransaction& transaction = history_[reader];
    // Reads of those that fail are held to nothing but their elements: their version was never confirmed.
    if (transaction.outcome != Outcome::committed) return std::nullopt;
    std::map<uint32_t, List> own;
    std::map<uint32_t, List>& before = seen_[reader];
    for (const Operation& operation : transaction.operations) {
      List& mine = own[operation.key];
      if (operation.kind == Kind::append) {
        mine.push_back(operation.element);
        continue;
      }
      if (auto found = check_elements(reader, operation)) return found;
      const List& list = operation.list;
      const bool ends_with_mine = mine.size() <= list.size() && std::equal(mine.rbegin(), mine.rend(), list.rbegin());
      if (!ends_with_mine) {
        return anomaly("internal", fmt::format("a read of list {} without the reader's own appends", operation.key),
                       {reader});
      }
      const List outside(list.begin(), list.end() - static_cast<ptrdiff_t>(mine.size()));
      const auto [at, is_first] = before.emplace(operation.key, outside);
      if (!is_first && at->second != outside) {
        return anomaly("internal", fmt::format("two reads of list {} that differ", operation.key), {reader});
      }
      if (!is_prefix(outside, final_list(operation.key))) {
        return anomaly("incompatible order",
                       fmt::format("list {} was read as {}, and is {} in the end", operation.key, show(outside),
                                   show(final_list(operation.key))),
                       {reader});
      }
      if (!outside.empty() && !appends_.at(outside.back()).is_last) {
        return anomaly("intermediate read", fmt::format("{} is not its transaction's last append", outside.back()),
                       {reader, appends_.at(outside.back()).transaction});
      }
    }
    return std::nullopt;
  }

  void add_data_edges(DependencyGraph& graph) const {
    for (const auto& [key, list] : final_lists_) {
      for (size_t i = 1; i < list.size(); ++i) {
        graph.add_edge(writer(list[i - 1]), writer(list[i]), Dependency::write_write);
      }
    }
    for (const auto& [reader, lists] : seen_) {
      for (const auto& [key, list] : lists) {
        if (!list.empty()) graph.add_edge(writer(list.back()), reader, Dependency::write_read);
        const List& whole = final_list(key);
        if (list.size() < whole.size()) graph.add_edge(reader, writer(whole[list.size()]), Dependency::read_write);
      }
    }
  }

  // Not an edge for each pair: moments of ending stand in a row, a transaction leads to its own, and the last one
  // before a transaction begins leads to it.
  void add_real_time_edges(DependencyGraph& graph) const {
    std::vector<std::pair<uint64_t, size_t>> ends;
    for (size_t i = 0; i < history_.size(); ++i) {
      if (history_[i].outcome == Outcome::committed) ends.emplace_back(history_[i].ended, i);
    }
    std::sort(ends.begin(), ends.end());
    std::vector<size_t> moments;
    for (const auto& [ended, i] : ends) {
      moments.push_back(graph.add_node());
      graph.add_edge(i, moments.back(), Dependency::real_time);
      if (moments.size() > 1) graph.add_edge(moments[moments.size() - 2], moments.back(), Dependency::real_time);
    }
    for (size_t i = 0; i < history_.size(); ++i) {
      if (history_[i].outcome == Outcome::failed) continue;
      const auto after = std::lower_bound(ends.begin(), ends.end(), std::make_pair(history_[i].began, size_t{0}));
      if (after == ends.begin()) continue;
      graph.add_edge(moments[static_cast<size_t>(after - ends.begin()) - 1], i, Dependency::real_time);
    }
  }

  std::optional<Anomaly> check_cycles() const {
    DependencyGraph graph(history_.size());
    add_data_edges(graph);
    // Cycles that need no clock are the plainer proof.
    auto cycle = graph.find_cycle();
    if (cycle.empty()) {
      add_real_time_edges(graph);
      cycle = graph.find_cycle();
    }
    if (cycle.empty()) return std::nullopt;
    return describe_cycle(cycle);
  }

  Anomaly describe_cycle(const std::vector<DependencyGraph::Step>& cycle) const {
    size_t reads_before = 0, reads_from = 0;
    bool real_time = false;
    std::string why = "a cycle:";
    std::vector<size_t> transactions;
    for (const auto& step : cycle) {
      reads_before += step.edge.why == Dependency::read_write ? 1 : 0;
      reads_from += step.edge.why == Dependency::write_read ? 1 : 0;
      real_time = real_time || step.edge.why == Dependency::real_time;
      if (step.from < history_.size()) {
        why += fmt::format(" T{}, {}", step.from, name_of(step.edge.why));
        transactions.push_back(step.from);
      }
    }
    why += " the first";
    std::string name = reads_before > 1 ? "G2" : reads_before == 1 ? "G-single" : reads_from > 0 ? "G1c" : "G0";
    if (real_time) name += " in real time";
    return anomaly(std::move(name), why, std::move(transactions));
  }

  size_t writer(Element element) const { return appends_.at(element).transaction; }

  const History& history_;
  const FinalLists& final_lists_;
  std::unordered_map<Element, Append> appends_;
  std::unordered_set<Element> present_;  // in the end
  // Of each reader, the lists as they were before its own appends.
  std::map<size_t, std::map<uint32_t, List>> seen_;
};

}  // namespace

std::string describe(const RecordedTransaction& transaction) {
  std::string out;
  for (const Operation& operation : transaction.operations) {
    if (!out.empty()) out += ", ";
    out += operation.kind == Kind::append ? fmt::format("append {} to {}", operation.element, operation.key)
                                          : fmt::format("read {} as {}", operation.key, show(operation.list));
  }
  const char* const outcome = transaction.outcome == Outcome::committed ? "committed"
                              : transaction.outcome == Outcome::failed  ? "failed"
                                                                        : "unknown";
  return fmt::format("({}; {}, {} to {})", out, outcome, transaction.began, transaction.ended);
}

std::optional<Anomaly> find_anomaly(const History& history, const FinalLists& final_lists) {
  return Checker(history, final_lists).run();
}

}  // namespace strata::serializability
