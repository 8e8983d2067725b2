// The bytes of an image; docs/formats/vector-index.md describes them.
//
// Purpose:       the header and its sections, written and checked in one place.
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    everything is little-endian. A section lies within the file, is as long as the header's numbers say,
//                and has the checksum that the header says, which has one itself.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "hnsw/types.h"

namespace strata::hnsw {

inline constexpr std::string_view image_magic = "STRVINDX";
inline constexpr uint32_t image_version = 1;
// Rows begin at a multiple of this, so that they can be mapped on machines with pages of up to 64 KiB.
inline constexpr uint64_t image_page_bytes = 65'536;
// In the section of levels: there is no vector in the slot.
inline constexpr uint8_t absent_level = 0xFF;

enum Section : uint32_t { section_labels, section_levels, section_lowest, section_upper, section_rows };
inline constexpr size_t section_count = 5;

struct SectionPlace {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t hash = 0;
};

struct ImageHeader {
  Options options;  // all but the directory
  uint64_t slots = 0;
  uint64_t vectors = 0;
  uint64_t upper_lists = 0;
  uint32_t entry = 0;
  uint32_t entry_level = 0;
  std::array<SectionPlace, section_count> sections;
};

inline constexpr size_t image_header_bytes = 8 + 4 + 4 + 4 + 4 + 4 + 8 + 8 + 8 + 8 + 4 + 4 + section_count * 24 + 8;

Bytes encode_header(const ImageHeader& header);
// corruption: another magic word or version, a wrong checksum, numbers out of their bounds.
Result<ImageHeader> decode_header(BytesView bytes);

uint64_t hash_of_section(BytesView bytes);

}  // namespace strata::hnsw
