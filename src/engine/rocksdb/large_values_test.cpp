// Values that lie in files of their own: they come back, damage of them is seen, and their space is given back.
#include <gtest/gtest.h>

#include <fstream>

#include "base/random.h"
#include "engine/rocksdb/engine_fixture.h"

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
    options.most_large_bytes_in_memory = 1 << 20;
  }

  static Bytes name(size_t i) { return "k" + std::to_string(1'000 + i); }
  static Bytes value(size_t i) {
    Random random(i);
    Bytes bytes(90'000, '\0');
    for (char& c : bytes) c = static_cast<char>(random.next());
    return bytes;
  }
  void put_some(size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) ASSERT_TRUE(put(name(i), value(i)).ok());
  }
  void clear(BytesView begin, BytesView end) {
    CommitRequest request;
    request.mutations.push_back({MutationType::clear_range, request.arena.copy(begin), request.arena.copy(end)});
    ASSERT_TRUE(engine->commit(std::move(request)).get().ok());
  }
  uint64_t blob_bytes() const {
    uint64_t bytes = 0;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
      if (entry.path().extension() != ".blob") continue;
      const uint64_t size = entry.file_size(gone);
      if (!gone) bytes += size;
    }
    return bytes;
  }
};

TEST_F(LargeValues, LeaveTheMemtableEarlyAndComeBack) {
  open();
  put_some(0, 100);
  EXPECT_TRUE(becomes_true([&] { return blob_bytes() > 6'000'000; }));
  EXPECT_LT(engine->stats().memtable_bytes, 5u << 20);
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
  EXPECT_TRUE(becomes_true([&] { return blob_bytes() > 15'000'000; }));
  clear(name(0), name(199));
  EXPECT_TRUE(becomes_true([&] { return blob_bytes() < 2'000'000; }));
  EXPECT_FALSE(get(name(0)));
  EXPECT_TRUE(get(name(199)) == value(199));
}

// Every file keeps some living values: they are moved when most of the bytes are dead.
TEST_F(LargeValues, LivingOnesMoveOutOfFilesThatAreMostlyDead) {
  open();
  put_some(0, 200);
  for (size_t i = 0; i < 200; ++i) {
    if (i % 10 != 0) ASSERT_TRUE(put(name(i), "small").ok());
  }
  EXPECT_GT(blob_bytes(), 10'000'000u);
  // A compaction finds out what is dead; the next look at the sum moves the rest.
  put_some(300, 320);
  clear(name(300), name(320));
  EXPECT_TRUE(becomes_true([&] { return blob_bytes() < 4'000'000; })) << blob_bytes();
  for (size_t i = 0; i < 200; i += 10) EXPECT_TRUE(get(name(i)) == value(i)) << i;
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
  const auto damaged = only_file(".blob");
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

TEST_F(LargeValues, AFullDiskStopsCommitsAndLosesNothing) {
  open();
  ASSERT_TRUE(put("before", "1").ok());
  files->limit_space(".blob", 500'000);
  std::string outcome = "ok";
  size_t good = 0;
  for (size_t i = 0; i < 1'000 && outcome == "ok"; ++i) {
    outcome = code(put(name(i), value(i)));
    if (outcome == "ok") ++good;
  }
  EXPECT_EQ(outcome, "disk_full");
  EXPECT_EQ(get("before"), "1");
  files->limit_space("", -1);
  std::filesystem::copy(options.directory, root / "killed");
  options.directory = root / "killed";
  open();
  for (size_t i = 0; i < good; ++i) EXPECT_TRUE(get(name(i)) == value(i)) << i;
}

}  // namespace
}  // namespace strata::kv
