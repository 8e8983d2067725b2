// Kernels: the inner loops, compiled for each vector unit and chosen when first called.
//
// Purpose:       distances of one query to many slots in one call, so that the choice costs once a hop and the next
//                slot's memory is asked for while the last one is summed up.
// Ownership:     borrow.
// Thread safety: pure functions; what they read must not be written meanwhile.
// Invariants:    a code is `bytes` unsigned bytes (value + 128, a multiple of code_alignment, the padding 128), then
//                two floats: its scale and its term.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hnsw/types.h"

namespace strata::hnsw {

inline constexpr size_t code_alignment = 16;
// The scale and the term.
inline constexpr size_t code_tail_bytes = 8;

// Where slots are: block slot >> shift, record slot & mask of `stride` bytes.
struct SlotTable {
  std::byte* const* blocks = nullptr;
  uint32_t shift = 0;
  uint32_t mask = 0;
  size_t stride = 0;

  const std::byte* at(uint32_t slot) const { return blocks[slot >> shift] + (slot & mask) * stride; }
};

// distance = term_factor * term + constant - scale * scale of the code * (dot of the codes)
struct CodeQuery {
  const int8_t* codes = nullptr;  // aligned to 64
  size_t bytes = 0;
  int32_t offset = 0;  // 128 * sum of codes: what the +128 of stored codes adds to the dot
  float scale = 0;
  float constant = 0;
  float term_factor = 0;
};

void code_distances(const CodeQuery& query, const SlotTable& table, const uint32_t* slots, size_t count, float* out);
// The exact scores.
void row_scores(Metric metric, const float* query, size_t dimension, const SlotTable& table, const uint32_t* slots,
                size_t count, float* out);

// A stored code as that of a query; returns the sum of its values.
int32_t load_code(const std::byte* stored, size_t bytes, int8_t* codes);

struct Encoded {
  float scale = 0;
  int32_t sum = 0;      // of the codes
  int32_t squares = 0;  // sum of their squares
  float error = 0;      // how far what they stand for is from the vector, at most
};
// (values * factor - center) / scale, rounded, within -127 .. 127, as signed bytes. scale: the largest magnitude / 127.
Encoded encode(const float* values, const float* center, float factor, size_t dimension, int8_t* codes);

}  // namespace strata::hnsw
