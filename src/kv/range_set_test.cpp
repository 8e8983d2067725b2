#include "kv/range_set.h"

#include <gtest/gtest.h>

#include <bitset>

#include "base/random.h"

namespace strata::kv {
namespace {

// Against a bit for each of 64 one-byte keys.
TEST(RangeSet, AgreesWithABitmap) {
  Random random(7);
  Arena arena;
  const auto key = [&](uint64_t i) { return arena.copy(Bytes(1, static_cast<char>(i))); };
  for (int round = 0; round < 200; ++round) {
    RangeSet set;
    std::bitset<64> model;
    for (int step = 0; step < 30; ++step) {
      const uint64_t begin = random.below(64);
      const uint64_t end = random.below(64);
      const bool adds = random.below(2) == 0;
      if (adds) {
        set.add(key(begin), key(end));
      } else {
        set.subtract(key(begin), key(end));
      }
      for (uint64_t i = begin; i < end; ++i) model[i] = adds;
      BytesView last_end;
      for (const auto& [from, to] : set) {
        ASSERT_LT(from, to);
        if (!last_end.empty()) ASSERT_LT(last_end, from);
        last_end = to;
      }
      for (uint64_t i = 0; i < 64; ++i) ASSERT_EQ(set.contains(key(i)), model[i]) << i;
      bool meets = false;
      for (uint64_t i = begin; i < end; ++i) meets = meets || model[i];
      ASSERT_EQ(set.intersects(key(begin), key(end)), meets);
    }
  }
}

}  // namespace
}  // namespace strata::kv
