#include <chrono>
#include <thread>

#include "conformance/engine_fixture.h"

namespace strata::kv {
namespace {

// Watches fire after the answer to the commit may have come: bounded waiting, no sleeping for luck.
class EngineWatches : public EngineTest {
 protected:
  static bool fires(Future<void>& watch) {
    for (int i = 0; i < 5'000; ++i) {
      if (watch.is_ready()) return watch.get().ok();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  // Commits and watches are handled in order: when this one has fired, earlier commits have had their turn.
  void settle() {
    Future<void> marker = engine.watch("marker", get("marker"), now());
    put("marker", std::to_string(++markers_));
    ASSERT_TRUE(fires(marker));
  }

 private:
  int markers_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Engines, EngineWatches, testing::ValuesIn(engine_kinds()), engine_kind_name);

TEST_P(EngineWatches, FireWhenTheValueChanges) {
  put("a", "1");
  Future<void> watch = engine.watch("a", "1", now());
  put("b", "2");
  settle();
  EXPECT_FALSE(watch.is_ready());
  put("a", "2");
  EXPECT_TRUE(fires(watch));
}

TEST_P(EngineWatches, WritingTheSameValueIsNoChange) {
  put("a", "1");
  Future<void> watch = engine.watch("a", "1", now());
  put("a", "1");
  settle();
  EXPECT_FALSE(watch.is_ready());
  commit(Writes().clear("a"));
  EXPECT_TRUE(fires(watch));
}

TEST_P(EngineWatches, AMissingKeyIsAValue) {
  Future<void> watch = engine.watch("a", std::nullopt, now());
  commit(Writes().clear("a"));
  settle();
  EXPECT_FALSE(watch.is_ready());
  put("a", "");
  EXPECT_TRUE(fires(watch));
}

TEST_P(EngineWatches, ClearedRangesFire) {
  commit(Writes().set("a", "1").set("b", "1").set("c", "1"));
  Future<void> a = engine.watch("a", "1", now());
  Future<void> b = engine.watch("b", "1", now());
  Future<void> c = engine.watch("c", "1", now());
  commit(Writes().clear_range("b", "c"));
  EXPECT_TRUE(fires(b));
  settle();
  EXPECT_FALSE(a.is_ready());
  EXPECT_FALSE(c.is_ready());
  a.cancel();
  c.cancel();
}

TEST_P(EngineWatches, AtomicsAndVersionstampsFire) {
  Future<void> atomic = engine.watch("n", std::nullopt, now());
  Future<void> stamped = engine.watch("v", std::nullopt, now());
  Bytes operand(10, 'x');
  append_le32(operand, 0);
  commit(Writes().atomic(MutationType::add, "n", "\x01").mutate(MutationType::set_versionstamped_value, "v", operand));
  EXPECT_TRUE(fires(atomic));
  EXPECT_TRUE(fires(stamped));
}

TEST_P(EngineWatches, AChangeBeforeTheWatchCounts) {
  put("a", "1");
  const Version seen = now();
  put("a", "2");
  Future<void> watch = engine.watch("a", "1", seen);
  EXPECT_TRUE(fires(watch));
}

TEST_P(EngineWatches, ManyOnOneKey) {
  put("a", "1");
  Future<void> first = engine.watch("a", "1", now());
  Future<void> second = engine.watch("a", "1", now());
  Future<void> third = engine.watch("a", "1", now());
  second.cancel();
  EXPECT_EQ(code(second.get()), "operation_cancelled");
  put("a", "2");
  EXPECT_TRUE(fires(first));
  EXPECT_TRUE(fires(third));
}

TEST_P(EngineWatches, AreLimitedAndGivenBack) {
  std::vector<Future<void>> watches;
  for (size_t i = 0; i < engine.limits().watches; ++i) {
    watches.push_back(engine.watch("k" + std::to_string(i), std::nullopt, now()));
  }
  EXPECT_EQ(code(engine.watch("more", std::nullopt, now()).get()), "too_many_watches");
  watches[0].cancel();
  Future<void> again = engine.watch("more", std::nullopt, now());
  EXPECT_FALSE(again.is_ready());
  put("k1", "1");
  EXPECT_TRUE(fires(watches[1]));
  Future<void> another = engine.watch("another", std::nullopt, now());
  EXPECT_FALSE(another.is_ready());
}

TEST_P(EngineWatches, NoChangeSlipsBetweenReadAndWatch) {
  std::thread writer([this] {
    for (int i = 1; i <= 200; ++i) put("a", std::to_string(i));
  });
  std::optional<Bytes> seen;
  while (seen != "200") {
    const Version version = now();
    seen = get("a", version);
    if (seen == "200") break;
    Future<void> watch = engine.watch("a", seen, version);
    if (!fires(watch)) {
      ADD_FAILURE() << "missed the change after " << seen.value_or("nothing");
      break;
    }
  }
  writer.join();
}

TEST_P(EngineWatches, AreCancelledWithTheEngine) {
  OpenEngine other = open_engine(GetParam());
  Future<void> watch = other.engine->watch("a", std::nullopt, *other.engine->read_version().get());
  other.engine.reset();
  EXPECT_EQ(code(watch.get()), "operation_cancelled");
}

}  // namespace
}  // namespace strata::kv
