#include "engine/rocksdb/hardware_crc32c.h"

#include <array>
#include <atomic>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace strata::kv {
namespace {

constexpr uint32_t polynomial = 0x82F63B78;

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> table = make_table();

uint32_t extend_by_table(uint32_t crc, const char* bytes, size_t size) {
  crc = ~crc;
  for (size_t i = 0; i < size; ++i) crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(bytes[i])) & 0xFF];
  return ~crc;
}

#if defined(__x86_64__)
// Eight bytes in three cycles: the instruction's latency. Three streams at once would be faster still, and not matter:
// what is left is a tenth of what a write of the same bytes costs.
__attribute__((target("sse4.2"))) uint32_t extend_by_instruction(uint32_t crc, const char* bytes, size_t size) {
  uint64_t sum = ~crc;
  for (; size >= 8; size -= 8, bytes += 8) {
    uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    sum = _mm_crc32_u64(sum, word);
  }
  auto rest = static_cast<uint32_t>(sum);
  for (; size > 0; --size, ++bytes) rest = _mm_crc32_u8(rest, static_cast<unsigned char>(*bytes));
  return ~rest;
}
#endif

}  // namespace

uint32_t extend_crc32c(uint32_t crc, const char* bytes, size_t size) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return extend_by_instruction(crc, bytes, size);
#endif
  return extend_by_table(crc, bytes, size);
}

namespace {
std::atomic<bool> was_called{false};
}
bool library_uses_hardware_crc32c() { return was_called.load(std::memory_order_relaxed); }

#if defined(__x86_64__)
// For the symbol below.
uint32_t extend_for_library(uint32_t crc, const char* bytes, size_t size) {
  if (!was_called.load(std::memory_order_relaxed)) was_called.store(true, std::memory_order_relaxed);
  return extend_crc32c(crc, bytes, size);
}
#endif

}  // namespace strata::kv

#if defined(__x86_64__)
namespace rocksdb::crc32c {
// util/crc32c.h is not installed.
__attribute__((weak, visibility("default"))) uint32_t Extend(uint32_t crc, const char* bytes, size_t size);
uint32_t Extend(uint32_t crc, const char* bytes, size_t size) {
  return strata::kv::extend_for_library(crc, bytes, size);
}
}  // namespace rocksdb::crc32c
#endif
