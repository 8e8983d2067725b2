#include "layers/vectors/metadata_index.h"

#include <algorithm>
#include <utility>

#include "layers/vectors/metadata_index_fields.h"

namespace strata::vectors {

MetadataIndex::MetadataIndex() = default;
MetadataIndex::MetadataIndex(MetadataIndex&&) noexcept = default;
MetadataIndex& MetadataIndex::operator=(MetadataIndex&&) noexcept = default;
MetadataIndex::~MetadataIndex() = default;

MetadataIndex::Field& MetadataIndex::make_field(const std::string& name, uint32_t& number) {
  const auto [found, is_new] = names_.try_emplace(name, 0);
  if (!is_new) {
    number = found->second;
    return *fields_[number];
  }
  if (free_fields_.empty()) {
    number = static_cast<uint32_t>(fields_.size());
    fields_.emplace_back();
  } else {
    number = free_fields_.back();
    free_fields_.pop_back();
  }
  found->second = number;
  fields_[number] = std::make_unique<Field>();
  fields_[number]->name = name;
  return *fields_[number];
}

bool MetadataIndex::fits(const Metadata& metadata) const {
  size_t more = 0;
  for (const MetadataField& field : metadata) more += names_.contains(field.name) ? 0 : 1;
  return names_.size() + more <= max_indexed_fields;
}

void MetadataIndex::add_value(uint32_t slot, const MetadataField& field, std::vector<Reference>& references) {
  uint32_t number = 0;
  Field& indexed = make_field(field.name, number);
  indexed.present.add(slot);
  const auto refer = [&](Kind kind, uint32_t value = 0) { references.push_back({number, kind, value}); };
  const auto flag = [&](Kind kind) {
    indexed.set_of(kind).add(slot);
    refer(kind);
  };
  if (const auto real = MetadataNumber::of(field.value)) {
    refer(Kind::number, indexed.make_numbers().add(*real, slot));
  } else if (const bool* is_true = std::get_if<bool>(&field.value)) {
    flag(*is_true ? Kind::yes : Kind::no);
  } else if (const std::string* text = std::get_if<std::string>(&field.value)) {
    if (text->size() > max_indexed_text_bytes) return flag(Kind::long_text);
    refer(Kind::text, indexed.make_texts().add(*text, slot));
  } else {
    flag(Kind::list);
    StringList members = std::get<StringList>(field.value);
    std::ranges::sort(members);
    members.erase(std::unique(members.begin(), members.end()), members.end());
    const auto is_long = [](const std::string& member) { return member.size() > max_indexed_text_bytes; };
    if (std::ranges::any_of(members, is_long)) flag(Kind::long_list);
    for (const std::string& member : members) {
      if (!is_long(member)) refer(Kind::member, indexed.make_members().add(member, slot));
    }
  }
}

void MetadataIndex::keep(uint32_t slot, const std::vector<Reference>& references) {
  all_.add(slot);
  if (references.empty()) return;
  if (entries_.size() <= slot) entries_.resize(std::max<size_t>(size_t{slot} + 1, entries_.size() * 3 / 2));
  Entry& entry = entries_[slot];
  entry.count = static_cast<uint32_t>(references.size());
  entry.references = std::make_unique<Reference[]>(references.size());
  std::ranges::copy(references, entry.references.get());
}

void MetadataIndex::add(uint32_t slot, const Metadata& metadata) {
  STRATA_ASSERT(!contains(slot));
  if (!fits(metadata)) return add_unread(slot);
  std::vector<Reference> references;
  for (const MetadataField& field : metadata) add_value(slot, field, references);
  keep(slot, references);
}

void MetadataIndex::add_unread(uint32_t slot) {
  STRATA_ASSERT(!contains(slot));
  all_.add(slot);
  unread_.add(slot);
}

void MetadataIndex::remove_reference(uint32_t slot, const Reference& reference) {
  Field& field = *fields_[reference.field];
  field.present.remove(slot);
  switch (reference.kind) {
    case Kind::text:
      field.texts->remove(reference.value, slot);
      break;
    case Kind::number:
      field.numbers->remove(reference.value, slot);
      break;
    case Kind::member:
      field.members->remove(reference.value, slot);
      break;
    default:
      field.set_of(reference.kind).remove(slot);
  }
}

void MetadataIndex::remove(uint32_t slot) {
  if (!contains(slot)) return;
  all_.remove(slot);
  unread_.remove(slot);
  if (slot >= entries_.size()) return;
  const Entry entry = std::move(entries_[slot]);
  entries_[slot] = {};
  for (uint32_t i = 0; i < entry.count; ++i) remove_reference(slot, entry.references[i]);
  for (uint32_t i = 0; i < entry.count; ++i) {
    const uint32_t number = entry.references[i].field;
    if (!fields_[number] || !fields_[number]->present.empty()) continue;
    names_.erase(fields_[number]->name);
    fields_[number].reset();
    free_fields_.push_back(number);
  }
}

FilterCandidates MetadataIndex::candidates(const Filter& filter) const {
  FilterCandidates found = evaluate(filter);
  // Nothing is known of these, whatever the filter is.
  found.uncertain |= unread_;
  return found;
}

FilterCandidates MetadataIndex::complement(FilterCandidates found, const SlotBitmap& of) {
  FilterCandidates rest{.certain = of, .uncertain = std::move(found.uncertain)};
  rest.certain -= found.certain;
  rest.certain -= rest.uncertain;
  return rest;
}

FilterCandidates MetadataIndex::all_of(const Filter& filter) const {
  // Of slots that are in every part, certainly or perhaps; certain are those that are nowhere perhaps.
  std::vector<FilterCandidates> parts;
  parts.reserve(filter.children.size());
  for (const Filter& child : filter.children) {
    parts.push_back(evaluate(child));
    if (parts.back().certain.empty() && parts.back().uncertain.empty()) return {};
  }
  const auto size = [](const FilterCandidates& part) { return part.certain.count() + part.uncertain.count(); };
  std::ranges::sort(parts, {}, size);
  FilterCandidates found = std::move(parts[0]);
  for (size_t i = 1; i < parts.size(); ++i) {
    FilterCandidates& part = parts[i];
    if (found.uncertain.empty() && part.uncertain.empty()) {
      found.certain &= part.certain;
      continue;
    }
    SlotBitmap possible = found.certain;
    possible |= found.uncertain;
    part.uncertain |= part.certain;
    possible &= part.uncertain;
    found.certain &= part.certain;
    possible -= found.certain;
    found.uncertain = std::move(possible);
  }
  return found;
}

FilterCandidates MetadataIndex::any_of(const Filter& filter) const {
  FilterCandidates found;
  for (const Filter& child : filter.children) {
    const FilterCandidates part = evaluate(child);
    found.certain |= part.certain;
    found.uncertain |= part.uncertain;
  }
  found.uncertain -= found.certain;
  return found;
}

FilterCandidates MetadataIndex::evaluate(const Filter& filter) const {
  switch (filter.kind) {
    case FilterKind::all:
      if (!filter.children.empty()) return all_of(filter);
      return complement({}, read());
    case FilterKind::any:
      return any_of(filter);
    case FilterKind::negation:
      return complement(evaluate(filter.children[0]), read());
    case FilterKind::field: {
      const auto found = names_.find(filter.field);
      if (found == names_.end()) return {};
      return fields_[found->second]->matching(filter);
    }
  }
  return {};
}

SlotBitmap MetadataIndex::read() const {
  SlotBitmap slots = all_;
  slots -= unread_;
  return slots;
}

size_t MetadataIndex::memory_bytes() const {
  size_t bytes = all_.memory_bytes() + unread_.memory_bytes() + entries_.capacity() * sizeof(Entry);
  // A heap block has a head of 16 bytes.
  for (const Entry& entry : entries_) bytes += entry.references ? 16 + entry.count * sizeof(Reference) : 0;
  for (const auto& field : fields_) {
    if (!field) continue;
    bytes += sizeof(Field) + field->name.capacity();
    for (const SlotBitmap* set :
         {&field->present, &field->yes, &field->no, &field->long_text, &field->list, &field->long_list}) {
      bytes += set->memory_bytes();
    }
    if (field->texts) bytes += field->texts->memory_bytes();
    if (field->numbers) bytes += field->numbers->memory_bytes();
    if (field->members) bytes += field->members->memory_bytes();
  }
  return bytes;
}

}  // namespace strata::vectors
