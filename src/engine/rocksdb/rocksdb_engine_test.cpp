#include "engine/rocksdb/rocksdb_engine.h"

#include <rocksdb/db.h>
#include <xxhash.h>

#include <map>

#include "engine/rocksdb/engine_fixture.h"

namespace strata::kv {
namespace {

using RocksdbStore = RocksdbTest;
using RocksdbCommits = RocksdbTest;

TEST_F(RocksdbStore, RestartKeepsDataAndLeavesAGapInVersions) {
  open();
  ASSERT_TRUE(put("a", "1").ok());
  clock.advance_us(5'000'000);
  const Version before = put("b", "2").value().version;
  open();
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(get("b"), "2");
  EXPECT_GE(*engine->read_version().get(), before + 100'000'000);
  EXPECT_GT(put("c", "3").value().version, before + 100'000'000);
}

// Versions go with the clock, also while nobody writes: the first commit after that, however long it was.
TEST_F(RocksdbCommits, TakesWritesAfterDaysOfNone) {
  open();
  ASSERT_TRUE(put("a", "0").ok());
  for (const int64_t hours : {1, 24, 24 * 365}) {
    clock.advance_us(hours * 3'600'000'000);
    const Version before = *engine->read_version().get();
    ASSERT_TRUE(engine->commit(read_write("a", before, "a", "1")).get().ok());
    const auto late = engine->commit(read_write("a", before, "a", "2")).get();
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.error().code(), ErrorCode::not_committed);
  }
}

// A run that wrote nothing handed out versions too.
TEST_F(RocksdbStore, EveryOpeningLeavesAGap) {
  open();
  const Version first = *engine->read_version().get();
  open();
  EXPECT_GE(*engine->read_version().get(), first + 100'000'000);
}

TEST_F(RocksdbStore, OwnKeysAreOutOfReach) {
  open();
  ASSERT_TRUE(put("a", "1").ok());
  const Version version = *engine->read_version().get();
  const Bytes own = "\xff\xff/strata/version";
  EXPECT_EQ(*engine->get(own, version).get(), std::nullopt);
  EXPECT_EQ(engine->range({.begin = "", .end = "\xff\xff\xff", .version = version}).get()->rows.size(), 1u);
  EXPECT_EQ(engine->range({.begin = "", .end = "\xff\xff\xff", .version = version, .reverse = true}).get()->rows.size(),
            1u);
  EXPECT_EQ(code(put(own, "x")), "key_outside_legal_range");
  CommitRequest clear;
  clear.mutations.push_back({MutationType::clear_range, "a", "\xff\xff\xff"});
  EXPECT_EQ(code(engine->commit(std::move(clear)).get()), "key_outside_legal_range");
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(code(put("\xff\x02", "system keys are the transaction's to guard")), "ok");
}

TEST_F(RocksdbStore, IsOpenedOnce) {
  open();
  const Result<std::shared_ptr<RocksdbEngine>> second = RocksdbEngine::open(options);
  EXPECT_EQ(code(second), "unavailable");
  EXPECT_NE(second.error().message().find("already in use"), std::string::npos) << second.error().message();
  EXPECT_TRUE(put("a", "1").ok());
}

TEST_F(RocksdbStore, ANewerFormatIsRefusedAndLeftAlone) {
  open();
  engine.reset();
  std::ofstream(options.directory / "STRATA-FORMAT") << "strata rocksdb store\nformat 3\n";
  const auto before = contents(options.directory);
  const Result<void> opened = try_open();
  EXPECT_EQ(code(opened), "invalid_argument");
  EXPECT_NE(opened.error().message().find("newer"), std::string::npos) << opened.error().message();
  EXPECT_EQ(code(RocksdbEngine::verify(options.directory)), "invalid_argument");
  EXPECT_EQ(contents(options.directory), before);
}

// An older version would show references as values.
TEST_F(RocksdbStore, AnOlderFormatIsReadAndMarkedAsThisOne) {
  open();
  ASSERT_TRUE(put("a", "1").ok());
  engine.reset();
  std::ofstream(options.directory / "STRATA-FORMAT") << "strata rocksdb store\nformat 1\n";
  EXPECT_EQ(RocksdbEngine::verify(options.directory).value().format, 1);
  open();
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(contents(options.directory)["STRATA-FORMAT"], "strata rocksdb store\nformat 2\n");
}

TEST_F(RocksdbStore, AForeignDirectoryIsRefusedAndLeftAlone) {
  std::filesystem::create_directories(options.directory);
  std::ofstream(options.directory / "letter.txt") << "dear reader";
  const auto before = contents(options.directory);
  EXPECT_EQ(code(try_open()), "invalid_argument");
  EXPECT_EQ(contents(options.directory), before);
  for (const char* text : {"", "strata rocksdb store\n", "strata rocksdb store\nformat x\n", "other\nformat 1\n",
                           "strata rocksdb store\nformat 0\n", "strata rocksdb store\nformat 1 \n"}) {
    std::ofstream(options.directory / "STRATA-FORMAT", std::ios::trunc) << text;
    EXPECT_EQ(code(try_open()), "invalid_argument") << text;
  }
}

TEST_F(RocksdbStore, ADirectoryThatIsAFileIsAnError) {
  std::ofstream(options.directory) << "in the way";
  EXPECT_EQ(code(try_open()), "io_error");
}

TEST_F(RocksdbStore, VerifyReadsEverythingAndChangesNothing) {
  open();
  for (int i = 0; i < 2'000; ++i) {
    ASSERT_TRUE(put("key" + std::to_string(i), Bytes(200, 'v'), Durability::async).ok());
  }
  // Opening writes what the log holds into a table.
  open();
  const Version version = *engine->read_version().get();
  engine.reset();
  const auto before = contents(options.directory);
  const Result<RocksdbReport> report = RocksdbEngine::verify(options.directory);
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(contents(options.directory), before);
  EXPECT_EQ(report->format, 2);
  EXPECT_EQ(report->version, version);
  EXPECT_GE(report->files, 1u);
  EXPECT_GE(report->keys, 2'000u);

  const auto table = only_file(".sst");
  std::fstream file(table, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(table) / 3));
  file.put('!');
  file.close();
  EXPECT_EQ(code(RocksdbEngine::verify(options.directory)), "corruption");
}

Bytes note(BytesView begin, uint64_t number, BytesView manifest) {
  Bytes out(begin);
  append_le64(out, number);
  append_le64(out, manifest.size());
  append_le64(out, XXH3_64bits(manifest.data(), manifest.size()));
  append_le64(out, XXH3_64bits(out.data(), out.size()));
  return out;
}

void expect_documented_note(std::map<std::string, Bytes> files) {
  const Bytes name = files["CURRENT"].substr(0, files["CURRENT"].size() - 1);
  const Bytes notes = files["STRATA-MANIFEST"];
  ASSERT_EQ(notes.size(), 1'024u);
  const uint64_t sequences[] = {read_le64(BytesView(notes).substr(8)), read_le64(BytesView(notes).substr(520))};
  const BytesView newest = BytesView(notes).substr(sequences[0] > sequences[1] ? 0 : 512, 48);
  EXPECT_EQ(newest.substr(0, 8), BytesView("strata\0\1", 8));
  EXPECT_EQ(newest, note(newest.substr(0, 16), std::stoull(name.substr(9)), files[name]));
}

// docs/formats/rocksdb-store.md, format 1, byte for byte.
TEST_F(RocksdbStore, TheLayoutIsAsDocumented) {
  open();
  ASSERT_TRUE(put("a", "1").ok());
  const Version version = put("\xff\x02system", "2").value().version;
  engine.reset();
  EXPECT_EQ(contents(options.directory)["STRATA-FORMAT"], "strata rocksdb store\nformat 2\n");
  expect_documented_note(contents(options.directory));
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::OpenForReadOnly(rocksdb::Options(), options.directory.string(), &opened).ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  const std::unique_ptr<rocksdb::Iterator> iterator(db->NewIterator(rocksdb::ReadOptions()));
  std::vector<std::pair<Bytes, Bytes>> found;
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    found.emplace_back(iterator->key().ToString(), iterator->value().ToString());
  }
  Bytes stored_version;
  append_be64(stored_version, static_cast<uint64_t>(version));
  const std::vector<std::pair<Bytes, Bytes>> expected{
      {"a", "1"}, {"\xff\x02system", "2"}, {"\xff\xff/strata/version", stored_version}};
  EXPECT_EQ(found, expected);
}

TEST_F(RocksdbStore, VerifyOfNothingIsAnError) {
  EXPECT_EQ(code(RocksdbEngine::verify(root / "nothing")), "invalid_argument");
}

TEST_F(RocksdbStore, ClosingAnswersWhatWaits) {
  open();
  std::vector<Future<Committed>> futures;
  for (int i = 0; i < 1'000; ++i) futures.push_back(engine->commit(write("k" + std::to_string(i), "v")));
  engine.reset();
  for (Future<Committed>& future : futures) EXPECT_TRUE(future.get().ok());
  open();
  EXPECT_EQ(get("k999"), "v");
}

TEST_F(RocksdbCommits, WhatWaitsBecomesOneBatch) {
  open();
  files->hold_log_syncs(true);
  Future<Committed> first = engine->commit(write("first", ""));
  ASSERT_TRUE(becomes_true([&] { return files->held() == 1; }));
  const Version version = *engine->read_version().get();
  std::vector<Future<Committed>> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(engine->commit(write("k" + std::to_string(i), "v")));
  // In their order: one that read what an earlier one of the batch writes is refused, and its own write is no
  // conflict for the next.
  Future<Committed> loser = engine->commit(read_write("k50", version, "lost", "x"));
  Future<Committed> winner = engine->commit(read_write("lost", version, "won", "x"));
  const uint64_t syncs = engine->stats().syncs;
  files->hold_log_syncs(false);
  EXPECT_TRUE(first.get().ok());
  Version batch = invalid_version;
  for (int i = 0; i < 100; ++i) {
    const Committed committed = futures[static_cast<size_t>(i)].get().value();
    if (i == 0) batch = committed.version;
    EXPECT_EQ(committed.version, batch);
    EXPECT_EQ(committed.batch_order, i);
  }
  EXPECT_EQ(code(loser.get()), "not_committed");
  EXPECT_EQ(winner.get().value().batch_order, 100);
  const RocksdbStats stats = engine->stats();
  EXPECT_EQ(stats.batches, 2u);
  EXPECT_EQ(stats.commits, 102u);
  EXPECT_EQ(stats.conflicts, 1u);
  EXPECT_EQ(stats.last_batch_commits, 101u);
  EXPECT_EQ(stats.syncs - syncs, 2u);
  EXPECT_EQ(get("lost"), std::nullopt);
  EXPECT_EQ(get("won"), "x");
}

TEST_F(RocksdbCommits, NothingIsVisibleBeforeItsSync) {
  open();
  files->hold_log_syncs(true);
  Future<Committed> future = engine->commit(write("a", "1"));
  ASSERT_TRUE(becomes_true([&] { return files->held() == 1; }));
  EXPECT_EQ(get("a"), std::nullopt);
  EXPECT_FALSE(future.is_ready());
  files->hold_log_syncs(false);
  const Version version = future.get().value().version;
  EXPECT_EQ(*engine->get("a", version).get(), "1");
}

TEST_F(RocksdbCommits, TheQueueIsLimited) {
  options.queue_bytes = 100'000;
  open();
  files->hold_log_syncs(true);
  Future<Committed> first = engine->commit(write("first", ""));
  ASSERT_TRUE(becomes_true([&] { return files->held() == 1; }));
  std::vector<Future<Committed>> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(engine->commit(write("k" + std::to_string(i), Bytes(10'000, 'v'))));
  files->hold_log_syncs(false);
  int done = 0;
  int refused = 0;
  for (Future<Committed>& future : futures) {
    const std::string outcome = code(future.get());
    done += outcome == "ok" ? 1 : 0;
    refused += outcome == "commit_proxy_memory_limit_exceeded" ? 1 : 0;
  }
  EXPECT_EQ(done + refused, 100);
  EXPECT_GE(done, 5);
  EXPECT_GE(refused, 80);
  EXPECT_TRUE(put("later", "1").ok());
}

TEST_F(RocksdbCommits, AsyncCommitsAreSyncedSoon) {
  open();
  const uint64_t syncs = engine->stats().syncs;
  ASSERT_TRUE(put("a", "1", Durability::async).ok());
  EXPECT_TRUE(becomes_true([&] { return engine->stats().syncs == syncs + 1; }));
  ASSERT_TRUE(put("b", "1", Durability::sync).ok());
  EXPECT_EQ(engine->stats().syncs, syncs + 2);
}

TEST_F(RocksdbCommits, SyncMakesAsyncCommitsDurable) {
  options.durability = Durability::async;
  open();
  ASSERT_TRUE(put("a", "1").ok());
  ASSERT_TRUE(engine->sync().ok());
  files->cut_power(options.directory, root / "after", 1);
  options.directory = root / "after";
  open();
  EXPECT_EQ(get("a"), "1");
}

TEST_F(RocksdbCommits, SnapshotsNobodyAskedForAreDropped) {
  options.durability = Durability::async;
  open();
  const Version kept = *engine->read_version().get();
  Version own = invalid_version;
  for (int i = 0; i < 6'000; ++i) {
    const Committed committed = put("a", std::to_string(i)).value();
    if (i == 10) own = committed.version;
  }
  const uint64_t snapshots = engine->stats().snapshots;
  EXPECT_LT(snapshots, 4'200u);
  EXPECT_GT(snapshots, 4'000u);
  EXPECT_EQ(*engine->get("a", kept).get(), std::nullopt);
  // Long ago, and nobody asked for it: too old rather than wrong.
  EXPECT_EQ(code(engine->get("a", own).get()), "transaction_too_old");
  // By time alone, without another commit.
  clock.advance_us(6'000'000);
  EXPECT_TRUE(becomes_true([&] { return engine->stats().snapshots == 1; }));
  EXPECT_EQ(get("a"), "5999");
}

// Range tombstones make every read of the memtable dearer: they leave it long before it is full.
TEST_F(RocksdbCommits, ManyLargeClearsFlushTheMemtable) {
  options.durability = Durability::async;
  options.most_range_deletions = 3;
  open();
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(only_file(".sst").empty());
    CommitRequest fill;
    for (int i = 0; i < 600; ++i) {
      fill.mutations.push_back({MutationType::set, fill.arena.copy("k" + std::to_string(i)), "v"});
    }
    ASSERT_TRUE(engine->commit(std::move(fill)).get().ok());
    CommitRequest clear;
    clear.mutations.push_back({MutationType::clear_range, "k", "l"});
    ASSERT_TRUE(engine->commit(std::move(clear)).get().ok());
    EXPECT_EQ(get("k0"), std::nullopt);
  }
  EXPECT_TRUE(becomes_true([&] { return !only_file(".sst").empty(); }));
  ASSERT_TRUE(put("k0", "again").ok());
  EXPECT_EQ(get("k0"), "again");
  EXPECT_EQ(get("k1"), std::nullopt);
}

// Keys of a batch are put into the memtable from where the last one went; range deletions have a list of their own.
TEST_F(RocksdbCommits, SortedKeysAndRangeDeletionsInTurn) {
  options.durability = Durability::async;
  open();
  const auto name = [](int i) { return "k" + std::to_string(10'000 + i); };
  for (int round = 0; round < 20; ++round) {
    CommitRequest fill;
    for (int i = round; i < 6'000; i += 7) {
      fill.mutations.push_back({MutationType::set, fill.arena.copy(name(i)), fill.arena.copy(std::to_string(round))});
    }
    ASSERT_TRUE(engine->commit(std::move(fill)).get().ok());
    const int from = round * 200;
    CommitRequest clear;
    clear.mutations.push_back(
        {MutationType::clear_range, clear.arena.copy(name(from)), clear.arena.copy(name(from + 1'500))});
    clear.mutations.push_back({MutationType::set, clear.arena.copy(name(from + 700)), "kept"});
    ASSERT_TRUE(engine->commit(std::move(clear)).get().ok());
    const Version now = engine->read_version().get().value();
    EXPECT_EQ(*engine->get(name(from), now).get(), std::nullopt);
    EXPECT_EQ(*engine->get(name(from + 700), now).get(), "kept");
  }
  const auto rows = [&] {
    std::map<Bytes, Bytes> found;
    const Version now = engine->read_version().get().value();
    const RangePage page = engine->range({.begin = "k", .end = "l", .version = now}).get().value();
    EXPECT_FALSE(page.more);
    for (size_t i = 0; i < page.rows.size(); ++i) found.emplace(page.rows.key(i), page.rows.value(i));
    return found;
  };
  const auto before = rows();
  // By hand.
  std::map<Bytes, Bytes> expected;
  for (int round = 0; round < 20; ++round) {
    for (int i = round; i < 6'000; i += 7) expected[name(i)] = std::to_string(round);
    const int from = round * 200;
    expected.erase(expected.lower_bound(name(from)), expected.lower_bound(name(from + 1'500)));
    expected[name(from + 700)] = "kept";
  }
  EXPECT_EQ(before, expected);
  // From the log, without hints.
  open();
  EXPECT_EQ(rows(), expected);
}

// Ranges that overlap are one deletion.
TEST_F(RocksdbCommits, OverlappingLargeClears) {
  options.durability = Durability::async;
  options.most_range_deletions = 2;
  open();
  CommitRequest fill;
  for (int i = 0; i < 600; ++i) {
    fill.mutations.push_back({MutationType::set, fill.arena.copy("k" + std::to_string(i)), "v"});
  }
  ASSERT_TRUE(engine->commit(std::move(fill)).get().ok());
  CommitRequest clears;
  for (int i = 0; i < 1'100; ++i) {
    const BytesView end = clears.arena.copy("l" + std::to_string(10'000 + i));
    clears.mutations.push_back({MutationType::clear_range, "k", end});
  }
  clears.mutations.push_back({MutationType::set, "k5", "after"});
  ASSERT_TRUE(engine->commit(std::move(clears)).get().ok());
  EXPECT_EQ(get("k0"), std::nullopt);
  EXPECT_EQ(get("k5"), "after");
  EXPECT_TRUE(only_file(".sst").empty());
}

TEST_F(RocksdbCommits, ReadersAndSnapshotsThatComeAndGo) {
  options.durability = Durability::async;
  options.limits.read_lifetime_ms = 1;
  options.clock = &system_clock();
  open();
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> good_reads = 0;
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      while (!stop) {
        const Version version = *engine->read_version().get();
        const auto left = engine->get("left", version).get();
        const auto right = engine->get("right", version).get();
        if (left.ok() && right.ok()) {
          EXPECT_EQ(*left, *right);
          ++good_reads;
        } else {
          EXPECT_EQ(code(left.ok() ? right : left), "transaction_too_old");
        }
      }
    });
  }
  for (int i = 0; i < 3'000 || good_reads < 100; ++i) {
    CommitRequest request = write("left", std::to_string(i));
    request.mutations.push_back({MutationType::set, "right", request.mutations[0].value});
    ASSERT_TRUE(engine->commit(std::move(request)).get().ok());
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace strata::kv
