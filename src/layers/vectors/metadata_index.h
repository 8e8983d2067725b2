// MetadataIndex: which slots' metadata match a filter.
//
// Purpose:       a view of the collection's metadata, kept beside the vector index and by the same slots: equality and
//                ranges over ordered values, each with a bitmap of its slots.
// Ownership:     owns copies of names and values.
// Thread safety: const methods from several threads; changes alone.
// Invariants:    what it says is exact, and where it cannot know it says so: `uncertain` slots are those whose metadata
//                must be read and asked (matches() of filter.h). These are slots that were added unread, texts longer
//                than max_indexed_text_bytes and lists compared as a whole; so neither long texts nor names without end
//                fill the memory. Certain and uncertain slots have none in common, and no slot is in either that was
//                not added.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/byte_stream.h"
#include "layers/vectors/filter.h"
#include "layers/vectors/slot_bitmap.h"

namespace strata::vectors {

struct FilterCandidates {
  SlotBitmap certain;
  SlotBitmap uncertain;
};

inline constexpr size_t max_indexed_text_bytes = 256;
// A vector that brings more names than this to a collection is one of those that are read.
inline constexpr size_t max_indexed_fields = 65'536;

class MetadataIndex {
 public:
  MetadataIndex();
  MetadataIndex(MetadataIndex&&) noexcept;
  MetadataIndex& operator=(MetadataIndex&&) noexcept;
  ~MetadataIndex();

  // The slot was not there. Metadata is sorted and was checked.
  void add(uint32_t slot, const Metadata& metadata);
  // Of a vector whose metadata is not indexed yet, or could not be.
  void add_unread(uint32_t slot);
  // Nothing happens where the slot is not there.
  void remove(uint32_t slot);

  bool contains(uint32_t slot) const { return all_.contains(slot); }
  uint64_t size() const { return all_.count(); }
  const SlotBitmap& unread() const { return unread_; }

  // `filter` was checked.
  FilterCandidates candidates(const Filter& filter) const;

  size_t memory_bytes() const;

  // docs/formats/vector-metadata.md. Unread slots stay unread.
  Result<void> save(ByteSink& sink) const;
  // Slots are below slot_limit. corruption: anything is not as save writes it.
  static Result<MetadataIndex> load(ByteSource& source, uint64_t slot_limit);

 private:
  friend class MetadataIndexWriter;
  friend class MetadataIndexReader;
  enum class Kind : uint8_t { text, number, yes, no, long_text, list, long_list, member };
  // What a slot has: enough to take it out again without its metadata.
  struct Reference {
    uint32_t field;
    Kind kind;
    uint32_t value;  // of text, number and member
  };
  struct Field;

  Field& make_field(const std::string& name, uint32_t& number);
  bool fits(const Metadata& metadata) const;
  void add_value(uint32_t slot, const MetadataField& field, std::vector<Reference>& references);
  void keep(uint32_t slot, const std::vector<Reference>& references);
  void remove_reference(uint32_t slot, const Reference& reference);

  FilterCandidates evaluate(const Filter& filter) const;
  FilterCandidates all_of(const Filter& filter) const;
  FilterCandidates any_of(const Filter& filter) const;
  static FilterCandidates complement(FilterCandidates found, const SlotBitmap& of);
  // Slots whose metadata is indexed.
  SlotBitmap read() const;

  struct Entry {
    std::unique_ptr<Reference[]> references;
    uint32_t count = 0;
  };
  std::vector<Entry> entries_;  // by slot
  std::vector<std::unique_ptr<Field>> fields_;
  std::vector<uint32_t> free_fields_;
  std::unordered_map<std::string, uint32_t> names_;
  SlotBitmap all_;
  SlotBitmap unread_;
};

}  // namespace strata::vectors
