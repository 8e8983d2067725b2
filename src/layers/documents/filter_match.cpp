#include "layers/documents/filter_match.h"

#include <algorithm>
#include <bit>

#include "layers/documents/document_dates.h"

namespace strata::documents {

namespace {

using Element = simdjson::dom::element;

std::optional<std::string_view> string_of(Element element) {
  if (!element.is_string()) return std::nullopt;
  return element.get_string().value_unsafe();
}

template <class Visit>
bool visit_everything(Element value, Visit&& visit) {
  if (value.is_object()) {
    const simdjson::dom::object members = value.get_object().value_unsafe();
    for (const auto [name, inner] : members) {
      static_cast<void>(name);
      if (visit_everything(inner, visit)) return true;
    }
    return false;
  }
  if (value.is_array()) {
    const simdjson::dom::array elements = value.get_array().value_unsafe();
    for (const Element inner : elements) {
      if (visit_everything(inner, visit)) return true;
    }
    return false;
  }
  return visit(value);
}

// What it costs to look at a value, or at a word, beside its bytes.
constexpr size_t value_units = 16;
constexpr size_t word_units = 8;
constexpr size_t fuzzy_word_units = 64;

// Of comparing one word of a text with those of a node.
size_t units_a_word(const FilterNode& node) {
  size_t units = word_units;
  for (const FilterWord& word : node.words) {
    units += word.alternatives.size() + fuzzy_word_units * word.fuzzy.size();
  }
  return units;
}

bool accepts(const FilterWord& word, std::string_view term) {
  if (!word.fuzzy.empty()) {
    return std::ranges::any_of(word.fuzzy, [term](const text::FuzzyWord& fuzzy) { return fuzzy.matches(term); });
  }
  return std::ranges::any_of(word.alternatives, [term](const std::string& exact) { return exact == term; });
}

}  // namespace

struct FilterMatcher::Scratch {
  explicit Scratch(const FilterNode& node)
      : terms(node.analyzer), frequencies(std::max<size_t>(node.words.size(), 1)) {}

  text::Terms terms;
  std::vector<uint64_t> frequencies;
};

FilterMatcher::FilterMatcher(const Filter& filter, std::vector<const TextStatistics*> statistics, Pace* pace)
    : filter_(filter), statistics_(std::move(statistics)), pace_(pace), scratch_(filter.node_count()) {}

FilterMatcher::~FilterMatcher() = default;

bool FilterMatcher::matches(BytesView key, Element document) {
  key_ = key;
  document_ = document;
  return node(filter_.root(), nullptr);
}

std::optional<double> FilterMatcher::score(BytesView key, Element document) {
  key_ = key;
  document_ = document;
  double score = 0;
  if (!node(filter_.root(), &score)) return std::nullopt;
  return score;
}

template <class Visit>
bool FilterMatcher::any_value(const FilterNode& node, Visit&& visit) {
  const auto paced = [&](Element value) { return !spend(value_units) || visit(value); };
  if (node.field) return visit_values(document_, node.field->segments(), paced);
  return visit_everything(document_, paced);
}

template <class Accept>
bool FilterMatcher::any_string(const FilterNode& node, bool words, Accept&& accept) {
  return any_value(node, [&](Element value) {
    const auto text = string_of(value);
    if (!text) return false;
    if (accept(*text)) return true;
    if (!words) return false;
    text::Words reader(*text);
    while (reader.next(word_)) {
      if (!spend(word_.size() + word_units) || accept(word_)) return true;
    }
    return false;
  });
}

text::Terms& FilterMatcher::terms_of(const FilterNode& node) {
  auto& scratch = scratch_[node.index];
  if (!scratch) scratch = std::make_unique<Scratch>(node);
  return scratch->terms;
}

double FilterMatcher::text_score(const FilterNode& node, std::span<const uint64_t> frequencies, uint64_t length) const {
  const TextStatistics* statistics = node.index < statistics_.size() ? statistics_[node.index] : nullptr;
  if (statistics == nullptr) return node.boost;
  double score = 0;
  for (size_t i = 0; i < frequencies.size() && i < statistics->containing.size(); ++i) {
    const double weight = text::bm25_weight(statistics->all, statistics->containing[i]);
    score += text::bm25_score(statistics->all, weight, frequencies[i], length);
  }
  return node.boost * score;
}

bool FilterMatcher::node(const FilterNode& node, double* score) {
  switch (node.type) {
    case FilterType::compound:
      return compound(node, score);
    case FilterType::match:
      return match(node, score);
    case FilterType::phrase:
      return phrase(node, score);
    case FilterType::term:
      return term(node, score);
    case FilterType::terms:
      if (!leaf(node) && !phrase(node, nullptr)) return false;
      break;
    default:
      if (!leaf(node)) return false;
  }
  if (score != nullptr) *score += node.boost;
  return true;
}

bool FilterMatcher::compound(const FilterNode& node, double* score) {
  double sum = 0;
  double* inner = score == nullptr ? nullptr : &sum;
  for (const FilterNode& child : node.must) {
    if (!this->node(child, inner)) return false;
  }
  for (const FilterNode& child : node.must_not) {
    if (this->node(child, nullptr)) return false;
  }
  size_t matched = 0;
  for (size_t i = 0; i < node.should.size(); ++i) {
    // What is optional is looked at for its score alone.
    if (score == nullptr && matched >= node.minimum) break;
    if (matched + (node.should.size() - i) < node.minimum) return false;
    if (this->node(node.should[i], inner)) ++matched;
  }
  if (matched < node.minimum) return false;
  if (score != nullptr) *score += node.must.empty() && node.should.empty() ? node.boost : sum;
  return true;
}

bool FilterMatcher::leaf(const FilterNode& node) {
  switch (node.type) {
    case FilterType::all:
      return true;
    case FilterType::ids:
      return std::ranges::binary_search(node.strings, key_, {}, [](const std::string& id) { return BytesView(id); });
    case FilterType::terms:
      return any_value(node, [&](Element value) {
        if (const auto text = string_of(value)) {
          const auto view = [](const std::string& term) { return std::string_view(term); };
          return std::ranges::binary_search(node.strings, *text, {}, view);
        }
        const auto number = node.numbers.empty() ? std::nullopt : Number::of(value);
        return number && std::ranges::find(node.numbers, *number) != node.numbers.end();
      });
    case FilterType::prefix:
      return any_string(node, true, [&](std::string_view text) { return text.starts_with(node.text); });
    case FilterType::wildcard:
      return any_string(node, true, [&](std::string_view text) {
        return node.wildcard->matches(text, [this](size_t steps) { return spend(steps); });
      });
    case FilterType::regexp:
      return any_string(node, true, [&](std::string_view text) {
        if (!spend(text.size())) return true;
        return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *node.regexp);
      });
    case FilterType::fuzzy:
      return any_string(node, true, [&](std::string_view text) { return node.fuzzy->matches(text); });
    case FilterType::boolean:
      return any_value(
          node, [&](Element value) { return value.is_bool() && value.get_bool().value_unsafe() == *node.truth; });
    case FilterType::number_range:
      return any_value(node, [&](Element value) {
        const auto number = Number::of(value);
        return number && node.number_bounds.contains(*number);
      });
    case FilterType::string_range:
      return any_value(node, [&](Element value) {
        const auto text = string_of(value);
        if (!text) return false;
        const auto& [min, max, inclusive_min, inclusive_max] = node.string_bounds;
        if (min && (inclusive_min ? *text < *min : *text <= *min)) return false;
        return !max || (inclusive_max ? *text <= *max : *text < *max);
      });
    case FilterType::date_range:
      return any_value(node, [&](Element value) {
        const auto text = string_of(value);
        const auto date_us = text ? parse_date_us(*text) : std::nullopt;
        return date_us && node.date_bounds_us.contains(*date_us);
      });
    default:
      return false;
  }
}

bool FilterMatcher::term(const FilterNode& node, double* score) {
  const TextStatistics* statistics = node.index < statistics_.size() ? statistics_[node.index] : nullptr;
  if (score == nullptr || statistics == nullptr) {
    const bool found = any_string(node, node.may_be_word, [&](std::string_view text) { return text == node.text; });
    if (found && score != nullptr) *score += node.boost;
    return found;
  }
  uint64_t length = 0;
  uint64_t frequency = 0;
  any_value(node, [&](Element value) {
    const auto text = string_of(value);
    if (!text) return false;
    const bool whole = *text == node.text;
    frequency += whole ? 1 : 0;
    text::Words reader(*text);
    while (reader.next(word_)) {
      if (!spend(word_.size() + word_units)) return true;
      ++length;
      frequency += !whole && word_ == node.text ? 1 : 0;
    }
    return false;
  });
  if (frequency == 0) return false;
  *score += text_score(node, {&frequency, 1}, length);
  return true;
}

bool FilterMatcher::match(const FilterNode& node, double* score) {
  const size_t wanted = node.words.size();
  if (wanted == 0) return false;
  text::Terms& terms = terms_of(node);
  std::vector<uint64_t>& frequencies = scratch_[node.index]->frequencies;
  std::ranges::fill(frequencies, 0);
  const size_t needed = node.all_words ? wanted : 1;
  const size_t units = units_a_word(node);
  size_t seen = 0;
  uint64_t length = 0;
  any_value(node, [&](Element value) {
    const auto text = string_of(value);
    if (!text) return false;
    terms.read(*text);
    while (const auto found = terms.next()) {
      if (!spend(found->size() + units)) return true;
      ++length;
      for (size_t i = 0; i < wanted; ++i) {
        if (!accepts(node.words[i], *found)) continue;
        if (frequencies[i]++ == 0) ++seen;
      }
      if (score == nullptr && seen >= needed) return true;
    }
    return false;
  });
  if (seen < needed) return false;
  if (score != nullptr) *score += text_score(node, frequencies, length);
  return true;
}

bool FilterMatcher::phrase(const FilterNode& node, double* score) {
  const size_t wanted = node.words.size();
  if (wanted == 0) return false;
  text::Terms& terms = terms_of(node);
  const uint64_t last = uint64_t{1} << (wanted - 1);
  const size_t units = units_a_word(node);
  uint64_t occurrences = 0;
  uint64_t length = 0;
  any_value(node, [&](Element value) {
    const auto text = string_of(value);
    if (!text) return false;
    // Bit i: the first i + 1 words of the phrase end here (Shift-And), so that every text is read once.
    uint64_t reached = 0;
    terms.read(*text);
    while (const auto found = terms.next()) {
      if (!spend(found->size() + units)) return true;
      ++length;
      uint64_t possible = reached << 1 | 1;
      reached = 0;
      for (; possible != 0; possible &= possible - 1) {
        const auto i = static_cast<size_t>(std::countr_zero(possible));
        if (i >= wanted) break;
        if (accepts(node.words[i], *found)) reached |= uint64_t{1} << i;
      }
      if ((reached & last) != 0) {
        ++occurrences;
        if (score == nullptr) return true;
      }
    }
    return false;
  });
  if (occurrences == 0) return false;
  if (score != nullptr) {
    std::vector<uint64_t>& frequencies = scratch_[node.index]->frequencies;
    std::ranges::fill(frequencies, occurrences);
    *score += text_score(node, frequencies, length);
  }
  return true;
}

}  // namespace strata::documents
