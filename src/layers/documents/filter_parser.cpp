#include "layers/documents/filter_parser.h"

#include <algorithm>
#include <string>

#include "layers/documents/document_dates.h"
#include "layers/documents/filter_clause.h"
#include "layers/documents/query_string.h"

namespace strata::documents {

namespace {

using Element = simdjson::dom::element;

void scale(FilterNode& node, double boost) {
  node.boost *= boost;
  for (auto* inner : {&node.must, &node.should, &node.must_not}) {
    for (FilterNode& child : *inner) scale(child, boost);
  }
}

class FilterParser {
 public:
  explicit FilterParser(const FieldAnalyzers& analyzers) : builder_(analyzers) {}

  FilterBuilder& builder() { return builder_; }

  Result<FilterNode> parse(Element element, const std::string& where, size_t depth = 0) {
    simdjson::dom::object object;
    if (element.get(object) != simdjson::SUCCESS) return refused(where, "must be an object");
    if (depth == max_filter_depth) return refused(where, "is nested deeper than 32");
    Clause clause(object, where);
    ASSIGN_OR_RETURN(const auto field, clause.field());
    ASSIGN_OR_RETURN(const double boost, clause.boost());
    ASSIGN_OR_RETURN(FilterNode made, form(clause, field, depth));
    RETURN_IF_ERROR(clause.finish());
    if (!made.field) set_field(made, field);
    scale(made, boost);
    return made;
  }

  Result<Filter> finish(FilterNode root) const {
    return Filter(std::make_unique<FilterNode>(std::move(root)), std::max(builder_.node_count(), 1u));
  }

 private:
  static Error refused(const std::string& where, std::string_view what) {
    return Error(ErrorCode::invalid_argument, where + ": " + std::string(what));
  }
  static void set_field(FilterNode& node, const std::optional<DocumentPath>& field) {
    if (node.type != FilterType::compound) node.field = field;
  }

  // Bleve's order: what a clause is, where it holds the names of several forms.
  Result<FilterNode> form(Clause& clause, const std::optional<DocumentPath>& field, size_t depth) {
    if (clause.has("match")) return match(clause, field, false);
    if (clause.has("match_phrase")) return match(clause, field, true);
    if (clause.has("terms")) return terms(clause);
    if (clause.has("fuzziness") || clause.has("fuzzy")) return fuzzy(clause);
    if (clause.has("term")) return term(clause);
    if (clause.has("must") || clause.has("should") || clause.has("must_not") || clause.has("filter")) {
      return boolean(clause, depth);
    }
    if (clause.has("conjuncts")) return conjunction(clause, "conjuncts", depth);
    if (clause.has("disjuncts")) return disjunction(clause, "disjuncts", depth);
    if (clause.has("query")) {
      ASSIGN_OR_RETURN(const std::string_view query, clause.text("query"));
      return clause.placed("query", parse_query_string(query, builder_));
    }
    if (clause.has("min") || clause.has("max")) return range(clause);
    if (clause.has("start") || clause.has("end")) return dates(clause);
    if (clause.has("prefix")) {
      ASSIGN_OR_RETURN(const std::string_view text, clause.text("prefix"));
      return clause.placed("prefix", builder_.prefix(text));
    }
    if (clause.has("regexp")) {
      ASSIGN_OR_RETURN(const std::string_view pattern, clause.text("regexp"));
      return clause.placed("regexp", builder_.regexp(pattern));
    }
    if (clause.has("wildcard")) {
      ASSIGN_OR_RETURN(const std::string_view pattern, clause.text("wildcard"));
      return clause.placed("wildcard", builder_.wildcard(pattern));
    }
    if (clause.has("match_all")) return everything(clause, "match_all", FilterType::all);
    if (clause.has("match_none")) return everything(clause, "match_none", FilterType::none);
    if (clause.has("ids")) return ids(clause);
    if (clause.has("bool")) {
      ASSIGN_OR_RETURN(const auto value, clause.truth("bool"));
      if (!value) return clause.wrong("bool", "must be true or false");
      return clause.placed("bool", builder_.truth(*value));
    }
    return clause.wrong("", "is no known kind of query");
  }

  Result<Fuzziness> fuzziness(Clause& clause, uint32_t otherwise) {
    Fuzziness found;
    ASSIGN_OR_RETURN(found.prefix_length, clause.count("prefix_length", max_term_bytes, 0));
    if (clause.has("fuzziness")) {
      Clause copy = clause;
      if (const auto element = copy.take("fuzziness"); element && element->is_string()) {
        if (element->get_string().value_unsafe() != "auto") {
          return clause.wrong("fuzziness", "must be 0, 1, 2 or \"auto\"");
        }
        clause = copy;
        found.automatic = true;
        return found;
      }
    }
    auto distance = clause.count("fuzziness", text::max_edit_distance, otherwise);
    if (!distance.ok()) return clause.wrong("fuzziness", "must be 0, 1, 2 or \"auto\"");
    found.distance = *distance;
    return found;
  }

  Result<FilterNode> match(Clause& clause, const std::optional<DocumentPath>& field, bool phrase) {
    const std::string_view name = phrase ? "match_phrase" : "match";
    ASSIGN_OR_RETURN(const std::string_view text, clause.text(name));
    std::string_view analyzer;
    if (clause.has("analyzer")) {
      ASSIGN_OR_RETURN(analyzer, clause.text("analyzer"));
    }
    ASSIGN_OR_RETURN(const Fuzziness fuzzy, fuzziness(clause, 0));
    if (phrase) return clause.placed(name, builder_.phrase(text, field, analyzer, fuzzy));
    bool all_words = false;
    if (const auto element = clause.take("operator")) {
      std::string_view value;
      const bool is_text = element->get(value) == simdjson::SUCCESS;
      if (!is_text || (value != "and" && value != "or")) return clause.wrong("operator", "must be \"and\" or \"or\"");
      all_words = value == "and";
    }
    return clause.placed(name, builder_.match(text, field, analyzer, fuzzy, all_words));
  }

  Result<FilterNode> term(Clause& clause) {
    const auto element = clause.take("term");
    if (element) {
      if (element->is_string()) return clause.placed("term", builder_.term(element->get_string().value_unsafe()));
      if (element->is_bool()) return clause.placed("term", builder_.truth(element->get_bool().value_unsafe()));
      if (const auto number = Number::of(*element)) return clause.placed("term", builder_.number_equal(*number));
    }
    return clause.wrong("term", "must be a string, a number, true or false");
  }

  Result<FilterNode> fuzzy(Clause& clause) {
    const std::string_view name = clause.has("fuzzy") ? "fuzzy" : "term";
    ASSIGN_OR_RETURN(const std::string_view text, clause.text(name));
    ASSIGN_OR_RETURN(const Fuzziness fuzzy, fuzziness(clause, 1));
    return clause.placed(name, builder_.fuzzy(text, fuzzy));
  }

  // ["quick", "fox"], or with alternatives [["quick", "fast"], ["fox"]]; numbers are whole values alone.
  Result<FilterNode> terms(Clause& clause) {
    const auto element = clause.take("terms");
    simdjson::dom::array array;
    if (!element || element->get(array) != simdjson::SUCCESS || array.size() == 0) {
      return clause.wrong("terms", "must be an array of strings");
    }
    if (array.size() > max_filter_terms) return clause.wrong("terms", "has more than 1024 terms");
    ASSIGN_OR_RETURN(FilterNode made, clause.placed("terms", builder_.node(FilterType::terms)));
    ASSIGN_OR_RETURN(const Fuzziness fuzzy, fuzziness(clause, 0));
    size_t i = 0;
    bool phrase = true;
    for (const Element term : array) {
      const std::string place = "terms[" + std::to_string(i++) + "]";
      FilterWord word;
      if (const auto number = Number::of(term)) {
        made.numbers.push_back(*number);
        phrase = false;
        continue;
      }
      simdjson::dom::array alternatives;
      if (term.get(alternatives) == simdjson::SUCCESS) {
        for (const Element alternative : alternatives)
          RETURN_IF_ERROR(add_term(clause, place, alternative, fuzzy, word));
        if (word.alternatives.empty()) return clause.wrong(place, "must not be empty");
      } else {
        RETURN_IF_ERROR(add_term(clause, place, term, fuzzy, word));
        made.strings.push_back(word.alternatives.front());
      }
      made.words.push_back(std::move(word));
    }
    std::ranges::sort(made.strings);
    // Longer ones are lists of values; nobody means a phrase of them.
    if (!phrase || made.words.size() > max_phrase_words) made.words.clear();
    return made;
  }

  Result<void> add_term(Clause& clause, std::string_view place, Element term, const Fuzziness& fuzzy,
                        FilterWord& word) {
    std::string_view text;
    if (term.get(text) != simdjson::SUCCESS) return clause.wrong(place, "must be a string");
    if (text.size() > max_term_bytes) return clause.wrong(place, "must be at most 4096 bytes");
    if (word.alternatives.size() == max_phrase_words) return clause.wrong(place, "has more than 64 alternatives");
    word.alternatives.emplace_back(text);
    if (!fuzzy.exact()) word.fuzzy.push_back(fuzzy_word(text, fuzzy));
    return {};
  }

  Result<FilterNode> everything(Clause& clause, std::string_view name, FilterType type) {
    // {} as bleve has it; null and true are understood as well.
    const auto element = clause.take(name);
    if (element && !element->is_object() && !element->is_bool()) return clause.wrong(name, "must be {}");
    return clause.placed(name, builder_.node(type));
  }

  Result<FilterNode> ids(Clause& clause) {
    const auto element = clause.take("ids");
    simdjson::dom::array array;
    if (!element || element->get(array) != simdjson::SUCCESS) return clause.wrong("ids", "must be an array of strings");
    if (array.size() > max_filter_ids) return clause.wrong("ids", "has more than 10000 keys");
    ASSIGN_OR_RETURN(FilterNode made, clause.placed("ids", builder_.node(FilterType::ids)));
    for (const Element id : array) {
      std::string_view key;
      if (id.get(key) != simdjson::SUCCESS) return clause.wrong("ids", "must be an array of strings");
      made.strings.emplace_back(key);
    }
    std::ranges::sort(made.strings);
    return made;
  }

  Result<FilterNode> range(Clause& clause) {
    const auto min = clause.take("min");
    const auto max = clause.take("max");
    ASSIGN_OR_RETURN(const auto inclusive_min, clause.truth("inclusive_min"));
    ASSIGN_OR_RETURN(const auto inclusive_max, clause.truth("inclusive_max"));
    if (!min && !max) return clause.wrong("min", "a range needs min or max");
    const Element first = min ? *min : *max;
    const bool strings = first.is_string();
    ASSIGN_OR_RETURN(FilterNode made,
                     clause.placed("", builder_.node(strings ? FilterType::string_range : FilterType::number_range)));
    const auto read = [&](std::string_view name, const std::optional<Element>& from, std::optional<Number>& number,
                          std::optional<std::string>& text) -> Result<void> {
      if (!from) return {};
      if (from->is_string() != strings) return clause.wrong(name, "min and max must be of one type");
      if (strings) {
        text.emplace(from->get_string().value_unsafe());
        return {};
      }
      number = Number::of(*from);
      if (!number) return clause.wrong(name, "must be a number or a string");
      return {};
    };
    RETURN_IF_ERROR(read("min", min, made.number_bounds.min, made.string_bounds.min));
    RETURN_IF_ERROR(read("max", max, made.number_bounds.max, made.string_bounds.max));
    made.number_bounds.inclusive_min = made.string_bounds.inclusive_min = inclusive_min.value_or(true);
    made.number_bounds.inclusive_max = made.string_bounds.inclusive_max = inclusive_max.value_or(false);
    return made;
  }

  Result<FilterNode> dates(Clause& clause) {
    ASSIGN_OR_RETURN(FilterNode made, clause.placed("", builder_.node(FilterType::date_range)));
    const auto read = [&](std::string_view name, std::optional<int64_t>& bound) -> Result<void> {
      const auto element = clause.take(name);
      if (!element) return {};
      std::string_view text;
      if (element->get(text) == simdjson::SUCCESS) bound = parse_date_us(text);
      // Go's clients send the zero time, and an empty string, for "none".
      if (text.empty() || text == "0001-01-01T00:00:00Z") {
        if (element->is_string()) return bound.reset(), Result<void>();
      }
      if (!bound) return clause.wrong(name, "must be a date, as 2006-01-02T15:04:05Z");
      return {};
    };
    RETURN_IF_ERROR(read("start", made.date_bounds_us.min));
    RETURN_IF_ERROR(read("end", made.date_bounds_us.max));
    ASSIGN_OR_RETURN(const auto inclusive_start, clause.truth("inclusive_start"));
    ASSIGN_OR_RETURN(const auto inclusive_end, clause.truth("inclusive_end"));
    if (const auto parser = clause.take("datetime_parser"); parser && !parser->is_string()) {
      return clause.wrong("datetime_parser", "must be a string");
    }
    if (!made.date_bounds_us.min && !made.date_bounds_us.max)
      return clause.wrong("start", "a range needs start or end");
    made.date_bounds_us.inclusive_min = inclusive_start.value_or(true);
    made.date_bounds_us.inclusive_max = inclusive_end.value_or(false);
    return made;
  }

  // The clauses of an array.
  Result<std::vector<FilterNode>> list(Clause& clause, std::string_view name, Element element, size_t depth) {
    simdjson::dom::array array;
    if (element.get(array) != simdjson::SUCCESS) return clause.wrong(name, "must be an array of queries");
    std::vector<FilterNode> found;
    size_t i = 0;
    for (const Element inner : array) {
      const std::string place = clause.where() + "." + std::string(name) + "[" + std::to_string(i++) + "]";
      ASSIGN_OR_RETURN(FilterNode made, parse(inner, place, depth + 1));
      found.push_back(std::move(made));
    }
    return found;
  }

  Result<FilterNode> conjunction(Clause& clause, std::string_view name, size_t depth) {
    const auto element = clause.take(name);
    if (!element) return clause.wrong(name, "must be an array of queries");
    ASSIGN_OR_RETURN(FilterNode made, clause.placed(name, builder_.node(FilterType::compound)));
    ASSIGN_OR_RETURN(made.must, list(clause, name, *element, depth));
    if (made.must.empty()) made.type = FilterType::none;
    return made;
  }

  Result<FilterNode> disjunction(Clause& clause, std::string_view name, size_t depth) {
    const auto element = clause.take(name);
    if (!element) return clause.wrong(name, "must be an array of queries");
    ASSIGN_OR_RETURN(const uint32_t minimum, clause.count("min", max_filter_nodes, 0));
    ASSIGN_OR_RETURN(FilterNode made, clause.placed(name, builder_.node(FilterType::compound)));
    ASSIGN_OR_RETURN(made.should, list(clause, name, *element, depth));
    if (minimum > made.should.size()) return clause.wrong("min", "is more than there are disjuncts");
    made.minimum = std::max(minimum, 1u);
    if (made.should.empty()) made.type = FilterType::none;
    return made;
  }

  // "must", "should", "must_not": bleve's {"conjuncts"} and {"disjuncts"}, an array of queries, or one query.
  Result<std::vector<FilterNode>> group(Clause& clause, std::string_view name, std::string_view inner_name,
                                        size_t depth, size_t* minimum) {
    std::vector<FilterNode> found;
    const auto element = clause.take(name);
    if (!element) return found;
    if (element->is_array()) return list(clause, name, *element, depth);
    const std::string place = clause.where() + "." + std::string(name);
    simdjson::dom::object object;
    if (element->get(object) == simdjson::SUCCESS && object.at_key(inner_name).error() == simdjson::SUCCESS) {
      Clause inner(object, place);
      ASSIGN_OR_RETURN(const double boost, inner.boost());
      if (inner_name == "conjuncts") {
        ASSIGN_OR_RETURN(FilterNode made, conjunction(inner, inner_name, depth));
        found = std::move(made.must);
      } else {
        ASSIGN_OR_RETURN(const uint32_t asked, Clause(inner).count("min", max_filter_nodes, 0));
        if (minimum != nullptr) *minimum = asked;
        ASSIGN_OR_RETURN(FilterNode made, disjunction(inner, inner_name, depth));
        // At least two of them must not match: that is a query of its own.
        if (minimum == nullptr && asked > 1) {
          found.push_back(std::move(made));
        } else {
          found = std::move(made.should);
        }
      }
      RETURN_IF_ERROR(inner.finish());
      for (FilterNode& node : found) scale(node, boost);
      return found;
    }
    ASSIGN_OR_RETURN(FilterNode made, parse(*element, place, depth + 1));
    found.push_back(std::move(made));
    return found;
  }

  Result<FilterNode> boolean(Clause& clause, size_t depth) {
    ASSIGN_OR_RETURN(FilterNode made, clause.placed("", builder_.node(FilterType::compound)));
    ASSIGN_OR_RETURN(made.must, group(clause, "must", "conjuncts", depth, nullptr));
    ASSIGN_OR_RETURN(made.should, group(clause, "should", "disjuncts", depth, &made.minimum));
    ASSIGN_OR_RETURN(made.must_not, group(clause, "must_not", "disjuncts", depth, nullptr));
    // Must match, and adds nothing to the score.
    ASSIGN_OR_RETURN(auto filters, group(clause, "filter", "conjuncts", depth, nullptr));
    for (FilterNode& filter : filters) {
      scale(filter, 0);
      made.must.push_back(std::move(filter));
    }
    if (made.must.empty() && !made.should.empty()) made.minimum = std::max<size_t>(made.minimum, 1);
    if (made.must.empty() && made.should.empty() && made.must_not.empty()) made.type = FilterType::none;
    return made;
  }

  FilterBuilder builder_;
};

}  // namespace

Result<Filter> parse_filter(Element filter, const FieldAnalyzers& analyzers, std::string_view where) {
  FilterParser parser(analyzers);
  ASSIGN_OR_RETURN(FilterNode root, parser.parse(filter, std::string(where)));
  return parser.finish(std::move(root));
}

Result<Filter> parse_filter_parts(const FilterParts& parts, const FieldAnalyzers& analyzers) {
  FilterParser parser(analyzers);
  ASSIGN_OR_RETURN(FilterNode root, parser.builder().node(FilterType::compound));
  const auto given = [](const std::optional<Element>& part) { return part && !part->is_null(); };
  if (given(parts.full_text_search)) {
    ASSIGN_OR_RETURN(FilterNode search, parser.parse(*parts.full_text_search, "full_text_search"));
    root.must.push_back(std::move(search));
  }
  if (given(parts.filter_query)) {
    ASSIGN_OR_RETURN(FilterNode filter, parser.parse(*parts.filter_query, "filter_query"));
    if (!root.must.empty()) scale(filter, 0);
    root.must.push_back(std::move(filter));
  }
  if (given(parts.exclusion_query)) {
    ASSIGN_OR_RETURN(FilterNode exclusion, parser.parse(*parts.exclusion_query, "exclusion_query"));
    root.must_not.push_back(std::move(exclusion));
  }
  if (root.must.empty() && root.must_not.empty()) root.type = FilterType::all;
  return parser.finish(std::move(root));
}

}  // namespace strata::documents
