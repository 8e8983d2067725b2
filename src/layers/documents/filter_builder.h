// FilterBuilder: makes the nodes of a filter, for every syntax that filters have.
//
// Purpose:       limits, analysis and patterns at one place; the JSON forms and the query string both build here.
// Ownership:     borrows the field analyzers; the nodes are the caller's.
// Thread safety: none.
// Invariants:    an Error's message is what is wrong alone; the caller puts the place before it.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "layers/documents/filter.h"

namespace strata::documents {

// Fields whose text is analyzed in another way than "standard": those with a fulltext index.
class FieldAnalyzers {
 public:
  void add(DocumentPath field, text::Analyzer analyzer) { fields_.emplace_back(std::move(field), analyzer); }
  text::Analyzer of(const std::optional<DocumentPath>& field) const;

 private:
  std::vector<std::pair<DocumentPath, text::Analyzer>> fields_;
};

// How the words of a match or a phrase are compared.
struct Fuzziness {
  bool automatic = false;
  uint32_t distance = 0;
  uint32_t prefix_length = 0;

  bool exact() const { return !automatic && distance == 0; }
};

class FilterBuilder {
 public:
  explicit FilterBuilder(const FieldAnalyzers& analyzers) : analyzers_(analyzers) {}

  // Every node is made by it; too many are refused.
  Result<FilterNode> node(FilterType type);
  uint32_t node_count() const { return nodes_; }

  // `analyzer`: by name; empty: the field's.
  Result<FilterNode> match(std::string_view text, const std::optional<DocumentPath>& field, std::string_view analyzer,
                           const Fuzziness& fuzziness, bool all_words);
  Result<FilterNode> phrase(std::string_view text, const std::optional<DocumentPath>& field, std::string_view analyzer,
                            const Fuzziness& fuzziness);
  Result<FilterNode> term(std::string_view text);
  Result<FilterNode> prefix(std::string_view text);
  Result<FilterNode> wildcard(std::string_view pattern);
  Result<FilterNode> regexp(std::string_view pattern);
  Result<FilterNode> fuzzy(std::string_view text, const Fuzziness& fuzziness);
  Result<FilterNode> number_equal(const Number& value);
  Result<FilterNode> truth(bool value);

 private:
  Result<text::Analyzer> analyzer_for(const std::optional<DocumentPath>& field, std::string_view name) const;
  Result<void> analyze(std::string_view text, const Fuzziness& fuzziness, FilterNode& node);

  const FieldAnalyzers& analyzers_;
  uint32_t nodes_ = 0;
  size_t terms_ = 0;
  size_t patterns_ = 0;
};

// An exact distance, or the automatic one of the word.
text::FuzzyWord fuzzy_word(std::string_view word, const Fuzziness& fuzziness);

}  // namespace strata::documents
