#include <algorithm>
#include <atomic>
#include <thread>

#include "conformance/engine_fixture.h"

namespace strata::kv {
namespace {

using EngineCommits = EngineTest;
INSTANTIATE_TEST_SUITE_P(Engines, EngineCommits, testing::ValuesIn(engine_kinds()), engine_kind_name);

Bytes le64(uint64_t value) {
  Bytes out;
  append_le64(out, value);
  return out;
}

TEST_P(EngineCommits, ABlindWriteNeedsNoReadVersion) {
  EXPECT_GT(put("a", "1").version, 0);
  EXPECT_EQ(get("a"), "1");
}

TEST_P(EngineCommits, ACommitWithoutMutationsHasAVersion) {
  const Version before = now();
  EXPECT_GT(commit(Writes().writes("a")).version, before);
}

TEST_P(EngineCommits, AReadOfWhatWasWrittenSinceConflicts) {
  const Version read = now();
  put("b", "1");
  EXPECT_EQ(commit_code(Writes(read).reads("b").set("x", "")), "not_committed");
  EXPECT_EQ(commit_code(Writes(read).reads("a", "c").set("x", "")), "not_committed");
  EXPECT_EQ(commit_code(Writes(read).reads("a", key_after("b")).set("x", "")), "not_committed");
  EXPECT_EQ(get("x"), std::nullopt);
  EXPECT_EQ(commit_code(Writes(read).reads("a", "b").set("x", "")), "ok");
  EXPECT_EQ(commit_code(Writes(read).reads(key_after("b"), "c").set("x", "")), "ok");
  EXPECT_EQ(commit_code(Writes(now()).reads("b").set("x", "")), "ok");
}

TEST_P(EngineCommits, WritesDoNotConflictWithWrites) {
  const Version read = now();
  put("a", "1");
  EXPECT_EQ(commit_code(Writes(read).reads("z").set("a", "2")), "ok");
  EXPECT_EQ(get("a"), "2");
}

TEST_P(EngineCommits, ClearsAndConflictRangesConflictToo) {
  Version read = now();
  commit(Writes().clear_range("b", "d"));
  EXPECT_EQ(commit_code(Writes(read).reads("c").set("x", "")), "not_committed");
  EXPECT_EQ(commit_code(Writes(read).reads("d").set("x", "")), "ok");
  read = now();
  commit(Writes().writes("m", "n"));
  EXPECT_EQ(commit_code(Writes(read).reads("mm").set("x", "")), "not_committed");
}

TEST_P(EngineCommits, AMutationWithoutAWriteConflictRangeConflictsWithNobody) {
  const Version read = now();
  commit(Writes().mutate(MutationType::set, "a", "1"));
  EXPECT_EQ(commit_code(Writes(read).reads("a").set("x", "")), "ok");
}

TEST_P(EngineCommits, ARefusedCommitLeavesNoTrace) {
  const Version read = now();
  put("b", "1");
  EXPECT_EQ(commit_code(Writes(read).reads("b").set("c", "1")), "not_committed");
  // Its write is no conflict for others, and it took no version.
  EXPECT_EQ(commit_code(Writes(read).reads("c").set("d", "1")), "ok");
  EXPECT_EQ(get("c"), std::nullopt);
}

TEST_P(EngineCommits, ConflictingRangesAreReported) {
  const Version read = now();
  commit(Writes().set("b", "1").set("f", "1"));
  Writes writes(read);
  writes.reads("a").reads("b").reads("c", "d").reads("e", "g").set("x", "");
  const auto conflicting = writes.report_conflicts();
  EXPECT_EQ(commit_code(writes), "not_committed");
  EXPECT_EQ(*conflicting, (std::vector<uint32_t>{1, 3}));
}

TEST_P(EngineCommits, AReadVersionOlderThanTheHistoryIsRefused) {
  const Version read = now();
  let_versions_expire();
  let_versions_expire();
  EXPECT_EQ(commit_code(Writes(read).reads("a").set("b", "")), "transaction_too_old");
  EXPECT_EQ(commit_code(Writes(read).set("b", "")), "ok");
}

TEST_P(EngineCommits, AReadVersionOfTheFutureIsRefused) {
  EXPECT_EQ(commit_code(Writes(now() + 1'000'000'000).reads("a").set("b", "")), "future_version");
}

TEST_P(EngineCommits, MutationsApplyInTheirOrder) {
  commit(
      Writes().set("a", "1").clear("a").set("b", "1").set("b", "2").set("c", "1").clear_range("a", "d").set("d", "1"));
  EXPECT_EQ(keys(), "d ");
  commit(Writes().clear_range("a", "z").set("b", "3").atomic(MutationType::append_if_fits, "b", "4").set("e", "5"));
  const Pairs expected{{"b", "34"}, {"e", "5"}};
  EXPECT_EQ(rows({.begin = "", .end = "\xff"}), expected);
}

TEST_P(EngineCommits, SmallAndLargeRangesAreCleared) {
  for (const int count : {0, 1, 10, 511, 512, 513, 3'000}) {
    Writes writes;
    writes.set("a", "before").set("c", "after");
    for (int i = 0; i < count; ++i) writes.set("b" + std::to_string(10'000 + i), "v");
    commit(writes);
    // In one transaction: what it wrote into the range before the clear goes, what it writes after it stays.
    commit(
        Writes().set("b0", "gone").clear_range("b", "c").set("b2", "stays").atomic(MutationType::add, "b10000", "x"));
    EXPECT_EQ(keys(), "a b10000 b2 c ") << count;
    EXPECT_EQ(get("b10000"), "x") << count;
    commit(Writes().clear_range("", "\xff"));
    EXPECT_EQ(keys(), "") << count;
  }
}

TEST_P(EngineCommits, AnEmptyClearRangeClearsNothing) {
  put("a", "1");
  commit(Writes().mutate(MutationType::clear_range, "a", "a").writes("a"));
  EXPECT_EQ(keys(), "a ");
}

TEST_P(EngineCommits, AtomicsSeeWhatIsThere) {
  commit(Writes().atomic(MutationType::add, "n", le64(5)));
  commit(Writes().atomic(MutationType::add, "n", le64(7)));
  EXPECT_EQ(get("n"), le64(12));
  commit(Writes().set("n", le64(100)).atomic(MutationType::add, "n", le64(1)).atomic(MutationType::add, "n", le64(1)));
  EXPECT_EQ(get("n"), le64(102));
  commit(Writes().clear("n").atomic(MutationType::add, "n", le64(3)));
  EXPECT_EQ(get("n"), le64(3));
  commit(Writes().atomic(MutationType::add, "n", le64(UINT64_MAX)));
  EXPECT_EQ(get("n"), le64(2));
}

struct AtomicCase {
  MutationType type;
  std::optional<Bytes> before;
  Bytes operand;
  std::optional<Bytes> after;
};

TEST_P(EngineCommits, EveryAtomic) {
  using enum MutationType;
  const Bytes limit(engine.limits().value_bytes, 'v');
  const std::vector<AtomicCase> cases{
      {add, std::nullopt, "\x05", "\x05"},
      {add, "\xff\x01", "\x01", Bytes(1, '\0')},
      {add, "\x01", Bytes("\x01\x00", 2), Bytes("\x02\x00", 2)},
      {bit_and, std::nullopt, "\x05", "\x05"},
      {bit_and, "\x06", "\x05", "\x04"},
      {bit_or, std::nullopt, "\x05", "\x05"},
      {bit_or, "\x06", "\x05", "\x07"},
      {bit_xor, std::nullopt, "\x05", "\x05"},
      {bit_xor, "\x06", "\x05", "\x03"},
      {append_if_fits, std::nullopt, "ab", "ab"},
      {append_if_fits, "ab", "cd", "abcd"},
      {append_if_fits, limit, "x", limit},
      {max, std::nullopt, "\x05", "\x05"},
      {max, "\x06", "\x05", "\x06"},
      {max, "\x04", "\x05", "\x05"},
      {min, std::nullopt, "\x05", "\x05"},
      {min, "\x06", "\x05", "\x05"},
      {min, "\x04", "\x05", "\x04"},
      {byte_min, std::nullopt, "b", "b"},
      {byte_min, "abc", "b", "abc"},
      {byte_min, "c", "b", "b"},
      {byte_max, std::nullopt, "b", "b"},
      {byte_max, "abc", "b", "b"},
      {byte_max, "c", "b", "c"},
      {compare_and_clear, "same", "same", std::nullopt},
      {compare_and_clear, "other", "same", "other"},
      {compare_and_clear, std::nullopt, "same", std::nullopt},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    const AtomicCase& one = cases[i];
    // Once over what was committed, once over what the same transaction wrote.
    Writes reset;
    one.before ? reset.set("committed", *one.before) : reset.clear("committed");
    commit(reset);
    Writes writes;
    one.before ? writes.set("same", *one.before) : writes.clear("same");
    writes.atomic(one.type, "committed", one.operand).atomic(one.type, "same", one.operand);
    commit(writes);
    EXPECT_EQ(get("committed"), one.after) << i;
    EXPECT_EQ(get("same"), one.after) << i;
  }
}

TEST_P(EngineCommits, VersionstampsAreTheCommitsOwn) {
  Bytes key_operand = "k" + Bytes(10, 'x') + "!";
  append_le32(key_operand, 1);
  Bytes value_operand = Bytes(10, 'x') + "tail";
  append_le32(value_operand, 0);
  const Committed committed = commit(Writes()
                                         .mutate(MutationType::set_versionstamped_key, key_operand, "by key")
                                         .mutate(MutationType::set_versionstamped_value, "v", value_operand));
  const Bytes stamp = make_versionstamp(committed);
  EXPECT_EQ(get("k" + stamp + "!"), "by key");
  EXPECT_EQ(get("v"), stamp + "tail");
}

// Placeholders of 0xFF bytes are what tuples pack.
TEST_P(EngineCommits, AVersionstampMayBeginAKey) {
  Bytes operand(10, '\xff');
  append_le32(operand, 0);
  const Committed committed = commit(Writes().mutate(MutationType::set_versionstamped_key, operand, "v"));
  EXPECT_EQ(get(make_versionstamp(committed)), "v");
}

TEST_P(EngineCommits, StampsOrderAllCommits) {
  std::vector<Future<Committed>> futures;
  for (int i = 0; i < 500; ++i) {
    Bytes operand = "s/" + Bytes(10, 'x');
    append_le32(operand, 2);
    futures.push_back(
        engine.commit(Writes().mutate(MutationType::set_versionstamped_key, operand, std::to_string(i)).take()));
  }
  std::vector<std::pair<Bytes, Bytes>> expected;
  for (int i = 0; i < 500; ++i) {
    const Result<Committed> committed = futures[static_cast<size_t>(i)].get();
    ASSERT_TRUE(committed.ok());
    expected.emplace_back("s/" + make_versionstamp(*committed), std::to_string(i));
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(rows({.begin = "s/", .end = "s0"}), expected);
}

// Every increment reads and writes the same key from many threads at once: none may be lost, whoever is batched with
// whom.
TEST_P(EngineCommits, ConcurrentIncrementsAreSerializable) {
  constexpr int threads = 4;
  constexpr int increments = 50;
  std::atomic<int> conflicts = 0;
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&] {
      for (int i = 0; i < increments;) {
        const Version version = now();
        const std::optional<Bytes> before = get("n", version);
        const uint64_t count = before ? read_le64(*before) : 0;
        const auto outcome =
            commit_code(Writes(version).reads("n").set("n", le64(count + 1)).atomic(MutationType::add, "sum", le64(1)));
        if (outcome == "ok") {
          ++i;
        } else {
          ASSERT_EQ(outcome, "not_committed");
          ++conflicts;
        }
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  EXPECT_EQ(get("n"), le64(threads * increments));
  EXPECT_EQ(get("sum"), le64(threads * increments));
}

// Two keys are always written together: a reader at any version must see them equal.
TEST_P(EngineCommits, ReadersNeverSeeHalfACommit) {
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; i < 300; ++i) put_both(std::to_string(i));
    stop = true;
  });
  int reads = 0;
  while (!stop || reads == 0) {
    const Version version = now();
    EXPECT_EQ(get("left", version), get("right", version));
    const Pairs found = rows({.begin = "left", .end = "s", .version = version});
    if (!found.empty()) {
      ASSERT_EQ(found.size(), 2u);
      EXPECT_EQ(found[0].second, found[1].second);
    }
    ++reads;
  }
  writer.join();
}

TEST_P(EngineCommits, AVersionHandedOutAfterAnAnswerSeesTheCommit) {
  for (int i = 0; i < 100; ++i) {
    const Committed committed = put("a", std::to_string(i));
    EXPECT_GE(now(), committed.version);
    EXPECT_EQ(get("a"), std::to_string(i));
    EXPECT_EQ(get("a", committed.version), std::to_string(i));
  }
}

}  // namespace
}  // namespace strata::kv
