#include "layers/vectors/metadata_index_fields.h"

namespace strata::vectors {

SlotBitmap& MetadataIndex::Field::set_of(Kind kind) {
  switch (kind) {
    case Kind::yes:
      return yes;
    case Kind::no:
      return no;
    case Kind::long_text:
      return long_text;
    case Kind::list:
      return list;
    default:
      STRATA_ASSERT(kind == Kind::long_list);
      return long_list;
  }
}

FilterCandidates MetadataIndex::Field::equal_list(const StringList& wanted) const {
  // Members have an order and may come twice: lists that have them all are compared as they are stored.
  FilterCandidates found{.uncertain = list};
  for (const std::string& member : wanted) {
    if (member.size() > max_indexed_text_bytes) {
      found.uncertain &= long_list;
      continue;
    }
    SlotBitmap having;
    if (members) members->add_equal(member, having);
    found.uncertain &= having;
  }
  return found;
}

FilterCandidates MetadataIndex::Field::equal(const MetadataValue& value) const {
  if (const StringList* wanted = std::get_if<StringList>(&value)) return equal_list(*wanted);
  FilterCandidates found;
  if (const bool* wanted = std::get_if<bool>(&value)) {
    found.certain = *wanted ? yes : no;
  } else if (const auto number = MetadataNumber::of(value)) {
    if (numbers) numbers->add_equal(*number, found.certain);
  } else if (const auto& text = std::get<std::string>(value); text.size() > max_indexed_text_bytes) {
    found.uncertain = long_text;
  } else if (texts) {
    texts->add_equal(text, found.certain);
  }
  return found;
}

FilterCandidates MetadataIndex::Field::in_range(const MetadataValue* low, bool low_inclusive, const MetadataValue* high,
                                                bool high_inclusive) const {
  FilterCandidates found;
  const MetadataValue& some = low ? *low : *high;
  if (std::holds_alternative<std::string>(some)) {
    const auto bound = [](const MetadataValue* value, bool inclusive) {
      return TextValues::Bound{value ? std::string_view(std::get<std::string>(*value)) : std::string_view(), inclusive};
    };
    const TextValues::Bound begin = bound(low, low_inclusive);
    const TextValues::Bound end = bound(high, high_inclusive);
    if (texts) texts->add_range(low ? &begin : nullptr, high ? &end : nullptr, found.certain);
    found.uncertain = long_text;
    return found;
  }
  if (!numbers) return found;
  const auto bound = [](const MetadataValue* value, bool inclusive) {
    return NumberValues::Bound{value ? *MetadataNumber::of(*value) : MetadataNumber(int64_t{0}), inclusive};
  };
  const NumberValues::Bound begin = bound(low, low_inclusive);
  const NumberValues::Bound end = bound(high, high_inclusive);
  numbers->add_range(low ? &begin : nullptr, high ? &end : nullptr, found.certain);
  return found;
}

FilterCandidates MetadataIndex::Field::containing(const std::string& text) const {
  FilterCandidates found{.uncertain = long_text};
  if (text.size() > max_indexed_text_bytes) {
    found.uncertain |= long_list;
    return found;
  }
  if (texts) {
    texts->add_where([&](std::string_view key) { return key.find(text) != std::string_view::npos; }, found.certain);
  }
  if (members) members->add_equal(text, found.certain);
  return found;
}

FilterCandidates MetadataIndex::Field::matching(const Filter& filter) const {
  const auto value = [&](size_t i) { return &filter.values[i]; };
  switch (filter.op) {
    case FilterOperator::eq:
      return equal(*value(0));
    case FilterOperator::ne: {
      FilterCandidates same = equal(*value(0));
      FilterCandidates other{.certain = present, .uncertain = std::move(same.uncertain)};
      other.certain -= same.certain;
      other.certain -= other.uncertain;
      return other;
    }
    case FilterOperator::gt:
      return in_range(value(0), false, nullptr, false);
    case FilterOperator::gte:
      return in_range(value(0), true, nullptr, false);
    case FilterOperator::lt:
      return in_range(nullptr, false, value(0), false);
    case FilterOperator::lte:
      return in_range(nullptr, false, value(0), true);
    case FilterOperator::between:
      return in_range(value(0), true, value(1), true);
    case FilterOperator::in: {
      FilterCandidates any;
      for (const MetadataValue& wanted : filter.values) {
        const FilterCandidates same = equal(wanted);
        any.certain |= same.certain;
        any.uncertain |= same.uncertain;
      }
      return any;
    }
    case FilterOperator::exists:
      return {.certain = present};
    case FilterOperator::contains:
      return containing(std::get<std::string>(filter.values[0]));
  }
  return {};
}

}  // namespace strata::vectors
