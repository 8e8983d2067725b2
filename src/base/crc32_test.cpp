#include "base/crc32.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace strata {
namespace {

uint32_t crc_of(BytesView bytes) {
  Crc32 crc;
  crc.update(bytes);
  return crc.value();
}

// The definition, a bit at a time.
uint32_t slow_crc_of(BytesView bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320 : 0);
  }
  return ~crc;
}

TEST(Crc32, KnownValues) {
  EXPECT_EQ(crc_of(""), 0u);
  EXPECT_EQ(crc_of("123456789"), 0xCBF43926u);
  EXPECT_EQ(crc_of(Bytes(1'000'000, '\0')), slow_crc_of(Bytes(1'000'000, '\0')));
}

TEST(Crc32, NothingChangesNothing) {
  Crc32 crc;
  crc.update("123456789");
  crc.update({});
  EXPECT_EQ(crc.value(), 0xCBF43926u);
}

TEST(Crc32, EverySizeAndEveryAlignment) {
  Random random(3);
  Bytes bytes(2'000, '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  for (size_t size = 0; size < 700; ++size) {
    const BytesView part = BytesView(bytes).substr(random.below(300), size);
    EXPECT_EQ(crc_of(part), slow_crc_of(part)) << size;
  }
}

TEST(Crc32, PiecesDoNotMatter) {
  Random random(4);
  Bytes bytes(20'000, '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  for (int round = 0; round < 50; ++round) {
    Crc32 crc;
    for (BytesView rest = bytes; !rest.empty();) {
      const BytesView piece = rest.substr(0, 1 + random.below(round < 25 ? 40 : 3'000));
      crc.update(piece);
      rest.remove_prefix(piece.size());
    }
    EXPECT_EQ(crc.value(), slow_crc_of(bytes));
  }
}

}  // namespace
}  // namespace strata
