// AVX-512 VNNI by hand: the Highway of Debian 12 has no such operation, and the flags of its target for this kind of
// machine name another instruction set (avxvnni), which processors without it would stop at.
#include "base/assert.h"
#include "hnsw/code_loop.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define STRATA_VNNI [[gnu::target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]]
#endif

namespace strata::hnsw {

#if defined(__x86_64__)

namespace {

STRATA_VNNI inline int32_t sum_of_products(const std::byte* a, const int8_t* b, size_t bytes) {
  __m512i even = _mm512_setzero_si512();
  __m512i odd = _mm512_setzero_si512();
  size_t i = 0;
  for (; i + 128 <= bytes; i += 128) {
    even = _mm512_dpbusd_epi32(even, _mm512_loadu_si512(a + i), _mm512_loadu_si512(b + i));
    odd = _mm512_dpbusd_epi32(odd, _mm512_loadu_si512(a + i + 64), _mm512_loadu_si512(b + i + 64));
  }
  for (; i < bytes; i += 64) {
    const size_t rest = bytes - i < 64 ? bytes - i : 64;
    const __mmask64 mask = ~uint64_t{0} >> (64 - rest);
    even = _mm512_dpbusd_epi32(even, _mm512_maskz_loadu_epi8(mask, a + i), _mm512_maskz_loadu_epi8(mask, b + i));
  }
  return _mm512_reduce_add_epi32(_mm512_add_epi32(even, odd));
}

}  // namespace

bool vnni_is_there() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
}

STRATA_VNNI void code_distances_vnni(const CodeQuery& query, const SlotTable& table, const uint32_t* slots,
                                     size_t count, float* out) {
  const size_t bytes = query.bytes + code_tail_bytes;
  for (size_t i = 0; i < count && i < codes_ahead; ++i) prefetch_code(table.at(slots[i]), bytes);
  for (size_t i = 0; i < count; ++i) {
    if (i + codes_ahead < count) prefetch_code(table.at(slots[i + codes_ahead]), bytes);
    const std::byte* code = table.at(slots[i]);
    out[i] = code_distance(query, code, sum_of_products(code, query.codes, query.bytes));
  }
}

#else

bool vnni_is_there() { return false; }

void code_distances_vnni(const CodeQuery&, const SlotTable&, const uint32_t*, size_t, float*) {
  STRATA_ASSERT(vnni_is_there());
}

#endif

}  // namespace strata::hnsw
