#include "layers/documents/filter_builder.h"

namespace strata::documents {

namespace {

constexpr size_t max_patterns = 64;
constexpr int64_t max_pattern_memory_bytes = 1 << 20;

Error refused(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

// A term can only equal a word when it is one itself.
bool is_one_word(std::string_view text) {
  text::Words words(text);
  std::string word;
  return words.next(word) && word == text;
}

Result<void> check_term(std::string_view text) {
  if (text.size() > max_term_bytes) return refused("must be at most 4096 bytes");
  return {};
}

}  // namespace

text::Analyzer FieldAnalyzers::of(const std::optional<DocumentPath>& field) const {
  if (field) {
    for (const auto& [path, analyzer] : fields_) {
      if (path == *field) return analyzer;
    }
  }
  return {};
}

text::FuzzyWord fuzzy_word(std::string_view word, const Fuzziness& fuzziness) {
  return {word, fuzziness.automatic ? text::automatic_distance(word) : fuzziness.distance, fuzziness.prefix_length};
}

Result<FilterNode> FilterBuilder::node(FilterType type) {
  if (nodes_ == max_filter_nodes) return refused("the filter has more than 1024 clauses");
  FilterNode made;
  made.type = type;
  made.index = nodes_++;
  return made;
}

Result<text::Analyzer> FilterBuilder::analyzer_for(const std::optional<DocumentPath>& field,
                                                   std::string_view name) const {
  if (name.empty()) return analyzers_.of(field);
  const auto found = text::Analyzer::find(name);
  if (!found) return refused("no such analyzer: " + printable(name));
  return *found;
}

Result<void> FilterBuilder::analyze(std::string_view text, const Fuzziness& fuzziness, FilterNode& node) {
  if (text.size() > 16 * max_term_bytes) return refused("must be at most 65536 bytes");
  text::Terms terms(node.analyzer);
  terms.read(text);
  while (const auto term = terms.next()) {
    if (++terms_ > max_filter_terms) return refused("the filter has more than 1024 words");
    FilterWord& word = node.words.emplace_back();
    word.alternatives.emplace_back(*term);
    if (!fuzziness.exact()) word.fuzzy.push_back(fuzzy_word(*term, fuzziness));
  }
  return {};
}

Result<FilterNode> FilterBuilder::match(std::string_view text, const std::optional<DocumentPath>& field,
                                        std::string_view analyzer, const Fuzziness& fuzziness, bool all_words) {
  ASSIGN_OR_RETURN(FilterNode made, node(FilterType::match));
  ASSIGN_OR_RETURN(made.analyzer, analyzer_for(field, analyzer));
  made.field = field;
  made.all_words = all_words;
  made.text = text;
  RETURN_IF_ERROR(analyze(text, fuzziness, made));
  // The same word twice asks nothing more.
  std::vector<FilterWord> distinct;
  for (FilterWord& word : made.words) {
    bool known = false;
    for (const FilterWord& other : distinct) known |= other.alternatives == word.alternatives;
    if (!known) distinct.push_back(std::move(word));
  }
  made.words = std::move(distinct);
  return made;
}

Result<FilterNode> FilterBuilder::phrase(std::string_view text, const std::optional<DocumentPath>& field,
                                         std::string_view analyzer, const Fuzziness& fuzziness) {
  ASSIGN_OR_RETURN(FilterNode made, node(FilterType::phrase));
  ASSIGN_OR_RETURN(made.analyzer, analyzer_for(field, analyzer));
  made.field = field;
  made.text = text;
  RETURN_IF_ERROR(analyze(text, fuzziness, made));
  if (made.words.size() > max_phrase_words) return refused("a phrase has at most 64 words");
  return made;
}

Result<FilterNode> FilterBuilder::term(std::string_view text) {
  RETURN_IF_ERROR(check_term(text));
  ASSIGN_OR_RETURN(FilterNode made, node(FilterType::term));
  made.text = text;
  made.may_be_word = is_one_word(text);
  return made;
}

Result<FilterNode> FilterBuilder::prefix(std::string_view text) {
  RETURN_IF_ERROR(check_term(text));
  ASSIGN_OR_RETURN(FilterNode made, node(FilterType::prefix));
  made.text = text;
  return made;
}

Result<FilterNode> FilterBuilder::wildcard(std::string_view pattern) {
  if (pattern.size() > max_pattern_bytes) return refused("a pattern has at most 1000 bytes");
  if (++patterns_ > max_patterns) return refused("the filter has more than 64 patterns");
  ASSIGN_OR_RETURN(FilterNode made, node(FilterType::wildcard));
  made.text = pattern;
  made.wildcard.emplace(pattern);
  return made;
}

Result<FilterNode> FilterBuilder::regexp(std::string_view pattern) {
  if (pattern.size() > max_pattern_bytes) return refused("a pattern has at most 1000 bytes");
  if (++patterns_ > max_patterns) return refused("the filter has more than 64 patterns");
  RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(max_pattern_memory_bytes);
  auto compiled = std::make_shared<const RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!compiled->ok()) return refused("is not a regular expression: " + compiled->error());
  ASSIGN_OR_RETURN(FilterNode made, node(FilterType::regexp));
  made.text = pattern;
  made.regexp = std::move(compiled);
  return made;
}

Result<FilterNode> FilterBuilder::fuzzy(std::string_view text, const Fuzziness& fuzziness) {
  RETURN_IF_ERROR(check_term(text));
  ASSIGN_OR_RETURN(FilterNode made, node(FilterType::fuzzy));
  made.text = text;
  made.fuzzy = fuzzy_word(text, fuzziness);
  return made;
}

Result<FilterNode> FilterBuilder::number_equal(const Number& value) {
  ASSIGN_OR_RETURN(FilterNode made, node(FilterType::number_range));
  made.number_bounds = {.min = value, .max = value, .inclusive_min = true, .inclusive_max = true};
  return made;
}

Result<FilterNode> FilterBuilder::truth(bool value) {
  ASSIGN_OR_RETURN(FilterNode made, node(FilterType::boolean));
  made.truth = value;
  return made;
}

}  // namespace strata::documents
