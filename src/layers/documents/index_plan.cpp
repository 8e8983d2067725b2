#include "layers/documents/index_plan.h"

#include <algorithm>

#include "layers/documents/index_values.h"
#include "layers/documents/indexes.h"
#include "tuple/encode.h"

namespace strata::documents {

namespace {

constexpr int cost_of_keys = 1;
constexpr int cost_of_equality = 10;
constexpr int cost_of_prefix = 40;
constexpr int cost_of_range = 100;
constexpr int cost_of_boolean = 400;

class Planner {
 public:
  Planner(BytesView prefix, std::span<const IndexDefinition> indexes) : prefix_(prefix), indexes_(indexes) {}

  std::optional<IndexPlan> plan(const FilterNode& node) const {
    switch (node.type) {
      case FilterType::none:
        return IndexPlan();
      case FilterType::ids:
        return IndexPlan{.indexes = {"keys"}, .ranges = {}, .keys = node.strings, .cost = cost_of_keys};
      case FilterType::compound:
        return compound(node);
      case FilterType::term:
        return term(node);
      case FilterType::terms:
        return terms(node);
      case FilterType::match:
        return match(node);
      case FilterType::phrase:
        return phrase(node);
      case FilterType::prefix:
        return starts_with(node, node.text);
      case FilterType::wildcard:
        return starts_with(node, node.wildcard->prefix());
      case FilterType::number_range:
        return numbers(node);
      case FilterType::string_range:
        return strings(node);
      case FilterType::date_range:
        return dates(node);
      case FilterType::boolean:
        return on(node, IndexType::boolean, [&](const IndexDefinition& index, IndexPlan& plan) {
          equal(index, boolean_value(*node.truth), plan);
          plan.cost = cost_of_boolean;
        });
      default:
        return std::nullopt;
    }
  }

 private:
  const IndexDefinition* find(const FilterNode& node, IndexType type) const {
    if (!node.field) return nullptr;
    for (const IndexDefinition& index : indexes_) {
      if (index.type == type && index.state == IndexState::ready && index.field == *node.field) return &index;
    }
    return nullptr;
  }

  template <class Fill>
  std::optional<IndexPlan> on(const FilterNode& node, IndexType type, Fill fill) const {
    const IndexDefinition* index = find(node, type);
    if (index == nullptr) return std::nullopt;
    IndexPlan plan{.indexes = {index->name}, .ranges = {}, .keys = {}};
    fill(*index, plan);
    return plan;
  }

  // Entries with values from `begin` to those that start with `end`; empty: to the last.
  void between(const IndexDefinition& index, BytesView begin, BytesView end, IndexPlan& plan) const {
    const Bytes prefix = index_prefix(prefix_, index.id);
    plan.ranges.push_back({{prefix + Bytes(begin), *prefix_end(prefix + Bytes(end))}, prefix.size()});
  }
  void equal(const IndexDefinition& index, BytesView value, IndexPlan& plan) const {
    between(index, value, value, plan);
  }

  void posting(const IndexDefinition& index, std::string_view term, IndexPlan& plan) const {
    const Bytes begin = postings_prefix(prefix_, index.id, term_value(term));
    plan.ranges.push_back({{begin, *prefix_end(begin)}, begin.size() - term_value(term).size()});
  }

  void word(const IndexDefinition& index, std::string_view word, IndexPlan& plan) const {
    equal(index, whole_string_value(word), plan);
    equal(index, word_value(word), plan);
  }

  std::optional<IndexPlan> compound(const FilterNode& node) const {
    std::optional<IndexPlan> best;
    const auto better = [&best](std::optional<IndexPlan> plan) {
      if (plan && (!best || plan->cost < best->cost)) best = std::move(plan);
    };
    for (const FilterNode& child : node.must) better(plan(child));
    if (node.minimum > 0) better(any_of(node.should));
    return best;
  }

  // Every one must have a plan: a document may match any of them.
  std::optional<IndexPlan> any_of(const std::vector<FilterNode>& nodes) const {
    IndexPlan all;
    for (const FilterNode& child : nodes) {
      auto one = plan(child);
      if (!one) return std::nullopt;
      std::ranges::move(one->indexes, std::back_inserter(all.indexes));
      std::ranges::move(one->ranges, std::back_inserter(all.ranges));
      std::ranges::move(one->keys, std::back_inserter(all.keys));
      all.cost += one->cost;
    }
    return all;
  }

  std::optional<IndexPlan> term(const FilterNode& node) const {
    const auto by_string = on(node, IndexType::string, [&](const IndexDefinition& index, IndexPlan& plan) {
      equal(index, whole_string_value(node.text), plan);
      if (node.may_be_word) equal(index, word_value(node.text), plan);
      plan.cost = cost_of_equality;
    });
    if (by_string) return by_string;
    // A document that holds the term, whole or as a word, holds the stems of its words.
    const IndexDefinition* index = find(node, IndexType::fulltext);
    if (index == nullptr || index->analyzer.is_keyword()) return std::nullopt;
    text::Terms stems(index->analyzer);
    stems.read(node.text);
    const auto first = stems.next();
    if (!first) return std::nullopt;
    IndexPlan plan{.indexes = {index->name}, .ranges = {}, .keys = {}, .cost = cost_of_equality + 1};
    posting(*index, *first, plan);
    return plan;
  }

  std::optional<IndexPlan> terms(const FilterNode& node) const {
    for (const FilterWord& word : node.words) {
      if (!word.fuzzy.empty()) return std::nullopt;
    }
    // Numbers and strings would need two indexes.
    if (node.strings.empty() && node.words.empty()) {
      return on(node, IndexType::number, [&](const IndexDefinition& index, IndexPlan& plan) {
        for (const Number& number : node.numbers) equal(index, number_value(number.as_double()), plan);
        plan.cost = cost_of_equality * static_cast<int>(node.numbers.size());
      });
    }
    if (!node.numbers.empty()) return std::nullopt;
    return on(node, IndexType::string, [&](const IndexDefinition& index, IndexPlan& plan) {
      for (const std::string& text : node.strings) equal(index, whole_string_value(text), plan);
      if (!node.words.empty()) {
        for (const std::string& text : node.words.front().alternatives) word(index, text, plan);
      }
      plan.cost = cost_of_equality * static_cast<int>(plan.ranges.size());
    });
  }

  // The index that has the words of this node as the node's analyzer makes them.
  std::optional<IndexPlan> on_words(const FilterNode& node, size_t count, int cost) const {
    for (const FilterWord& word : node.words) {
      if (!word.fuzzy.empty()) return std::nullopt;
    }
    const IndexDefinition* fulltext = find(node, IndexType::fulltext);
    if (fulltext != nullptr && fulltext->analyzer == node.analyzer) {
      IndexPlan plan{.indexes = {fulltext->name}, .ranges = {}, .keys = {}, .cost = cost};
      for (size_t i = 0; i < count; ++i) posting(*fulltext, node.words[i].alternatives.front(), plan);
      return plan;
    }
    if (node.analyzer.stems() || node.analyzer.is_keyword()) return std::nullopt;
    return on(node, IndexType::string, [&](const IndexDefinition& index, IndexPlan& plan) {
      for (size_t i = 0; i < count; ++i) word(index, node.words[i].alternatives.front(), plan);
      plan.cost = cost;
    });
  }

  std::optional<IndexPlan> match(const FilterNode& node) const {
    if (node.words.empty()) return IndexPlan();
    // With "and" the documents of any one word are enough; a long word is likelier to be a rare one.
    if (!node.all_words)
      return on_words(node, node.words.size(), cost_of_equality * static_cast<int>(node.words.size()));
    return on_words(node, 1, cost_of_equality);
  }

  std::optional<IndexPlan> phrase(const FilterNode& node) const {
    if (node.words.empty()) return IndexPlan();
    return on_words(node, 1, cost_of_equality);
  }

  std::optional<IndexPlan> starts_with(const FilterNode& node, const std::string& start) const {
    if (start.empty()) return std::nullopt;
    return on(node, IndexType::string, [&](const IndexDefinition& index, IndexPlan& plan) {
      // Without the byte that ends the element.
      Bytes whole = whole_string_value(start);
      whole.pop_back();
      Bytes words = word_value(start);
      words.pop_back();
      equal(index, whole, plan);
      equal(index, words, plan);
      plan.cost = cost_of_prefix;
    });
  }

  std::optional<IndexPlan> numbers(const FilterNode& node) const {
    return on(node, IndexType::number, [&](const IndexDefinition& index, IndexPlan& plan) {
      const Bytes any(1, static_cast<char>(tuple::code::float64));
      const auto& [min, max, inclusive_min, inclusive_max] = node.number_bounds;
      between(index, min ? number_value(min->as_double()) : any, max ? number_value(max->as_double()) : any, plan);
      plan.cost = min && max ? (*min == *max ? cost_of_equality : cost_of_range / 2) : cost_of_range;
    });
  }

  std::optional<IndexPlan> strings(const FilterNode& node) const {
    return on(node, IndexType::string, [&](const IndexDefinition& index, IndexPlan& plan) {
      const Bytes any(1, static_cast<char>(tuple::code::string));
      const auto& [min, max, inclusive_min, inclusive_max] = node.string_bounds;
      between(index, min ? whole_string_value(*min) : any, max ? whole_string_value(*max) : any, plan);
      plan.cost = min && max ? cost_of_range / 2 : cost_of_range;
    });
  }

  std::optional<IndexPlan> dates(const FilterNode& node) const {
    return on(node, IndexType::date, [&](const IndexDefinition& index, IndexPlan& plan) {
      const auto& [min, max, inclusive_min, inclusive_max] = node.date_bounds_us;
      const Bytes last(1, static_cast<char>(tuple::code::zero + 8));
      between(index, min ? date_value(*min) : Bytes(), max ? date_value(*max) : last, plan);
      plan.cost = min && max ? cost_of_range / 2 : cost_of_range;
    });
  }

  BytesView prefix_;
  std::span<const IndexDefinition> indexes_;
};

}  // namespace

std::optional<IndexPlan> plan_filter(const Filter& filter, BytesView table_prefix,
                                     std::span<const IndexDefinition> indexes) {
  return Planner(table_prefix, indexes).plan(filter.root());
}

}  // namespace strata::documents
