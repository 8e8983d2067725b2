#include "kv/write_map.h"

#include <gtest/gtest.h>

namespace strata::kv {
namespace {

constexpr size_t value_limit_bytes = 100'000;
using Sight = WriteMap::Sight;

TEST(WriteMap, AnEntryBeatsUnreadableBeatsClearedBeatsStored) {
  WriteMap map;
  Arena arena;
  EXPECT_TRUE(map.empty());
  map.clear_range("a", "z");
  map.add_unreadable_range("f", "m");
  map.clear(arena, "g");
  map.set("g", "value");
  EXPECT_EQ(map.look("0").sight, Sight::stored);
  EXPECT_EQ(map.look("b").sight, Sight::known);
  EXPECT_EQ(map.look("b").entry, nullptr);
  EXPECT_EQ(map.look("h").sight, Sight::unreadable);
  EXPECT_EQ(map.look("g").entry->known, "value");
}

TEST(WriteMap, ClearRangeMakesUnreadableKeysKnownAgain) {
  WriteMap map;
  map.set_unreadable("c");
  map.add_unreadable_range("e", "g");
  EXPECT_EQ(map.look("c").sight, Sight::unreadable);
  map.clear_range("a", "f");
  EXPECT_EQ(map.look("c").sight, Sight::known);
  EXPECT_EQ(map.look("e").sight, Sight::known);
  EXPECT_EQ(map.look("f").sight, Sight::unreadable);
}

TEST(WriteMap, SetOnAnUnreadableKeyLeavesItUnreadableUntilItIsCleared) {
  WriteMap map;
  Arena arena;
  map.set_unreadable("a");
  map.add_unreadable_range("b", "d");
  for (const char* key : {"a", "b", "c"}) {
    map.set(key, "x");
    EXPECT_EQ(map.look(key).sight, Sight::unreadable) << key;
    map.clear(arena, key);
    EXPECT_EQ(map.look(key).sight, Sight::known) << key;
    map.set(key, "x");
    EXPECT_EQ(map.look(key).entry->known, "x") << key;
  }
  EXPECT_EQ(map.look("bb").sight, Sight::unreadable);
}

TEST(WriteMap, AtomicOnAnUnreadableKeyLeavesItUnreadable) {
  WriteMap map;
  Arena arena;
  map.set_unreadable("k");
  map.atomic(arena, MutationType::add, "k", "\x01", value_limit_bytes);
  EXPECT_EQ(map.look("k").sight, Sight::unreadable);
}

TEST(WriteMap, PendingOperationsAreForgottenBySet) {
  WriteMap map;
  Arena arena;
  map.atomic(arena, MutationType::add, "k", "\x01", value_limit_bytes);
  EXPECT_EQ(map.look("k").sight, Sight::pending);
  map.set("k", "new");
  EXPECT_EQ(map.look("k").entry->known, "new");
  EXPECT_TRUE(map.look("k").entry->pending.empty());
}

TEST(WriteMap, DependentPartsLeaveOutWhatTheTransactionDecided) {
  WriteMap map;
  Arena arena;
  map.clear_range("b", "d");
  map.set("f", "1");
  map.atomic(arena, MutationType::add, "h", "\x01", value_limit_bytes);
  std::vector<std::pair<Bytes, Bytes>> parts;
  map.visit_dependent("a", "z", arena, [&](BytesView from, BytesView to) { parts.emplace_back(from, to); });
  const std::vector<std::pair<Bytes, Bytes>> expected{{"a", "b"}, {"d", "f"}, {Bytes("f\0", 2), "z"}};
  EXPECT_EQ(parts, expected);
}

}  // namespace
}  // namespace strata::kv
