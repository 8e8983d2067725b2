#include "base/hex.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

TEST(Hex, EveryByteComesBack) {
  Bytes all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  EXPECT_EQ(decode_hex(to_hex(all)), all);
  EXPECT_EQ(to_hex(BytesView("\x00\x7f\xff", 3)), "007fff");
  EXPECT_EQ(decode_hex(""), Bytes());
}

TEST(Hex, NothingElseIsDecoded) {
  for (const BytesView text : {"0", "abc", "0G", "AB", "0x", " 0", "00 1", "0\n"})
    EXPECT_FALSE(decode_hex(text)) << text;
  // The neighbours of the digits.
  for (const char c : {'/', ':', '`', 'g', '\0', '\xff'}) {
    EXPECT_FALSE(decode_hex(Bytes(1, c) + "0"));
    EXPECT_FALSE(decode_hex("0" + Bytes(1, c)));
  }
}

}  // namespace
}  // namespace strata
