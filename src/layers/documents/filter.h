// Filter: which documents a query means, as a tree.
//
// Purpose:       bleve's queries, parsed once; what evaluates them, plans indexes for them and scores them walks this.
// Ownership:     a Filter owns its nodes; moving it keeps their addresses.
// Thread safety: immutable; const access from any thread.
// Invariants:    within the limits below; patterns compile; boosts of outer nodes are multiplied into the inner ones,
//                so that a node's boost is all there is.
#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "layers/documents/document_path.h"
#include "layers/documents/number.h"
#include "text/analyzer.h"
#include "text/edit_distance.h"
#include "text/wildcard.h"

namespace strata::documents {

inline constexpr size_t max_filter_nodes = 1'024;
inline constexpr size_t max_filter_depth = 32;
inline constexpr size_t max_filter_ids = 10'000;
inline constexpr size_t max_filter_terms = 1'024;
inline constexpr size_t max_phrase_words = 64;
inline constexpr size_t max_term_bytes = 4'096;
inline constexpr size_t max_pattern_bytes = 1'000;
inline constexpr size_t max_query_string_bytes = 16'384;

enum class FilterType : uint8_t {
  all,
  none,
  ids,
  // The whole string, or one of its words, is exactly the term; a number or boolean that equals it.
  term,
  // Some or all of the words, after analysis; each perhaps by edit distance.
  match,
  // Words in a row within one string.
  phrase,
  // A whole value that is one of several, or the terms as a phrase.
  terms,
  prefix,
  wildcard,
  regexp,
  fuzzy,
  boolean,
  number_range,
  string_range,
  date_range,
  // must, should, must_not.
  compound,
};

template <class T>
struct Bounds {
  std::optional<T> min;
  std::optional<T> max;
  bool inclusive_min = true;
  bool inclusive_max = false;

  bool contains(const T& value) const {
    if (min && (inclusive_min ? value < *min : value <= *min)) return false;
    return !max || (inclusive_max ? value <= *max : value < *max);
  }
};

// A word of a match or a phrase; several alternatives in a phrase, any of which may stand at its place.
struct FilterWord {
  std::vector<std::string> alternatives;
  // One each where the words are compared by edit distance.
  std::vector<text::FuzzyWord> fuzzy;
};

struct FilterNode {
  FilterType type = FilterType::all;
  // Absent: every value of the document.
  std::optional<DocumentPath> field;
  double boost = 1;
  // Of its tree, from 0: where an evaluator keeps what belongs to the node.
  uint32_t index = 0;

  // term, prefix: the text; wildcard, regexp: as it was written.
  std::string text;
  // terms, ids: sorted. match, phrase: none.
  std::vector<std::string> strings;
  std::vector<Number> numbers;
  std::optional<bool> truth;
  // match, phrase, terms (as a phrase).
  std::vector<FilterWord> words;
  text::Analyzer analyzer;
  bool all_words = false;
  std::optional<text::FuzzyWord> fuzzy;
  std::optional<text::Wildcard> wildcard;
  std::shared_ptr<const RE2> regexp;
  // The text could be a word of a string, and not only the whole of one.
  bool may_be_word = true;

  Bounds<Number> number_bounds;
  Bounds<std::string> string_bounds;
  Bounds<int64_t> date_bounds_us;

  // compound: all of must, none of must_not, at least `minimum` of should.
  std::vector<FilterNode> must;
  std::vector<FilterNode> should;
  std::vector<FilterNode> must_not;
  size_t minimum = 0;

  // Its score depends on how often its words occur: match, phrase, and a term.
  bool is_text() const { return type == FilterType::match || type == FilterType::phrase || type == FilterType::term; }
};

class Filter {
 public:
  // Matches every document.
  Filter() : nodes_(1) {}
  explicit Filter(std::unique_ptr<FilterNode> root, uint32_t nodes) : root_(std::move(root)), nodes_(nodes) {}

  const FilterNode& root() const { return root_ ? *root_ : match_all(); }
  // Indexes of nodes are below it.
  uint32_t node_count() const { return nodes_; }

 private:
  static const FilterNode& match_all() {
    static const FilterNode all;
    return all;
  }

  std::unique_ptr<const FilterNode> root_;
  uint32_t nodes_;
};

}  // namespace strata::documents
