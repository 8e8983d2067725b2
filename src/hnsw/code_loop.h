// Parts of the loop over codes that the kernels of all vector units share.
//
// Purpose:       the next codes are asked for while one is summed up; sums become distances in one place.
// Ownership:     borrow.
// Thread safety: pure functions.
// Invariants:    inlined into its caller, so that it is compiled for the caller's vector unit.
#pragma once

#include <cfloat>
#include <cstring>

#include "hnsw/kernels.h"

namespace strata::hnsw {

[[gnu::always_inline]] inline float code_distance(const CodeQuery& query, const std::byte* code, int32_t sum) {
  float tail[2];
  std::memcpy(tail, code + query.bytes, sizeof tail);
  const float dot = static_cast<float>(sum - query.offset);
  const float value = query.term_factor * tail[1] + query.constant - query.scale * tail[0] * dot;
  // Not a number, where values left the range of float32: far away, and in order with the others.
  return value < FLT_MAX ? value : FLT_MAX;
}

[[gnu::always_inline]] inline void prefetch_code(const std::byte* at, size_t bytes) {
  // The hardware follows a run of lines by itself once it has begun.
  const size_t ahead = bytes < 512 ? bytes : 512;
  for (size_t i = 0; i < ahead; i += 64) __builtin_prefetch(at + i);
}

// How many codes the loop is ahead of itself.
inline constexpr size_t codes_ahead = 4;

// kernels_vnni.cpp
bool vnni_is_there();
void code_distances_vnni(const CodeQuery& query, const SlotTable& table, const uint32_t* slots, size_t count,
                         float* out);

}  // namespace strata::hnsw
