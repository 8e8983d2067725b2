// What a power cut was once seen to break, each as short as it can be shown. tests/crash draws such things by chance.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>

#include "engine/rocksdb/rocksdb_engine.h"
#include "engine/rocksdb/testing/simulated_disk.h"
#include "kv/database.h"

namespace strata::kv {
namespace {

class SimulatedCrashes : public testing::Test {
 protected:
  ~SimulatedCrashes() override { engine.reset(); }

  Result<void> open(std::shared_ptr<SimulatedDisk> on) {
    engine.reset();
    disk = std::move(on);
    env = rocksdb::NewCompositeEnv(disk);
    RocksdbOptions options;
    options.directory = "/a/b/store";
    options.env = env.get();
    options.durability = Durability::async;
    options.write_buffer_bytes = 64 << 10;
    // Many values lie in files of their own, many of these are dead soon, and their space is given back at once.
    options.large_value_bytes = large_value_bytes;
    options.value_file_bytes = 32 << 10;
    options.reclaim_delay_ms = 1;
    options.least_garbage_bytes = 16 << 10;
    options.gather_part = 0;
    options.spin_during_sync = false;
    options.bulk_load = bulk_load;
    ASSIGN_OR_RETURN(engine, RocksdbEngine::open(options));
    return {};
  }
  Result<Committed> put(BytesView key, BytesView value, Durability durability = Durability::async) {
    CommitRequest request;
    request.durability = durability;
    request.mutations.push_back({MutationType::set, request.arena.copy(key), request.arena.copy(value)});
    return engine->commit(std::move(request)).get();
  }
  static Bytes contents(SimulatedDisk& on, const std::string& name) {
    std::unique_ptr<rocksdb::FSSequentialFile> file;
    if (!on.NewSequentialFile("/a/b/store/" + name, {}, &file, nullptr).ok()) return "";
    Bytes bytes(4'096, '\0');
    rocksdb::Slice found;
    EXPECT_TRUE(file->Read(bytes.size(), {}, &found, bytes.data(), nullptr).ok());
    bytes.resize(found.size());
    return bytes;
  }
  bool has(BytesView key) { return engine->get(key, *engine->read_version().get()).get()->has_value(); }

  bool bulk_load = false;
  size_t large_value_bytes = 1'000;
  std::shared_ptr<SimulatedDisk> disk = std::make_shared<SimulatedDisk>();
  std::unique_ptr<rocksdb::Env> env;
  std::shared_ptr<RocksdbEngine> engine;
};

// Nobody had synced the names of the directories that were made for the store.
TEST_F(SimulatedCrashes, ANewStoreIsThereAfterItsFirstDurableCommit) {
  ASSERT_TRUE(open(disk).ok());
  ASSERT_TRUE(put("k", "v", Durability::sync).ok());
  const std::shared_ptr<SimulatedDisk> running = disk;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Result<void> opened = open(running->cut_power(seed));
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    EXPECT_TRUE(has("k"));
  }
}

// A new store makes two manifests; nobody had synced the name of the second when CURRENT named it.
TEST_F(SimulatedCrashes, TheFirstOpenOfAStoreMayBeCutAtAnyCall) {
  std::map<uint64_t, std::shared_ptr<SimulatedDisk>> cuts;
  uint64_t seed = 0;
  disk->watch_changes([&, raw = disk.get()](int64_t) {
    for (int i = 0; i < 50; ++i) {
      auto cut = raw->cut_power(++seed);
      cuts.emplace(cut->fingerprint(), std::move(cut));
    }
  });
  ASSERT_TRUE(open(disk).ok());
  disk->watch_changes(nullptr);
  for (const auto& [fingerprint, cut] : cuts) {
    const Result<void> opened = open(cut);
    EXPECT_TRUE(opened.ok()) << opened.error().message();
  }
}

// The first log ends where nothing is written ahead: losing its last record leaves no trace in it, and the records of
// the second log would come back without it.
TEST_F(SimulatedCrashes, ALogThatLostItsEndHidesNoHole) {
  large_value_bytes = 100'000;
  ASSERT_TRUE(open(disk).ok());
  const Bytes longer_than_what_is_written_ahead(90'000, 'v');
  ASSERT_TRUE(put("durable", longer_than_what_is_written_ahead, Durability::sync).ok());
  const int commits = 12;
  // Each fills a memtable: the next one goes to another log.
  for (int i = 0; i < commits; ++i) {
    ASSERT_TRUE(put("k" + std::to_string(i), i % 2 == 0 ? BytesView(longer_than_what_is_written_ahead) : "short").ok());
  }
  const std::shared_ptr<SimulatedDisk> running = disk;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    ASSERT_TRUE(open(running->cut_power(seed)).ok());
    EXPECT_TRUE(has("durable"));
    int last = -1;
    for (int i = 0; i < commits; ++i) {
      if (!has("k" + std::to_string(i))) continue;
      EXPECT_EQ(last, i - 1) << "seed " << seed;
      last = i;
    }
  }
}

// A record of the manifest whose pages were lost in part; RocksDB refuses to open a store with one.
TEST_F(SimulatedCrashes, ATornManifestIsCutBackToItsLastSync) {
  ASSERT_TRUE(open(disk).ok());
  std::vector<std::shared_ptr<SimulatedDisk>> cuts;
  uint64_t seed = 0;
  disk->watch_changes([&, raw = disk.get()](int64_t) {
    if (cuts.size() < 150) cuts.push_back(raw->cut_power(++seed));
  });
  // A flush names its smallest and its largest key there: records of many pages.
  for (int i = 0; i < 30; ++i) {
    const Bytes key = Bytes(9'000, 'k') + std::to_string(i);
    ASSERT_TRUE(put(key, Bytes(30'000, 'v'), Durability::sync).ok());
  }
  disk->watch_changes(nullptr);
  for (const auto& cut : cuts) {
    const Result<void> opened = open(cut);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
  }
}

// The notes on a manifest were once written anew at each open, in place of the last run's: where that was torn, the
// newest could be lost and the one before be left, and a record was cut off that had been acted on already.
TEST_F(SimulatedCrashes, ACutOpenKeepsAllThatTheManifestHeld) {
  bulk_load = true;
  ASSERT_TRUE(open(disk).ok());
  // Each is a flush, and a record of the manifest.
  for (const char* key : {"k", "l", "m"}) ASSERT_TRUE(put(key, "v", Durability::sync).ok());
  engine.reset();
  std::map<Bytes, std::shared_ptr<SimulatedDisk>> cuts;  // by what a start reads first
  uint64_t seed = 0;
  disk->watch_changes([&, raw = disk.get()](int64_t) {
    for (int i = 0; i < 100; ++i) {
      auto cut = raw->cut_power(++seed);
      const Bytes read_first = contents(*cut, "CURRENT") + contents(*cut, "STRATA-MANIFEST");
      cuts.emplace(read_first, std::move(cut));
    }
  });
  ASSERT_TRUE(open(disk).ok());
  disk->watch_changes(nullptr);
  EXPECT_GE(cuts.size(), 3U);
  for (const auto& [read_first, cut] : cuts) {
    const Result<void> opened = open(cut);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    for (const char* key : {"k", "l", "m"}) EXPECT_TRUE(has(key)) << key;
  }
}

TEST_F(SimulatedCrashes, ABulkLoadLeavesAStateBetweenCommitsAndAllBeforeTheLastSync) {
  bulk_load = true;
  large_value_bytes = 8'000;
  ASSERT_TRUE(open(disk).ok());
  // Where a commit that was answered as durable was there, each later cut must show it.
  std::vector<std::pair<std::shared_ptr<SimulatedDisk>, int>> cuts;
  uint64_t seed = 0;
  // Calls of the disk come from the threads of the engine.
  std::atomic<int> durable = -1;
  disk->watch_changes([&, raw = disk.get()](int64_t) {
    if (cuts.size() < 300) cuts.emplace_back(raw->cut_power(++seed), durable.load());
  });
  const int commits = 120;
  for (int i = 0; i < commits; ++i) {
    const bool sync = i % 40 == 39;
    // Memtables of 64 KiB: flushes come between syncs too. Each third value lies in a file of its own.
    const Bytes value(i % 3 == 0 ? 9'000 : 5'000, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(put("k" + std::to_string(i), value, sync ? Durability::sync : Durability::async).ok());
    if (sync) durable = i;
  }
  disk->watch_changes(nullptr);
  cuts.emplace_back(disk->cut_power(++seed), durable.load());
  bool was_between = false;
  for (const auto& [cut, promised] : cuts) {
    // Whoever opens it next need not know.
    bulk_load = !bulk_load;
    const Result<void> opened = open(cut);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    int last = -1;
    for (int i = 0; i < commits; ++i) {
      if (!has("k" + std::to_string(i))) continue;
      ASSERT_EQ(last, i - 1);
      last = i;
    }
    EXPECT_GE(last, promised);
    was_between = was_between || (last >= 0 && last % 40 != 39);
  }
  EXPECT_GT(cuts.size(), 20U);
  EXPECT_TRUE(was_between);
  EXPECT_EQ(durable.load(), commits - 1);
}

TEST_F(SimulatedCrashes, WhatIsLoadedInBulkIsThereAfterTheEngineHasEnded) {
  bulk_load = true;
  ASSERT_TRUE(open(disk).ok());
  ASSERT_TRUE(put("k", "v").ok());
  ASSERT_TRUE(put("l", Bytes(2'000, 'v')).ok());
  engine.reset();
  bulk_load = false;
  ASSERT_TRUE(open(disk->cut_power(1)).ok());
  EXPECT_TRUE(has("k"));
  EXPECT_TRUE(has("l"));
}

TEST_F(SimulatedCrashes, AFlushThatFailsEndsABulkLoad) {
  bulk_load = true;
  ASSERT_TRUE(open(disk).ok());
  ASSERT_TRUE(put("k", "v").ok());
  disk->fail({DiskCall::sync, 1, ".sst", false, 1});
  const Result<Committed> failed = put("l", "v", Durability::sync);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code(), ErrorCode::commit_unknown_result) << failed.error().message();
  EXPECT_FALSE(engine->health().ok());
  EXPECT_FALSE(put("m", "v").ok());
}

// The second attempt is refused, since writes have stopped; whether the first one is on the disk, nobody knows.
TEST_F(SimulatedCrashes, AnUnknownCommitStaysUnknownWhenWritesStop) {
  ASSERT_TRUE(open(disk).ok());
  ASSERT_TRUE(put("k", "v", Durability::sync).ok());
  disk->fail({DiskCall::sync, 1, ".log", false, 1});
  const Database database(engine);
  int attempts = 0;
  const Result<void> done = database.run([&](Transaction& transaction) -> Result<void> {
    EXPECT_EQ(transaction.unknown_since().has_value(), attempts++ > 0);
    transaction.set_durability(Durability::sync);
    transaction.set("k", "w");
    return {};
  });
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(done.error().code(), ErrorCode::commit_unknown_result);
  EXPECT_NE(done.error().message().find("opened again"), std::string_view::npos) << done.error().message();
}

// Bytes that were synced are not what a power cut leaves: nothing is cut off for them.
TEST_F(SimulatedCrashes, DamageOfAManifestIsReported) {
  ASSERT_TRUE(open(disk).ok());
  ASSERT_TRUE(put("k", "v", Durability::sync).ok());
  engine.reset();
  std::vector<std::string> names;
  ASSERT_TRUE(disk->GetChildren("/a/b/store", {}, &names, nullptr).ok());
  for (const std::string& name : names) {
    if (name.starts_with("MANIFEST-")) disk->flip_bit("/a/b/store/" + name, 20);
  }
  const Result<void> opened = open(disk);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::corruption) << opened.error().message();
}

}  // namespace
}  // namespace strata::kv
