#include "layers/files/hash_marks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"

namespace strata::files {
namespace {

// Few first bytes and a dense second half, so that buckets are long and neighbours near.
Hash hash_of_number(Random& random) {
  Hash hash{};
  hash[0] = static_cast<uint8_t>(random.below(3));
  hash[6] = static_cast<uint8_t>(random.below(40));
  hash[7] = static_cast<uint8_t>(random.below(256));
  return hash;
}

TEST(HashMarks, IsASetInEveryOrder) {
  Random random(1);
  HashMarks marks;
  std::set<Hash> model;
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 5'000; ++i) {
      const Hash hash = hash_of_number(random);
      marks.add(hash);
      model.insert(hash);
    }
    marks.sort();
    EXPECT_EQ(marks.size(), model.size());
    std::vector<Hash> asked;
    for (int i = 0; i < 5'000; ++i) asked.push_back(hash_of_number(random));
    // At random, with repetitions, then as a scan asks.
    for (const Hash& hash : asked) EXPECT_EQ(marks.contains(hash), model.contains(hash));
    std::sort(asked.begin(), asked.end());
    for (const Hash& hash : asked) EXPECT_EQ(marks.contains(hash), model.contains(hash));
  }
}

TEST(HashMarks, TheFirstEightBytesCount) {
  HashMarks marks;
  marks.sort();
  Hash hash{};
  EXPECT_FALSE(marks.contains(hash));
  hash[31] = 1;
  marks.add(hash);
  marks.sort();
  EXPECT_TRUE(marks.contains(Hash{}));
  hash[7] = 1;
  EXPECT_FALSE(marks.contains(hash));
}

TEST(HashMarks, WhatIsAddedManyTimesTakesNoMoreMemory) {
  HashMarks marks;
  for (int round = 0; round < 50; ++round) {
    Random random(1);
    for (int i = 0; i < 20'000; ++i) {
      Hash hash{};
      for (size_t at = 0; at < 8; ++at) hash[at] = static_cast<uint8_t>(random.below(256));
      marks.add(hash);
    }
  }
  EXPECT_LE(marks.bytes(), 20'000 * 2 * sizeof(uint64_t) + 256 * 64 * sizeof(uint64_t));
  marks.sort();
  EXPECT_EQ(marks.size(), 20'000U);
}

}  // namespace
}  // namespace strata::files
