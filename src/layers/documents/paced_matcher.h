// PacedMatcher: a filter for texts of documents, one after the other, which lets others have a turn.
//
// Purpose:       what is parsed and matched by scans and queries on a thread that serves others too.
// Ownership:     borrows the filter and the statistics, which outlive it.
// Thread safety: none.
// Invariants:    what the thread's parser holds is not waited with: texts that may take longer than a turn are parsed
//                by a parser of its own. What the pause said is the answer from then on.
#pragma once

#include "layers/documents/document_text.h"
#include "layers/documents/filter_match.h"
#include "layers/documents/pace.h"

namespace strata::documents {

class PacedMatcher {
 public:
  // `others`: what else is done with every document, in clauses.
  PacedMatcher(const Filter& filter, Pace::Pause pause, std::vector<const TextStatistics*> statistics = {},
               size_t others = 0);

  Result<bool> matches(BytesView key, BytesView text);
  // Until the next one.
  Result<simdjson::dom::element> parse(BytesView text);
  // nullopt: it does not match.
  Result<std::optional<double>> score(BytesView key, simdjson::dom::element document);
  Pace& pace() { return pace_; }

 private:
  Pace pace_;
  FilterMatcher matcher_;
  DocumentParser parser_;
  const size_t clauses_;
};

}  // namespace strata::documents
