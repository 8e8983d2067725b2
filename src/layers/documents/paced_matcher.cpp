#include "layers/documents/paced_matcher.h"

namespace strata::documents {
namespace {

// And their words.
size_t count_clauses(const FilterNode& node) {
  size_t count = 1 + node.words.size();
  for (const auto* children : {&node.must, &node.should, &node.must_not}) {
    for (const FilterNode& child : *children) count += count_clauses(child);
  }
  return count;
}

}  // namespace

PacedMatcher::PacedMatcher(const Filter& filter, Pace::Pause pause, std::vector<const TextStatistics*> statistics,
                           size_t others)
    : pace_(std::move(pause)),
      matcher_(filter, std::move(statistics), &pace_),
      clauses_(count_clauses(filter.root()) + others) {}

Result<simdjson::dom::element> PacedMatcher::parse(BytesView text) {
  pace_.hold_off(false);
  if (!pace_.spend(text.size())) return pace_.status().error();
  const bool is_quick = text.size() * clauses_ < Pace::units_a_turn;
  pace_.hold_off(is_quick);
  return is_quick ? parse_stored(text) : parse_stored(text, parser_);
}

Result<std::optional<double>> PacedMatcher::score(BytesView key, simdjson::dom::element document) {
  const auto score = matcher_.score(key, document);
  RETURN_IF_ERROR(pace_.status());
  return score;
}

Result<bool> PacedMatcher::matches(BytesView key, BytesView text) {
  ASSIGN_OR_RETURN(const simdjson::dom::element document, parse(text));
  const bool matches = matcher_.matches(key, document);
  RETURN_IF_ERROR(pace_.status());
  return matches;
}

}  // namespace strata::documents
