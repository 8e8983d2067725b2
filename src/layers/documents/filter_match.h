// FilterMatcher: does a document match, and how well.
//
// Purpose:       the one evaluator of filters: scans, queries and what indexes found all end here.
// Ownership:     borrows the filter, the statistics and the pace, which outlive it; keeps buffers between documents.
// Thread safety: none; one for each thread. The filter may be shared.
// Invariants:    what matches does not depend on statistics or indexes. A document that does not match costs no
//                allocation once the buffers have grown. Scores are sums over the clauses that matched.
#pragma once

#include <simdjson.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "layers/documents/filter.h"
#include "layers/documents/pace.h"
#include "text/bm25.h"

namespace strata::documents {

// What is known of a text clause's words; from a fulltext index of its field.
struct TextStatistics {
  text::CollectionStatistics all;
  // Of FilterNode::words, or of the term: documents that contain it.
  std::vector<uint64_t> containing;
};

class FilterMatcher {
 public:
  // `statistics`: by FilterNode::index; shorter, or null entries: clauses that score their boost. `pace`: what an
  // answer is worth when it has stopped, its status tells.
  explicit FilterMatcher(const Filter& filter, std::vector<const TextStatistics*> statistics = {},
                         Pace* pace = nullptr);
  ~FilterMatcher();

  bool matches(BytesView key, simdjson::dom::element document);
  // nullopt: it does not match.
  std::optional<double> score(BytesView key, simdjson::dom::element document);

 private:
  struct Scratch;

  bool spend(size_t units) { return pace_ == nullptr || pace_->spend(units); }
  bool node(const FilterNode& node, double* score);
  bool compound(const FilterNode& node, double* score);
  bool leaf(const FilterNode& node);
  bool match(const FilterNode& node, double* score);
  bool phrase(const FilterNode& node, double* score);
  bool term(const FilterNode& node, double* score);
  // visit(element) for every value that the node's field means; true stops.
  template <class Visit>
  bool any_value(const FilterNode& node, Visit&& visit);
  // accept(text) of the whole string or of one of its words.
  template <class Accept>
  bool any_string(const FilterNode& node, bool words, Accept&& accept);
  double text_score(const FilterNode& node, std::span<const uint64_t> frequencies, uint64_t length) const;
  text::Terms& terms_of(const FilterNode& node);

  const Filter& filter_;
  const std::vector<const TextStatistics*> statistics_;
  Pace* const pace_;
  std::vector<std::unique_ptr<Scratch>> scratch_;
  std::string word_;
  BytesView key_;
  simdjson::dom::element document_;
};

}  // namespace strata::documents
