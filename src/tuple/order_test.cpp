// Packed tuples must sort as the values do. The order of values is written down here on its own, by value and without
// the encoding: nothing of the packer is used to say what it should be.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <compare>

#include "base/random.h"
#include "tuple/tuple.h"

namespace strata::tuple {
namespace {

using namespace std::string_literals;

// Types sort by their codes; all integers are one type, and so are the booleans.
int type_rank(const Element& element) {
  struct Rank {
    int operator()(Null) const { return 0; }
    int operator()(const ByteString&) const { return 1; }
    int operator()(const Text&) const { return 2; }
    int operator()(const Tuple&) const { return 3; }
    int operator()(int64_t) const { return 4; }
    int operator()(const BigInteger&) const { return 4; }
    int operator()(float) const { return 5; }
    int operator()(double) const { return 6; }
    int operator()(bool) const { return 7; }
    int operator()(const Uuid&) const { return 8; }
    int operator()(const Versionstamp&) const { return 9; }
  };
  return std::visit(Rank{}, element);
}

int sign(std::strong_ordering order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

// -1, 0, 1 of integers as sign and magnitude.
int compare_integers(const Element& a, const Element& b) {
  const auto parts = [](const Element& element) {
    if (const auto* big = std::get_if<BigInteger>(&element)) {
      return IntegerParts{big->negative(), Bytes(big->magnitude())};
    }
    const int64_t value = std::get<int64_t>(element);
    Bytes magnitude;
    append_be64(magnitude, value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value));
    magnitude.erase(0, std::min(magnitude.find_first_not_of('\0'), magnitude.size()));
    return IntegerParts{value < 0, magnitude};
  };
  const IntegerParts x = parts(a), y = parts(b);
  if (x.negative != y.negative) return x.negative ? -1 : 1;
  int magnitudes = x.magnitude.size() < y.magnitude.size()   ? -1
                   : x.magnitude.size() > y.magnitude.size() ? 1
                                                             : sign(x.magnitude.compare(y.magnitude) <=> 0);
  return x.negative ? -magnitudes : magnitudes;
}

// IEEE's total order: what std::strong_order is for the iec559 types.
template <class T>
int compare_floats(T a, T b) {
  return sign(std::strong_order(a, b));
}

int compare_tuples(const Tuple& a, const Tuple& b);

int compare_elements(const Element& a, const Element& b) {
  if (const int ranks = sign(type_rank(a) <=> type_rank(b)); ranks != 0) return ranks;
  switch (type_rank(a)) {
    case 1:
      return sign(std::get<ByteString>(a).value.compare(std::get<ByteString>(b).value) <=> 0);
    case 2:
      return sign(std::get<Text>(a).value.compare(std::get<Text>(b).value) <=> 0);
    case 3:
      return compare_tuples(std::get<Tuple>(a), std::get<Tuple>(b));
    case 4:
      return compare_integers(a, b);
    case 5:
      return compare_floats(std::get<float>(a), std::get<float>(b));
    case 6:
      return compare_floats(std::get<double>(a), std::get<double>(b));
    case 7:
      return sign(std::get<bool>(a) <=> std::get<bool>(b));
    case 8: {
      const auto view = [](const Uuid& uuid) { return BytesView(uuid.bytes.data(), uuid.bytes.size()); };
      return sign(view(std::get<Uuid>(a)).compare(view(std::get<Uuid>(b))) <=> 0);
    }
    case 9:
      return sign(std::get<Versionstamp>(a).bytes().compare(std::get<Versionstamp>(b).bytes()) <=> 0);
    default:
      return 0;
  }
}

int compare_tuples(const Tuple& a, const Tuple& b) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (const int elements = compare_elements(a[i], b[i]); elements != 0) return elements;
  }
  return sign(a.size() <=> b.size());
}

// Few and awkward bytes, so that prefixes and ties are common.
Bytes random_bytes(Random& random, size_t most) {
  static constexpr char alphabet[] = {'\0', '\1', '\xff', '\xfe', 'a', '\5'};
  Bytes bytes(random.below(most + 1), '\0');
  for (char& byte : bytes) byte = alphabet[random.below(sizeof alphabet)];
  return bytes;
}

template <class Float, class Bits>
Float random_float(Random& random) {
  static constexpr Float special[] = {Float(0.0),
                                      Float(-0.0),
                                      std::numeric_limits<Float>::infinity(),
                                      -std::numeric_limits<Float>::infinity(),
                                      std::numeric_limits<Float>::quiet_NaN(),
                                      -std::numeric_limits<Float>::quiet_NaN(),
                                      std::numeric_limits<Float>::denorm_min(),
                                      Float(1.5),
                                      Float(-1.5)};
  if (random.one_in(2)) return special[random.below(std::size(special))];
  return std::bit_cast<Float>(static_cast<Bits>(random.next()));
}

Tuple random_tuple(Random& random, int depth);

Element random_element(Random& random, int depth) {
  switch (random.below(depth > 0 ? 12 : 11)) {
    case 0:
      return Null{};
    case 1:
      return ByteString(random_bytes(random, 4));
    case 2:
      return Text(random_bytes(random, 4));
    case 3:
      return static_cast<int64_t>(random.next()) >> random.below(64);
    case 4:
      return static_cast<int64_t>(random.below(5)) - 2;
    case 5:
      return Element::integer(random.one_in(2), random_bytes(random, 12)).value();
    case 6:
      return random_float<float, uint32_t>(random);
    case 7:
      return random_float<double, uint64_t>(random);
    case 8:
      return random.one_in(2);
    case 9: {
      Uuid uuid;
      uuid.bytes[random.below(16)] = static_cast<char>(random.next());
      return uuid;
    }
    case 10: {
      Bytes stamp = random_bytes(random, 10);
      stamp.resize(10, '\0');
      return Versionstamp::complete(stamp, static_cast<uint16_t>(random.below(3)));
    }
    default:
      return random_tuple(random, depth - 1);
  }
}

Tuple random_tuple(Random& random, int depth) {
  Tuple tuple;
  for (uint64_t left = random.below(4); left > 0; --left) tuple.add(random_element(random, depth));
  return tuple;
}

TEST(TupleOrder, PackedTuplesSortAsTheirValues) {
  Random random(20'261'121);
  for (int i = 0; i < 200'000; ++i) {
    const Tuple a = random_tuple(random, 3);
    Tuple b = random_tuple(random, 3);
    // Half of the pairs share a beginning: the interesting differences are late.
    if (random.one_in(2)) {
      Tuple shared = a;
      b = shared.extend(b);
    }
    const Bytes packed_a = a.pack(), packed_b = b.pack();
    ASSERT_EQ(sign(packed_a.compare(packed_b) <=> 0), compare_tuples(a, b)) << to_string(a) << " and " << to_string(b);
    ASSERT_EQ(a == b, packed_a == packed_b) << to_string(a) << " and " << to_string(b);
    const auto unpacked = Tuple::unpack(packed_b);
    ASSERT_TRUE(unpacked.ok()) << to_string(b) << ": " << unpacked.error().message();
    ASSERT_EQ(*unpacked, b) << to_string(b);
  }
}

TEST(TupleOrder, AsPublished) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<Tuple> ascending = {
      Tuple(),
      Tuple::of(Null{}),
      Tuple::of(Null{}, Null{}),
      Tuple::of(ByteString("")),
      Tuple::of(ByteString("\0"s)),
      Tuple::of(ByteString("a")),
      Tuple::of(ByteString("a\0"s)),
      Tuple::of(Text("")),
      Tuple::of(Tuple()),
      Tuple::of(Tuple(), Null{}),
      Tuple::of(Tuple::of(Null{})),
      Tuple::of(Tuple::of(Null{}, Null{})),
      Tuple::of(Tuple::of(ByteString(""))),
      Tuple::of(Element::integer(true, Bytes(255, '\xff')).value()),
      Tuple::of(Element::integer(true, Bytes(9, '\xff')).value()),
      Tuple::of(Element::integer(true, Bytes(8, '\xff')).value()),
      Tuple::of(std::numeric_limits<int64_t>::min()),
      Tuple::of(-256),
      Tuple::of(-1),
      Tuple::of(0),
      Tuple::of(1),
      Tuple::of(256),
      Tuple::of(std::numeric_limits<int64_t>::max()),
      Tuple::of(Element::unsigned_integer(std::numeric_limits<uint64_t>::max())),
      Tuple::of(Element::integer(false, "\1\0\0\0\0\0\0\0\0"s).value()),
      Tuple::of(Element::integer(false, Bytes(255, '\xff')).value()),
      Tuple::of(1.0f),
      Tuple::of(-nan),
      Tuple::of(-infinity),
      Tuple::of(-1.0),
      Tuple::of(-0.0),
      Tuple::of(0.0),
      Tuple::of(1.0),
      Tuple::of(infinity),
      Tuple::of(nan),
      Tuple::of(false),
      Tuple::of(true),
      Tuple::of(Uuid{}),
      Tuple::of(Versionstamp::complete(Bytes(10, '\0'))),
  };
  for (size_t i = 1; i < ascending.size(); ++i) {
    EXPECT_LT(ascending[i - 1].pack(), ascending[i].pack()) << to_string(ascending[i]);
  }
}

}  // namespace
}  // namespace strata::tuple
