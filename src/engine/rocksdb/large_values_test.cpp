// Values that lie in files of their own: they come back, damage of them is seen, and their space is given back.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <thread>

#include "base/random.h"
#include "engine/rocksdb/engine_fixture.h"
#include "engine/rocksdb/value_reference.h"

namespace strata::kv {
namespace {

class LargeValues : public RocksdbTest {
 protected:
  LargeValues() {
    options.durability = Durability::async;
    options.clock = &system_clock();
    options.limits.read_lifetime_ms = 1;
    options.reclaim_delay_ms = 100;
    options.least_garbage_bytes = 1 << 20;
    options.value_file_bytes = 1 << 20;
  }

  static Bytes name(size_t i) { return "k" + std::to_string(1'000 + i); }
  static Bytes noise(uint64_t seed, size_t size) {
    Random random(seed);
    Bytes bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random.next());
    return bytes;
  }
  static Bytes value(size_t i) { return noise(i, 90'000); }
  void put_some(size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) ASSERT_TRUE(put(name(i), value(i)).ok());
  }
  void remove(BytesView key) {
    CommitRequest request;
    request.mutations.push_back({MutationType::clear, request.arena.copy(key), ""});
    ASSERT_TRUE(engine->commit(std::move(request)).get().ok());
  }
  void clear(BytesView begin, BytesView end) {
    CommitRequest request;
    request.mutations.push_back({MutationType::clear_range, request.arena.copy(begin), request.arena.copy(end)});
    ASSERT_TRUE(engine->commit(std::move(request)).get().ok());
  }
  // Of each file, which nobody looks at meanwhile.
  void leave_one_in_ten() {
    options.reclaim_delay_ms = 100'000;
    open();
    put_some(0, 201);
    for (size_t i = 0; i < 201; ++i) {
      if (i % 10 != 0) ASSERT_TRUE(put(name(i), "small").ok());
    }
  }
  std::set<std::string> names_of(const std::string& extension) const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
      if (entry.path().extension() == extension) names.insert(entry.path().filename());
    }
    return names;
  }
  uint64_t value_bytes() const {
    uint64_t bytes = 0;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
      if (entry.path().extension() != ".values") continue;
      const uint64_t size = entry.file_size(gone);
      if (!gone) bytes += size;
    }
    return bytes;
  }
};

TEST_F(LargeValues, AreWrittenOnceAndComeBack) {
  open();
  put_some(0, 100);
  EXPECT_GT(value_bytes(), 9'000'000u);
  EXPECT_LT(value_bytes(), 9'100'000u);
  EXPECT_LT(engine->stats().memtable_bytes, 3u << 20);
  EXPECT_LT(engine->stats().log_bytes, 100'000u);
  open();
  for (size_t i = 0; i < 100; ++i) EXPECT_TRUE(get(name(i)) == value(i)) << i;
  const Version version = *engine->read_version().get();
  const Bytes first = name(3);
  const Bytes last = name(9);
  const auto page =
      engine->range({.begin = first, .end = last, .version = version, .limit_rows = 4, .reverse = true}).get();
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->rows.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(page->rows.key(i), name(8 - i));
    EXPECT_TRUE(page->rows.value(i) == value(8 - i)) << i;
  }
}

TEST_F(LargeValues, AClearedRangeGivesItsSpaceBack) {
  open();
  put_some(0, 200);
  EXPECT_TRUE(becomes_true([&] { return value_bytes() > 15'000'000; }));
  clear(name(0), name(199));
  EXPECT_TRUE(becomes_true([&] { return value_bytes() < 2'000'000; }));
  EXPECT_FALSE(get(name(0)));
  EXPECT_TRUE(get(name(199)) == value(199));
}

// Every file keeps some living values: they are moved when most of the bytes are dead.
TEST_F(LargeValues, LivingOnesMoveOutOfFilesThatAreMostlyDead) {
  leave_one_in_ten();
  EXPECT_GT(value_bytes(), 10'000'000u);
  options.reclaim_delay_ms = 50;
  open();
  EXPECT_TRUE(becomes_true([&] { return value_bytes() < 4'000'000; })) << value_bytes();
  for (size_t i = 0; i <= 200; i += 10) EXPECT_TRUE(get(name(i)) == value(i)) << i;
}

// Nothing else is written, and nobody who is there now saw them die.
TEST_F(LargeValues, WhatWasReplacedBySmallOnesBeforeARestartGivesItsSpaceBack) {
  options.reclaim_delay_ms = 100'000;
  open();
  put_some(0, 60);
  // Into a table: a memtable forgets what is replaced in it.
  open();
  for (size_t i = 0; i < 60; ++i) ASSERT_TRUE(put(name(i), "small").ok());
  options.reclaim_delay_ms = 50;
  open();
  EXPECT_TRUE(becomes_true([&] { return value_bytes() == 0; })) << value_bytes();
  EXPECT_EQ(get(name(7)), "small");
}

TEST_F(LargeValues, WhoReadsFromBeforeStillSeesThem) {
  options.reclaim_delay_ms = 5;
  options.clock = &clock;
  options.limits.read_lifetime_ms = 1'000;
  open();
  put_some(0, 60);
  open();
  const Version before = *engine->read_version().get();
  for (size_t i = 0; i < 60; ++i) remove(name(i));
  // Some looks.
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  for (size_t i = 0; i < 60; ++i) {
    const auto read = engine->get(name(i), before).get();
    ASSERT_TRUE(read.ok()) << read.error().message();
    EXPECT_TRUE(*read == value(i)) << i;
  }
  clock.advance_us(2'000'000);
  EXPECT_TRUE(becomes_true([&] { return value_bytes() == 0; })) << value_bytes();
}

TEST_F(LargeValues, ATreeThatCostsMoreThanTheDeadTakeIsNotCompactedForThem) {
  options.reclaim_delay_ms = 100'000;
  open();
  put_some(0, 20);
  for (size_t i = 0; i < 100; ++i) ASSERT_TRUE(put("noise" + std::to_string(i), noise(i, 40'000)).ok());
  options.reclaim_delay_ms = 20;
  open();
  for (size_t i = 0; i < 20; ++i) remove(name(i));
  // Some looks.
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  EXPECT_GT(value_bytes(), 1'800'000u);
  put_some(20, 60);
  open();
  for (size_t i = 20; i < 60; ++i) remove(name(i));
  EXPECT_TRUE(becomes_true([&] { return value_bytes() == 0; })) << value_bytes();
}

TEST_F(LargeValues, TheFileThatIsWrittenStaysOneWhileItsValuesLive) {
  options.reclaim_delay_ms = 5;
  options.least_garbage_bytes = 100 << 20;
  options.value_file_bytes = 100 << 20;
  open();
  put_some(0, 20);
  for (size_t i = 20; i < 25; ++i) {
    // Some looks.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    put_some(i, i + 1);
  }
  EXPECT_EQ(names_of(".values").size(), 1u);
}

TEST_F(LargeValues, DamageIsSeenByReadersAndByVerify) {
  open();
  put_some(0, 20);
  engine.reset();
  open();
  engine.reset();
  const auto whole = RocksdbEngine::verify(options.directory);
  ASSERT_TRUE(whole.ok()) << whole.error().message();
  EXPECT_GT(whole->file_bytes, 1'500'000u);
  const auto damaged = only_file(".values");
  ASSERT_FALSE(damaged.empty());
  std::fstream file(damaged, std::ios::in | std::ios::out | std::ios::binary);
  const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(damaged) / 2);
  file.seekg(middle);
  const auto byte = static_cast<char>(file.get() ^ 1);
  file.seekp(middle);
  file.put(byte);
  file.close();
  EXPECT_EQ(code(RocksdbEngine::verify(options.directory)), "corruption");
  open();
  size_t broken = 0;
  for (size_t i = 0; i < 20; ++i) {
    const auto read = engine->get(name(i), *engine->read_version().get()).get();
    if (read.ok()) {
      EXPECT_TRUE(*read == value(i)) << i;
    } else {
      EXPECT_EQ(code(read), "corruption");
      ++broken;
    }
  }
  EXPECT_EQ(broken, 1u);
  const auto all = engine->range({.begin = "k", .end = "l", .version = *engine->read_version().get()}).get();
  EXPECT_EQ(code(all), "corruption");
}

TEST_F(LargeValues, AFullDiskRefusesThemAndNothingElse) {
  open();
  ASSERT_TRUE(put("before", "1").ok());
  files->limit_space(".values", 500'000);
  std::string outcome = "ok";
  size_t good = 0;
  for (size_t i = 0; i < 1'000 && outcome == "ok"; ++i) {
    outcome = code(put(name(i), value(i)));
    if (outcome == "ok") ++good;
  }
  EXPECT_EQ(outcome, "disk_full");
  EXPECT_FALSE(get(name(good)));
  EXPECT_TRUE(put("beside", "2").ok());
  files->limit_space("", -1);
  EXPECT_TRUE(put(name(good), value(good)).ok());
  std::filesystem::copy(options.directory, root / "killed");
  options.directory = root / "killed";
  open();
  EXPECT_EQ(get("before"), "1");
  EXPECT_EQ(get("beside"), "2");
  for (size_t i = 0; i <= good; ++i) EXPECT_TRUE(get(name(i)) == value(i)) << i;
}

TEST_F(LargeValues, AreWhatAtomicsAndWatchesSee) {
  open();
  ASSERT_TRUE(put(name(1), value(1)).ok());
  CommitRequest request;
  request.mutations.push_back({MutationType::append_if_fits, request.arena.copy(name(1)), request.arena.copy("tail")});
  // Of a value of the same batch too.
  request.mutations.push_back({MutationType::set, request.arena.copy(name(2)), request.arena.copy(value(2))});
  request.mutations.push_back({MutationType::append_if_fits, request.arena.copy(name(2)), request.arena.copy("tail")});
  ASSERT_TRUE(engine->commit(std::move(request)).get().ok());
  EXPECT_TRUE(get(name(1)) == value(1) + "tail");
  EXPECT_TRUE(get(name(2)) == value(2) + "tail");

  ASSERT_TRUE(put(name(3), value(3)).ok());
  const Version version = *engine->read_version().get();
  Future<void> same = engine->watch(name(3), value(3), version);
  Future<void> other = engine->watch(name(3), value(4), version);
  ASSERT_TRUE(put(name(3), value(3)).ok());
  EXPECT_TRUE(other.get().ok());
  EXPECT_FALSE(same.is_ready());
  ASSERT_TRUE(put(name(3), value(5)).ok());
  EXPECT_TRUE(same.get().ok());
}

TEST_F(LargeValues, CountInEstimates) {
  open();
  put_some(0, 50);
  const int64_t bytes = engine->estimated_bytes(name(0), name(50)).get().value();
  EXPECT_GT(bytes, 4'500'000);
  EXPECT_LT(bytes, 4'600'000);
  const auto points = engine->split_points(name(0), name(50), 1'000'000).get().value();
  EXPECT_GE(points.size(), 4u);
  EXPECT_LE(points.size(), 7u);
}

// What the tree holds in place of a value is nobody's to make up.
TEST_F(LargeValues, NobodyCanMakeUpAReference) {
  open();
  ASSERT_TRUE(put("secret", value(1)).ok());
  Bytes forged(ValueReference::encoded_bytes, '\0');
  encode_reference({.file = 1, .offset = 16 + 24 + 6, .size = 90'000, .hash = value_hash(value(1))}, forged.data());
  ASSERT_TRUE(put("forged", forged).ok());
  EXPECT_TRUE(get("forged") == forged);

  CommitRequest stamped;
  Bytes operand = forged;
  append_le32(operand, 30);
  stamped.mutations.push_back(
      {MutationType::set_versionstamped_value, stamped.arena.copy("stamped"), stamped.arena.copy(operand)});
  EXPECT_EQ(code(engine->commit(std::move(stamped)).get()), "client_invalid_operation");
  CommitRequest atomic;
  atomic.mutations.push_back({MutationType::byte_max, atomic.arena.copy("atomic"), atomic.arena.copy(forged)});
  EXPECT_EQ(code(engine->commit(std::move(atomic)).get()), "client_invalid_operation");
  EXPECT_FALSE(get("stamped"));
  EXPECT_FALSE(get("atomic"));
}

TEST_F(LargeValues, AMoveNeverUndoesAWriteWithoutConflictRange) {
  leave_one_in_ten();
  options.reclaim_delay_ms = 200;
  open();
  const uint64_t before = value_bytes();
  files->hold_log_syncs(true);
  Future<Committed> holds = engine->commit(write("other", "1", Durability::sync));
  ASSERT_TRUE(becomes_true([&] { return files->held() > 0; }));
  CommitRequest blind = write(name(10), "new");
  blind.write_conflicts.clear();
  Future<Committed> written = engine->commit(std::move(blind));
  EXPECT_TRUE(becomes_true([&] { return engine->stats().waiting_commits >= 2 && value_bytes() > before; }));
  files->hold_log_syncs(false);
  ASSERT_TRUE(holds.get().ok());
  ASSERT_TRUE(written.get().ok());
  EXPECT_TRUE(becomes_true([&] { return engine->stats().commits >= 3; }));
  EXPECT_EQ(get(name(10)).value_or("").substr(0, 20), "new");
}

TEST_F(LargeValues, RefusedOnesLeaveNoFiles) {
  options.reclaim_delay_ms = 100'000;
  open();
  ASSERT_TRUE(put(name(1), value(1)).ok());
  files->limit_space(".values", 50'000);
  for (size_t i = 10; i < 60; ++i) ASSERT_EQ(code(put(name(i), value(i))), "disk_full");
  EXPECT_LE(names_of(".values").size(), 2u);
}

TEST_F(LargeValues, AFullDiskThatTakesNoTablesDoesNotStopTheStore) {
  options.reclaim_delay_ms = 5;
  open();
  ASSERT_TRUE(put("k", "1", Durability::sync).ok());
  files->limit_space("s", 50'000);  // .values
  ASSERT_EQ(code(put(name(1), value(1))), "disk_full");
  ASSERT_EQ(code(put(name(1), value(1))), "disk_full");
  files->limit_space("t", 0);  // .sst
  // Some looks at the files of values, which must not come to a flush.
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_TRUE(put("k", "2").ok());
}

TEST_F(LargeValues, VerifySeesThatAllFilesAreGone) {
  open();
  put_some(0, 3);
  engine.reset();
  for (;;) {
    const auto file = only_file(".values");
    if (file.empty()) break;
    std::filesystem::remove(file);
  }
  EXPECT_EQ(code(RocksdbEngine::verify(options.directory)), "corruption");
}

TEST_F(LargeValues, AMoveIsFinishedAfterARestart) {
  leave_one_in_ten();
  options.reclaim_delay_ms = 200;
  open();
  const uint64_t before = value_bytes();
  ASSERT_TRUE(becomes_true([&] { return value_bytes() >= before + 21 * 90'000; }));
  options.reclaim_delay_ms = 50;
  open();
  EXPECT_GT(value_bytes(), before);
  EXPECT_TRUE(becomes_true([&] { return value_bytes() < 4'000'000; })) << value_bytes();
}

TEST_F(LargeValues, WhatIsDeletedOneByOneGivesItsSpaceBack) {
  options.reclaim_delay_ms = 50;
  open();
  put_some(0, 200);
  open();
  for (size_t i = 0; i < 200; ++i) remove(name(i));
  EXPECT_TRUE(becomes_true([&] { return value_bytes() < 4'000'000; })) << value_bytes();
}

TEST_F(LargeValues, WhatIsReplacedOneByOneGivesItsSpaceBack) {
  options.reclaim_delay_ms = 50;
  open();
  for (int round = 0; round < 5; ++round) put_some(0, 60);
  EXPECT_TRUE(becomes_true([&] { return value_bytes() < 11'000'000; })) << value_bytes();
  for (size_t i = 0; i < 60; ++i) EXPECT_TRUE(get(name(i)) == value(i)) << i;
}

TEST_F(LargeValues, TheFileThatIsWrittenGivesItsSpaceBackToo) {
  options.reclaim_delay_ms = 50;
  options.value_file_bytes = 100 << 20;
  open();
  put_some(0, 200);
  clear(name(0), name(200));
  EXPECT_TRUE(becomes_true([&] { return value_bytes() < 4'000'000; })) << value_bytes();
}

}  // namespace
}  // namespace strata::kv
