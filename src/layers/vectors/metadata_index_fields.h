// MetadataIndex::Field: everything that is indexed of one field. Internal to the index.
//
// Purpose:       the sets of a field by the type of its value.
// Ownership:     owns them; parts that a field does not use cost a pointer.
// Thread safety: as the index.
// Invariants:    every slot of `present` has exactly one of text, number, yes, no, long_text and list; long_list is a
//                part of list: a member is longer than what is indexed. Members are those of lists.
#pragma once

#include "layers/vectors/metadata_index.h"
#include "layers/vectors/ordered_values.h"

namespace strata::vectors {

struct MetadataIndex::Field {
  std::string name;
  SlotBitmap present;
  SlotBitmap yes;
  SlotBitmap no;
  SlotBitmap long_text;
  SlotBitmap list;
  SlotBitmap long_list;
  std::unique_ptr<TextValues> texts;
  std::unique_ptr<NumberValues> numbers;
  std::unique_ptr<TextValues> members;

  TextValues& make_texts() { return texts ? *texts : *(texts = std::make_unique<TextValues>(false)); }
  NumberValues& make_numbers() { return numbers ? *numbers : *(numbers = std::make_unique<NumberValues>(false)); }
  TextValues& make_members() { return members ? *members : *(members = std::make_unique<TextValues>(true)); }
  // Of the kinds that have no values.
  SlotBitmap& set_of(Kind kind);

  FilterCandidates matching(const Filter& filter) const;

 private:
  FilterCandidates equal(const MetadataValue& value) const;
  FilterCandidates equal_list(const StringList& list) const;
  FilterCandidates in_range(const MetadataValue* low, bool low_inclusive, const MetadataValue* high,
                            bool high_inclusive) const;
  FilterCandidates containing(const std::string& text) const;
};

}  // namespace strata::vectors
