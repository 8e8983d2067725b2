#include "base/base64.h"

#include <array>
#include <cstring>

namespace strata {
namespace {

constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Two characters for every 12 bits: one lookup and one 2-byte store for each half of a group of three bytes.
constexpr std::array<char, 8192> make_pairs() {
  std::array<char, 8192> pairs{};
  for (size_t i = 0; i < 4096; ++i) {
    pairs[2 * i] = alphabet[i >> 6];
    pairs[2 * i + 1] = alphabet[i & 63];
  }
  return pairs;
}
constexpr std::array<char, 8192> pairs = make_pairs();

// A character's six bits, already shifted to their place in a group of four; any other byte sets bits above 24.
constexpr uint32_t bad = 0xFF000000;
using Sextets = std::array<uint32_t, 256>;
constexpr Sextets make_sextets(int shift) {
  Sextets sextets{};
  for (uint32_t& value : sextets) value = bad;
  for (uint32_t i = 0; i < 64; ++i) sextets[static_cast<unsigned char>(alphabet[i])] = i << shift;
  return sextets;
}
constexpr Sextets first = make_sextets(18);
constexpr Sextets second = make_sextets(12);
constexpr Sextets third = make_sextets(6);
constexpr Sextets fourth = make_sextets(0);

inline uint32_t group(const unsigned char* in) { return first[in[0]] | second[in[1]] | third[in[2]] | fourth[in[3]]; }

inline void store(char* out, uint32_t bits, size_t count) {
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<char>(bits >> (16 - 8 * i));
}

}  // namespace

void append_base64(Bytes& out, BytesView bytes) {
  const size_t start = out.size();
  out.resize(start + base64_encoded_size(bytes.size()));
  char* to = out.data() + start;
  const auto* in = reinterpret_cast<const unsigned char*>(bytes.data());
  size_t left = bytes.size();
  for (; left >= 3; left -= 3, in += 3, to += 4) {
    const uint32_t bits = (uint32_t{in[0]} << 16) | (uint32_t{in[1]} << 8) | in[2];
    std::memcpy(to, &pairs[2 * (bits >> 12)], 2);
    std::memcpy(to + 2, &pairs[2 * (bits & 0xFFF)], 2);
  }
  if (left == 0) return;
  const uint32_t bits = (uint32_t{in[0]} << 16) | (left == 2 ? uint32_t{in[1]} << 8 : 0);
  to[0] = alphabet[bits >> 18];
  to[1] = alphabet[(bits >> 12) & 63];
  to[2] = left == 2 ? alphabet[(bits >> 6) & 63] : '=';
  to[3] = '=';
}

std::optional<size_t> base64_decode(BytesView text, char* out) {
  if (text.size() % 4 != 0) return std::nullopt;
  if (text.empty()) return 0;
  const auto* in = reinterpret_cast<const unsigned char*>(text.data());
  const auto* last = in + text.size() - 4;
  char* to = out;
  uint32_t seen = 0;
  for (; in != last; in += 4, to += 3) {
    const uint32_t bits = group(in);
    seen |= bits;
    store(to, bits, 3);
  }
  const size_t padding = last[3] != '=' ? 0 : last[2] != '=' ? 1 : 2;
  const unsigned char tail[4] = {last[0], last[1], padding == 2 ? static_cast<unsigned char>('A') : last[2],
                                 padding >= 1 ? static_cast<unsigned char>('A') : last[3]};
  const uint32_t bits = group(tail);
  seen |= bits;
  // The bits that padding leaves unused must be zero.
  const uint32_t unused = padding == 0 ? 0 : padding == 1 ? 0xFF : 0xFFFF;
  if ((seen & bad) != 0 || (bits & unused) != 0) return std::nullopt;
  store(to, bits, 3 - padding);
  return static_cast<size_t>(to - out) + 3 - padding;
}

}  // namespace strata
