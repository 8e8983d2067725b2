#include "tuple/tuple.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>

#include "base/hex.h"
#include "tuple/subspace.h"

namespace strata::tuple {
namespace {

using namespace std::string_literals;

Element power_of_two(bool negative, int exponent) {
  Bytes magnitude(static_cast<size_t>(exponent) / 8 + 1, '\0');
  magnitude[0] = static_cast<char>(1 << exponent % 8);
  return Element::integer(negative, magnitude).value();
}

Uuid counting_uuid() {
  Uuid uuid;
  for (size_t i = 0; i < uuid.bytes.size(); ++i) uuid.bytes[i] = static_cast<char>(i);
  return uuid;
}

std::vector<std::pair<std::string, Tuple>> golden_tuples() {
  constexpr int64_t int_max = std::numeric_limits<int64_t>::max();
  constexpr int64_t int_min = std::numeric_limits<int64_t>::min();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const Bytes almost_full = Bytes(7, '\xff') + '\xfe';
  const Tuple nulls = Tuple::of(Null{}, Null{});
  return {
      {"empty", Tuple()},
      {"null", Tuple::of(Null{})},
      {"bytes", Tuple::of(ByteString("foo\0bar"s))},
      {"bytes_empty", Tuple::of(ByteString(""))},
      {"bytes_zeros_and_ff", Tuple::of(ByteString("\0\0\xff\0"s))},
      {"string", Tuple::of(Text("F\u00d4O\0bar"s))},
      {"string_empty", Tuple::of(Text(""))},
      {"string_astral", Tuple::of(Text("\U0001F600"))},
      {"nested", Tuple::of(Tuple::of(ByteString("foo\0bar"s), Null{}, Tuple()))},
      {"nested_empty", Tuple::of(Tuple())},
      {"nested_null", Tuple::of(Tuple::of(Null{}))},
      {"nested_nulls_then_null", Tuple::of(nulls, Null{})},
      {"nested_deep", Tuple::of(Tuple::of(Tuple::of(Tuple::of(1), Null{}), Text("x")))},
      {"int_published", Tuple::of(-5551212)},
      {"int_zero", Tuple::of(0)},
      {"int_one", Tuple::of(1)},
      {"int_minus_one", Tuple::of(-1)},
      {"int_255", Tuple::of(255)},
      {"int_minus_255", Tuple::of(-255)},
      {"int_256", Tuple::of(256)},
      {"int_minus_256", Tuple::of(-256)},
      {"int_max", Tuple::of(int_max)},
      {"int_min", Tuple::of(int_min)},
      {"int_above_max", Tuple::of(power_of_two(false, 63))},
      {"int_below_min", Tuple::of(Element::integer(true, "\x80\0\0\0\0\0\0\x01"s).value())},
      {"uint_almost_max", Tuple::of(Element::integer(false, almost_full).value())},
      {"uint_almost_min", Tuple::of(Element::integer(true, almost_full).value())},
      {"uint_max", Tuple::of(Element::unsigned_integer(std::numeric_limits<uint64_t>::max()))},
      {"uint_min", Tuple::of(Element::integer(true, Bytes(8, '\xff')).value())},
      {"big_2_to_64", Tuple::of(power_of_two(false, 64))},
      {"big_minus_2_to_64", Tuple::of(power_of_two(true, 64))},
      {"big_longest", Tuple::of(Element::integer(false, Bytes(255, '\xff')).value())},
      {"big_shortest", Tuple::of(Element::integer(true, Bytes(255, '\xff')).value())},
      {"float_published", Tuple::of(-42.0f)},
      {"float_zero", Tuple::of(0.0f)},
      {"float_minus_zero", Tuple::of(-0.0f)},
      {"float_infinity", Tuple::of(std::numeric_limits<float>::infinity())},
      {"double", Tuple::of(1.5)},
      {"double_negative", Tuple::of(-1.5)},
      {"double_minus_zero", Tuple::of(-0.0)},
      {"double_minus_infinity", Tuple::of(-infinity)},
      {"double_nan", Tuple::of(std::bit_cast<double>(0x7ff8000000000000))},
      {"false", Tuple::of(false)},
      {"true", Tuple::of(true)},
      {"uuid", Tuple::of(counting_uuid())},
      {"versionstamp", Tuple::of(Versionstamp::complete("\0\1\2\3\4\5\6\7\10\11"s, 0x1234))},
      {"mixed", Tuple::of(Text("users"), 42, Null{}, ByteString("\0"s), Tuple::of(true, 0.5, Tuple::of(Null{})),
                          Versionstamp::complete(Bytes(9, '\0') + '\1', 7))},
  };
}

std::map<std::string, std::string> golden_file() {
  std::ifstream file(STRATA_GOLDEN_DIRECTORY "/tuple.txt");
  std::map<std::string, std::string> lines;
  for (std::string line; std::getline(file, line);) {
    const size_t space = line.find(' ');
    if (line.starts_with('#')) continue;
    lines[line.substr(0, space)] = line.substr(space + 1) == "-" ? "" : line.substr(space + 1);
  }
  return lines;
}

TEST(Tuple, PacksToTheBytesOfFoundationDB) {
  auto expected = golden_file();
  for (const auto& [name, tuple] : golden_tuples()) {
    ASSERT_TRUE(expected.contains(name)) << name;
    EXPECT_EQ(to_hex(tuple.pack()), expected[name]) << name;
    const auto unpacked = Tuple::unpack(tuple.pack());
    ASSERT_TRUE(unpacked.ok()) << name << ": " << unpacked.error().message();
    EXPECT_EQ(*unpacked, tuple) << name << ": " << to_string(*unpacked);
    expected.erase(name);
  }
  EXPECT_EQ(to_hex(Tuple::of(Text("events"), Versionstamp::incomplete(3), Tuple::of(Null{}, 1))
                       .pack_with_versionstamp("\x15\x01")
                       .value()),
            expected["incomplete_at_top"]);
  EXPECT_EQ(
      to_hex(
          Tuple::of(Text("events"), Tuple::of(Null{}, Versionstamp::incomplete()), 5).pack_with_versionstamp().value()),
      expected["incomplete_nested"]);
  EXPECT_EQ(expected.size(), 2u) << "the golden file has lines that nothing checks";
}

TEST(Tuple, ReadsThePythonBindingsSpellingOfTheLargestUnsignedInteger) {
  EXPECT_EQ(Tuple::unpack("\x1d\x08" + Bytes(8, '\xff')).value(),
            Tuple::of(Element::unsigned_integer(std::numeric_limits<uint64_t>::max())));
  EXPECT_EQ(Tuple::unpack("\x0b\xf7" + Bytes(8, '\0')).value(),
            Tuple::of(Element::integer(true, Bytes(8, '\xff')).value()));
}

TEST(Tuple, IntegersTakeTheirSmallestForm) {
  EXPECT_EQ(Element::integer(false, "\0\0\x05"s).value(), Element(5));
  EXPECT_EQ(Element::integer(true, "\0"s).value(), Element(0));
  EXPECT_EQ(Element::integer(true, "\x80\0\0\0\0\0\0\0"s).value(), Element(std::numeric_limits<int64_t>::min()));
  EXPECT_EQ(Element::integer(false, Bytes(256, '\0')).value(), Element(0));
  EXPECT_FALSE(Element::integer(false, Bytes(256, '\1')).ok());
  Bytes out;
  append_integer(out, true, "\0\0"s);
  EXPECT_EQ(to_hex(out), "14");
}

TEST(Tuple, RefusesWhatIsNoTuple) {
  const std::vector<Bytes> hostile = {
      "\x01"s,  // no terminator
      "\x01"
      "abc"s,               //
      "\x01\0\xff"s,        // an escaped zero is no terminator
      "\x02\0\xff\0\xff"s,  //
      "\x05"s,              // a nested tuple without an end
      "\x05\0\xff"s,        //
      "\x05\x15\x01"s,      //
      "\x05\x01\0"s,        // the string took the only zero byte
      "\x15"s,              // integers cut short
      "\x0c\0\0\0\0\0\0\0"s,
      "\x1d"s,
      "\x0b"s,
      "\x1d\x09\1\0\0\0\0\0\0\0"s,
      "\x15\0"s,  // longer than needed
      "\x13\xff"s,
      "\x16\0\x05"s,
      "\x12\xff\x05"s,
      "\x1d\x00"s,
      "\x1d\x01\x05"s,
      "\x1d\x08\1\0\0\0\0\0\0\0"s,
      "\x1d\x09\0\1\0\0\0\0\0\0\0"s,
      "\x0b\xf6\xff\1\0\0\0\0\0\0\0"s,
      "\x20\0\0\0"s,  // floats, UUID and versionstamp cut short
      "\x21\0\0\0\0\0\0\0"s,
      "\x30" + Bytes(15, 'u'),
      "\x33" + Bytes(11, 'v'),
      "\0\xff"s,   // an escaped null outside a nested tuple
      "\x14\xff"s  // trailing bytes
  };
  for (const Bytes& bytes : hostile) {
    const auto unpacked = Tuple::unpack(bytes);
    ASSERT_FALSE(unpacked.ok()) << to_hex(bytes) << " gave " << to_string(*unpacked);
    EXPECT_EQ(unpacked.error().code(), ErrorCode::invalid_argument);
  }
  // Reserved, deprecated and user-defined codes.
  for (const int type : {0x03, 0x04, 0x06, 0x0a, 0x1e, 0x22, 0x23, 0x25, 0x28, 0x31, 0x32, 0x40, 0x4f, 0xff}) {
    EXPECT_FALSE(Tuple::unpack(Bytes(1, static_cast<char>(type)) + Bytes(40, '\0')).ok()) << type;
  }
}

TEST(Tuple, NestingIsLimited) {
  const auto nested = [](size_t depth) { return Bytes(depth, '\x05') + Bytes(depth, '\0'); };
  EXPECT_TRUE(Tuple::unpack(nested(max_depth)).ok());
  EXPECT_FALSE(Tuple::unpack(nested(max_depth + 1)).ok());
  EXPECT_FALSE(Tuple::unpack(Bytes(10'000'000, '\x05')).ok());
  EXPECT_EQ(Tuple::unpack(nested(max_depth)).value().pack(), nested(max_depth));
}

TEST(Tuple, VersionstampsAreCompletedOnce) {
  EXPECT_FALSE(Tuple::of(1).pack_with_versionstamp().ok());
  EXPECT_FALSE(Tuple::of(Versionstamp::complete(Bytes(10, 's'))).pack_with_versionstamp().ok());
  EXPECT_FALSE(Tuple::of(Versionstamp::incomplete(), Tuple::of(Versionstamp::incomplete(1))).pack_with_versionstamp());
  EXPECT_TRUE(Tuple::of(1, Tuple::of(Tuple(), Versionstamp::incomplete())).has_incomplete_versionstamp());
  EXPECT_DEATH(Tuple::of(Versionstamp::incomplete()).pack(), "stamps.count");

  const Bytes packed = Tuple::of(Text("a"), Versionstamp::incomplete(258), 9).pack_with_versionstamp("prefix").value();
  const uint32_t offset = read_le32(BytesView(packed).substr(packed.size() - 4));
  Bytes stored = packed.substr(0, packed.size() - 4);
  stored.replace(offset, 10, "0123456789");
  EXPECT_EQ(Tuple::unpack(BytesView(stored).substr(6)).value(),
            Tuple::of(Text("a"), Versionstamp::complete("0123456789", 258), 9));
  // What was read can be written again, placeholder bytes included.
  const Tuple unset = Tuple::unpack("\x33" + Bytes(10, '\xff') + "\0\0"s).value();
  EXPECT_EQ(unset.pack(), "\x33" + Bytes(10, '\xff') + "\0\0"s);
  EXPECT_EQ(Versionstamp::complete("0123456789", 258).user_version(), 258);
  EXPECT_FALSE(Versionstamp::from_bytes("short").ok());
}

TEST(Tuple, RangeHoldsTheTuplesBehind) {
  const Range range = Tuple::of(Text("a")).range();
  const auto inside = [&range](const Tuple& tuple) { return range.begin <= tuple.pack() && tuple.pack() < range.end; };
  EXPECT_FALSE(inside(Tuple::of(Text("a"))));
  EXPECT_TRUE(inside(Tuple::of(Text("a"), Null{})));
  EXPECT_TRUE(inside(Tuple::of(Text("a"), Versionstamp::complete(Bytes(10, '\xff'), 0xffff))));
  EXPECT_FALSE(inside(Tuple::of(Text("aa"))));
  EXPECT_FALSE(inside(Tuple::of(Text("a\0"s))));
  EXPECT_EQ(Tuple().range("p").begin, "p\0"s);
}

TEST(Tuple, ElementsOneByOneAreTheTuple) {
  Bytes out;
  append_null(out);
  append_bytes(out, "a\0"s);
  append_string(out, "b");
  append_int(out, -300);
  append_uint(out, std::numeric_limits<uint64_t>::max());
  append_float(out, 1.5f);
  append_double(out, -2.5);
  append_bool(out, true);
  append_uuid(out, counting_uuid());
  EXPECT_EQ(
      out, Tuple::of(Null{}, ByteString("a\0"s), Text("b"), -300,
                     Element::unsigned_integer(std::numeric_limits<uint64_t>::max()), 1.5f, -2.5, true, counting_uuid())
               .pack());

  BytesView in = BytesView(out).substr(1);
  EXPECT_FALSE(take_string(in).ok());
  EXPECT_EQ(take_bytes(in).value(), "a\0"s);
  EXPECT_EQ(take_string(in).value(), "b");
  EXPECT_EQ(take_int(in).value(), -300);
  const size_t before = in.size();
  EXPECT_FALSE(take_int(in).ok()) << "2^64 - 1 does not fit";
  EXPECT_EQ(in.size(), before);
  EXPECT_EQ(take_integer(in).value().magnitude, Bytes(8, '\xff'));
  EXPECT_EQ(take_float(in).value(), 1.5f);
  EXPECT_EQ(take_double(in).value(), -2.5);
  EXPECT_EQ(take_bool(in).value(), true);
  EXPECT_EQ(take_uuid(in).value(), counting_uuid());
  EXPECT_TRUE(in.empty());
  EXPECT_FALSE(take_bytes(in).ok());
  EXPECT_FALSE(take_int(in).ok());
  EXPECT_FALSE(take_float(in).ok());
  EXPECT_FALSE(take_double(in).ok());
  EXPECT_FALSE(take_bool(in).ok());
  EXPECT_FALSE(take_uuid(in).ok());
}

TEST(Tuple, IntegersSortAsNumbers) {
  std::vector<int64_t> values;
  for (int shift = 0; shift < 63; ++shift) {
    for (const int64_t step : {-1, 0, 1}) {
      values.push_back((int64_t{1} << shift) + step);
      values.push_back(-(int64_t{1} << shift) + step);
    }
  }
  values.push_back(std::numeric_limits<int64_t>::max());
  values.push_back(std::numeric_limits<int64_t>::min());
  std::sort(values.begin(), values.end());
  Bytes previous;
  for (size_t i = 0; i < values.size(); ++i) {
    Bytes packed;
    append_int(packed, values[i]);
    if (i > 0 && values[i] != values[i - 1]) EXPECT_LT(previous, packed) << values[i];
    BytesView in = packed;
    EXPECT_EQ(take_int(in).value(), values[i]);
    previous = packed;
  }
}

TEST(Tuple, Extend) {
  Tuple tuple = Tuple::of(1, Tuple::of(2));
  tuple.extend(tuple).add(Text("x"));
  EXPECT_EQ(tuple, Tuple::of(1, Tuple::of(2), 1, Tuple::of(2), Text("x")));
  EXPECT_EQ(to_string(tuple), "(1, (2), 1, (2), \"x\")");
}

TEST(Subspace, NestsAndContains) {
  const Subspace users(Tuple::of(Text("users")), "\x15\x07");
  EXPECT_EQ(users.prefix(), "\x15\x07\x02users\0"s);
  const Bytes key = users.pack(Tuple::of(42, Null{}));
  EXPECT_TRUE(users.contains(key));
  EXPECT_EQ(users.unpack(key).value(), Tuple::of(42, Null{}));
  EXPECT_EQ(users.subspace(Tuple::of(42)).unpack(key).value(), Tuple::of(Null{}));
  EXPECT_FALSE(users.subspace(Tuple::of(43)).unpack(key).ok());
  EXPECT_EQ(users.range(Tuple::of(42)), users.subspace(Tuple::of(42)).range());
  EXPECT_LE(users.range().begin, key);
  EXPECT_LT(key, users.range().end);
  EXPECT_EQ(Subspace::from_raw_prefix("raw").pack(Tuple::of(0)), "raw\x14");
  EXPECT_EQ(Subspace().pack(Tuple::of(0)), "\x14");
  const Bytes stamped = users.pack_with_versionstamp(Tuple::of(Versionstamp::incomplete())).value();
  EXPECT_EQ(read_le32(BytesView(stamped).substr(stamped.size() - 4)), users.prefix().size() + 1);
}

}  // namespace
}  // namespace strata::tuple
