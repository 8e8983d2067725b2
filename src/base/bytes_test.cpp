#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/arena.h"
#include "base/error.h"

namespace strata {
namespace {

TEST(Bytes, KeyAfterIsTheNextKey) {
  EXPECT_EQ(key_after("a"), Bytes("a\0", 2));
  EXPECT_EQ(key_after(""), Bytes("\0", 1));
}

TEST(Bytes, PrefixEnd) {
  EXPECT_EQ(prefix_end("ab"), "ac");
  EXPECT_EQ(prefix_end("a\xff"), "b");
  EXPECT_EQ(prefix_end("\xff\xff"), std::nullopt);
  EXPECT_EQ(prefix_end(""), std::nullopt);
}

TEST(Bytes, IntegersInBothOrders) {
  Bytes out;
  append_be16(out, 0x0102);
  append_be32(out, 0x03040506);
  append_be64(out, 0x0708090A0B0C0D0E);
  EXPECT_EQ(out, Bytes("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e"));
  EXPECT_EQ(read_be16(out), 0x0102);
  EXPECT_EQ(read_be32(BytesView(out).substr(2)), 0x03040506u);
  EXPECT_EQ(read_be64(BytesView(out).substr(6)), 0x0708090A0B0C0D0Eu);
  out.clear();
  append_le32(out, 0x01020304);
  append_le64(out, 0x05060708090A0B0C);
  EXPECT_EQ(out, Bytes("\x04\x03\x02\x01\x0c\x0b\x0a\x09\x08\x07\x06\x05"));
  EXPECT_EQ(read_le32(out), 0x01020304u);
  EXPECT_EQ(read_le64(BytesView(out).substr(4)), 0x05060708090A0B0Cu);
}

TEST(Bytes, PrintableEscapesAndCuts) {
  EXPECT_EQ(printable(BytesView("a\0\xff\\", 4)), "a\\x00\\xff\\x5c");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

TEST(Arena, ViewsStayValidWhileItGrowsAndMoves) {
  Arena arena;
  std::vector<BytesView> views;
  for (int i = 0; i < 1000; ++i)
    views.push_back(arena.copy(Bytes(static_cast<size_t>(i), static_cast<char>('a' + i % 26))));
  const BytesView large = arena.copy(Bytes(1'000'000, 'z'));
  const Arena moved = std::move(arena);
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(views[static_cast<size_t>(i)], Bytes(static_cast<size_t>(i), static_cast<char>('a' + i % 26)));
  EXPECT_EQ(large.size(), 1'000'000u);
  EXPECT_GE(moved.bytes(), 1'000'000u + 499'500u);
}

TEST(ErrorList, NumbersStatusesAndMessages) {
  EXPECT_EQ(fdb_error_number(ErrorCode::not_committed), 1020);
  EXPECT_EQ(http_status(ErrorCode::not_committed), 409);
  EXPECT_EQ(error_name(ErrorCode::gone), "gone");
  EXPECT_EQ(Error(ErrorCode::not_found).message(), "not found");
  EXPECT_EQ(Error(ErrorCode::not_found, "namespace not found: x").message(), "namespace not found: x");
}

TEST(Varint, HasOneEncodingOfEveryNumber) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{127}, uint64_t{128}, (uint64_t{1} << 35) - 1}) {
    Bytes bytes;
    append_varint(bytes, value);
    BytesView in = bytes;
    EXPECT_EQ(take_varint(in), value);
    EXPECT_TRUE(in.empty());
  }
  const auto taken = [](BytesView in) { return take_varint(in); };
  EXPECT_FALSE(taken(""));
  EXPECT_FALSE(taken("\x80"));
  EXPECT_FALSE(taken(BytesView("\x80\0", 2)));  // a longer form of 0
  Bytes longer;
  append_varint(longer, uint64_t{1} << 35);
  EXPECT_FALSE(taken(longer));
  BytesView in = longer;
  EXPECT_EQ(take_varint(in, 6), uint64_t{1} << 35);
}

}  // namespace
}  // namespace strata
