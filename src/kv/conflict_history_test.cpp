#include "kv/conflict_history.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace strata::kv {
namespace {

TEST(ConflictHistory, EmptyHistoryHasNoWrites) {
  ConflictHistory history(100);
  EXPECT_EQ(history.oldest(), 100);
  EXPECT_FALSE(history.written_after({"", "\xff"}, 100));
}

TEST(ConflictHistory, PointWriteCoversItsKeyAlone) {
  ConflictHistory history(0);
  history.add({"k", BytesView("k\0", 2)}, 10);
  EXPECT_TRUE(history.written_after({"k", BytesView("k\0", 2)}, 9));
  EXPECT_FALSE(history.written_after({"k", BytesView("k\0", 2)}, 10));
  EXPECT_FALSE(history.written_after({BytesView("k\0", 2), "l"}, 9));
  EXPECT_FALSE(history.written_after({"a", "k"}, 9));
  EXPECT_TRUE(history.written_after({"a", BytesView("k\0", 2)}, 9));
  EXPECT_FALSE(history.written_after({"k", "k"}, 9));
}

TEST(ConflictHistory, RangeWriteEndsBeforeItsEnd) {
  ConflictHistory history(0);
  history.add({"b", "d"}, 10);
  EXPECT_FALSE(history.written_after({"a", "b"}, 0));
  EXPECT_TRUE(history.written_after({"a", BytesView("b\0", 2)}, 0));
  EXPECT_TRUE(history.written_after({"c", BytesView("c\0", 2)}, 0));
  EXPECT_FALSE(history.written_after({"d", "z"}, 0));
}

TEST(ConflictHistory, ForgetsAGenerationAtATime) {
  ConflictHistory history(0, {.window = 100});
  history.add({"a", "b"}, 50);
  history.advance(60);
  EXPECT_EQ(history.oldest(), 0);
  history.advance(100);
  EXPECT_EQ(history.oldest(), 0);
  history.add({"b", "c"}, 150);
  EXPECT_TRUE(history.written_after({"a", "b"}, 40));
  history.advance(200);
  EXPECT_EQ(history.oldest(), 100);
  EXPECT_TRUE(history.written_after({"b", "c"}, 120));
  EXPECT_FALSE(history.written_after({"a", "b"}, 100));
}

// Versions run on while nothing is written: an hour is more than a generation can tell apart.
TEST(ConflictHistory, TakesWritesAfterADayOfNone) {
  constexpr Version day = 86'400'000'000;
  ConflictHistory history(100);
  history.add({"a", "b"}, 200);
  for (Version version = day; version <= 3 * day; version += day) {
    history.advance(version - 1);
    history.add({"k", "l"}, version);
    EXPECT_TRUE(history.written_after({"k", "l"}, version - 1));
    EXPECT_FALSE(history.written_after({"k", "l"}, version));
    EXPECT_LE(history.oldest(), version - 1);
  }
}

TEST(ConflictHistory, RestForgetsAllButWhatTheNewestReadsNeed) {
  ConflictHistory history(100, {.window = 1'000});
  const size_t empty = history.bytes();
  for (int i = 0; i < 1'000; ++i) history.add({"k" + std::to_string(i), "l"}, 200);
  history.rest(200, 1'199);
  EXPECT_TRUE(history.written_after({"k", "l"}, 199));
  history.rest(200, 1'200);
  EXPECT_EQ(history.bytes(), empty);
  EXPECT_EQ(history.oldest(), 200);
  EXPECT_FALSE(history.written_after({"k", "l"}, 200));
  history.add({"k", "l"}, 201);
  EXPECT_TRUE(history.written_after({"k", "l"}, 200));
}

TEST(ConflictHistory, RotatesWhenAGenerationIsFull) {
  ConflictHistory history(0, {.window = 1'000'000'000, .generation_bytes = 100'000});
  Version version = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Bytes key = "key" + std::to_string(i);
    history.add({key, key_after(key)}, ++version);
    history.advance(version);
  }
  EXPECT_GT(history.oldest(), 0);
  EXPECT_LT(history.bytes(), 250'000u);
}

// The step function itself, one boundary a map entry.
class Model {
 public:
  Model() { steps_[""] = 0; }
  void add(BytesView begin, BytesView end, Version version) {
    steps_.emplace(Bytes(end), std::prev(steps_.upper_bound(Bytes(end)))->second);
    steps_.erase(steps_.lower_bound(Bytes(begin)), steps_.find(Bytes(end)));
    steps_[Bytes(begin)] = version;
  }
  bool written_after(BytesView begin, BytesView end, Version version) const {
    if (begin >= end) return false;
    for (auto it = std::prev(steps_.upper_bound(Bytes(begin))); it != steps_.end() && it->first < end; ++it) {
      if (it->second > version) return true;
    }
    return false;
  }

 private:
  std::map<Bytes, Version> steps_;
};

class ConflictHistoryModel : public testing::TestWithParam<int> {};

// Keys share long prefixes, so that heads alone never decide, and some follow each other without a gap.
TEST_P(ConflictHistoryModel, AgreesWithTheModel) {
  Random random(static_cast<uint64_t>(GetParam()));
  const uint64_t spread = GetParam() % 2 == 0 ? 300 : 20'000;
  auto some_key = [&] {
    Bytes key = random.one_in(3) ? "table/one/rows/" : "table/two/rows/with/a/long/prefix/";
    key += std::to_string(random.below(spread));
    if (random.one_in(4)) key.push_back('\0');
    if (random.one_in(50)) key = key.substr(0, random.below(key.size()));
    return key;
  };
  ConflictHistory history(0, {.window = INT32_MAX});
  Model model;
  Version version = 0;
  for (int i = 0; i < 30'000; ++i) {
    if (random.one_in(8)) ++version;
    Bytes a = some_key();
    Bytes b = random.one_in(4) ? some_key() : key_after(a);
    if (a > b) std::swap(a, b);
    if (a < b && version > 0 && !random.one_in(3)) {
      history.add({a, b}, version);
      model.add(a, b, version);
    }
    Bytes c = some_key();
    Bytes d = random.one_in(3) ? some_key() : key_after(c);
    if (c > d) std::swap(c, d);
    const Version since = version - static_cast<Version>(random.below(static_cast<uint64_t>(version) + 1) / 2);
    ASSERT_EQ(history.written_after({c, d}, since), model.written_after(c, d, since))
        << printable(c) << " " << printable(d) << " since " << since;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ConflictHistoryModel, testing::Range(1, 9));

}  // namespace
}  // namespace strata::kv
