#include "base/blake3.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

// The input of the published test vectors: bytes 0, 1, ... 250, 0, 1, ...
Bytes counting(size_t size) {
  Bytes bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i % 251);
  return bytes;
}

TEST(Blake3, AgreesWithThePublishedVectors) {
  EXPECT_EQ(hash_hex(blake3("", "")), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  EXPECT_EQ(hash_hex(blake3("", counting(1))), "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213");
  EXPECT_EQ(hash_hex(blake3("", counting(1024))), "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7");
  EXPECT_EQ(hash_hex(blake3("", counting(102400))), "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085");
}

TEST(Blake3, ADomainStandsBeforeTheBytesAndPiecesMakeTheWhole) {
  const Bytes bytes = counting(300'000);
  Blake3 pieces;
  pieces.update("chunk:");
  for (size_t at = 0; at < bytes.size(); at += 777) pieces.update(BytesView(bytes).substr(at, 777));
  EXPECT_EQ(pieces.finish(), blake3("chunk:", bytes));
  EXPECT_EQ(pieces.finish(), blake3("", "chunk:" + bytes));
}

TEST(Blake3, DigitsAreReadInBothCasesAndNothingElse) {
  const Hash hash = blake3("", "abc");
  Bytes text = hash_hex(hash);
  EXPECT_EQ(parse_hash_hex(text), hash);
  for (char& c : text) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(parse_hash_hex(text), hash);
  EXPECT_FALSE(parse_hash_hex(text.substr(1)));
  EXPECT_FALSE(parse_hash_hex(text + "00"));
  text[5] = 'g';
  EXPECT_FALSE(parse_hash_hex(text));
  EXPECT_FALSE(parse_hash_hex(""));
}

}  // namespace
}  // namespace strata
