#include "service/backups.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/crc32.h"
#include "base/random.h"
#include "engine/memory/memory_engine.h"
#include "layers/records/backup_chain.h"
#include "layers/records/backup_file_test.h"
#include "layers/records/store_test.h"
#include "service/namespace_loader.h"
#include "service/objects.h"
#include "service/records.h"
#include "service/restore.h"

namespace strata::service {
namespace {

using records::object_chunk_bytes;

Bytes some_bytes(size_t size, uint64_t seed) {
  Random random(seed);
  Bytes bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  return bytes;
}

// A store with its services, and a directory for backups.
class Store {
 public:
  Store()
      : database_(std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{}), {.max_retry_delay_ms = 1}),
        records_(database_, {.signal = &signal_}),
        log_(database_, signal_, {.segment_bytes = 20'000, .pass_interval_us = 0}),
        objects_(database_, {.signal = &signal_, .pass_interval_ms = 3'600'000}),
        backups_(database_, log_, objects_, {.directory = directory()}) {
    EXPECT_TRUE(records_.open({}).ok());
    EXPECT_TRUE(log_.open().ok());
    EXPECT_TRUE(objects_.open().ok());
  }
  ~Store() { std::filesystem::remove_all(directory_); }

  void write(const std::vector<Operation>& operations) {
    const auto written = records_.write({}, {.name_space = "default", .operations = operations});
    EXPECT_TRUE(written.ok()) << (written.ok() ? "" : written.error().message());
  }
  void put(BytesView key, BytesView value) { write({{.type = OperationType::put_value, .key = key, .value = value}}); }
  void put_object(BytesView key, BytesView bytes) {
    auto writer = objects_.create({}, "default");
    ASSERT_TRUE(writer.ok() && (*writer)->append(bytes).ok());
    change_object(key, writer->get());
  }
  void delete_object(BytesView key) { change_object(key, nullptr); }

  Bytes snapshot(std::string_view name = "default") {
    auto stream = backups_.stream_snapshot({}, name);
    EXPECT_TRUE(stream.ok());
    Bytes all;
    for (;;) {
      auto bytes = (*stream)->read();
      EXPECT_TRUE(bytes.ok()) << (bytes.ok() ? "" : bytes.error().message());
      if (!bytes.ok() || bytes->empty()) return all;
      all += *bytes;
    }
  }

  Result<records::BackupPlace> load(BytesView snapshot, std::string_view name) {
    ASSIGN_OR_RETURN(const auto loader, NamespaceLoader::begin(database_, {.batch_bytes = 10'000}));
    records::BackupChain chain(*loader, std::nullopt);
    BytesSource source(snapshot);
    RETURN_IF_ERROR(chain.add(source));
    RETURN_IF_ERROR(chain.finish());
    RETURN_IF_ERROR(loader->reveal({.name = name, .place = chain.place()}));
    return chain.place();
  }

  std::vector<std::string> back_up_log() {
    const auto done =
        backups_.back_up_log({}, {.name_space = "default", .directory = *BackupPath::of_directory("wal", "x")},
                             std::make_shared<StopFlag>());
    EXPECT_TRUE(done.ok()) << (done.ok() ? "" : done.error().message());
    std::vector<std::string> paths;
    for (const LogBackup& backup : *done) paths.push_back(backup.path);
    return paths;
  }

  // What is in a namespace that nobody writes to.
  std::string contents(std::string_view name) {
    const Bytes bytes = snapshot(name);
    BytesSource source(bytes);
    records::BackupReader reader(source);
    EXPECT_TRUE(reader.read_header().ok());
    std::string text;
    Bytes row;
    for (;;) {
      const auto item = reader.next();
      EXPECT_TRUE(item.ok());
      if (!item.ok() || item->type == records::BackupItemType::end) return text;
      // Rows are named again where a frame begins, which depends on nothing that matters.
      if (item->type == records::BackupItemType::row && row == item->key) continue;
      if (item->type == records::BackupItemType::row) row = item->key;
      Crc32 crc;
      crc.update(item->bytes);
      text += std::to_string(static_cast<int>(item->type)) + printable(item->key, 30) + "/" + printable(item->name) +
              "/" + printable(item->object.key) + std::to_string(item->object.reference.checksum) + "=" +
              std::to_string(item->bytes.size()) + ":" + std::to_string(crc.value()) + "\n";
    }
  }

  std::string directory() {
    if (directory_.empty()) {
      std::string name = (std::filesystem::temp_directory_path() / "strata-backups-XXXXXX").string();
      EXPECT_NE(::mkdtemp(name.data()), nullptr);
      directory_ = name;
    }
    return directory_;
  }

  size_t keys() { return records::dump(database_, "", "\xFF").size(); }

  std::string directory_;
  kv::Database database_;
  LogSignal signal_;
  Records records_;
  Log log_;
  Objects objects_;
  Backups backups_;

 private:
  void change_object(BytesView key, ObjectWriter* writer) {
    const ObjectChange change{.key = key, .writer = writer};
    const auto stamp = objects_.commit({}, {.name_space = "default", .changes = std::span(&change, 1)});
    EXPECT_TRUE(stamp.ok()) << (stamp.ok() ? "" : stamp.error().message());
  }
};

// Many pages of everything, at every kind of boundary.
void fill(Store& store) {
  for (int i = 0; i < 300; ++i) store.put("key" + std::to_string(i), some_bytes(static_cast<size_t>(i) * 20, 1));
  store.put(BytesView("\0\xFF\xFF", 3), "binary");
  store.put("large", some_bytes(400'000, 2));
  store.put("larger", some_bytes(records::chunk_bytes * 2, 3));
  store.put(Bytes(records::max_key_bytes, '\xFF'), "long key");
  store.write({{.type = OperationType::put_row, .key = "bare"}});
  std::vector<Column> columns;
  std::vector<Bytes> names;
  for (int i = 0; i < 1'500; ++i) names.push_back("column" + std::to_string(i));
  const Bytes value = some_bytes(400, 4);
  for (const Bytes& name : names) columns.push_back({name, value});
  store.write({{.type = OperationType::put_row, .key = "wide", .columns = columns}});
  const Bytes large = some_bytes(200'000, 5);
  for (const char* row : {"rowa", "rowb", "\xFF\xFF", "rowc"}) {
    store.write(
        {{.type = OperationType::put_row, .key = row, .columns = {{"a", "1"}, {"l", large}, {"m", large}, {"z", ""}}}});
  }
  for (const size_t size :
       {size_t{0}, size_t{1}, object_chunk_bytes, object_chunk_bytes + 1, 20 * object_chunk_bytes}) {
    store.put_object("object" + std::to_string(size), some_bytes(size, size));
  }
}

TEST(Backups, EverythingComesBack) {
  Store store;
  auto first = store.records_.write({}, {.name_space = "default", .operations = {}});
  EXPECT_TRUE(first.ok());
  store.put("k", "v");
  fill(store);
  const std::string before = store.contents("default");
  EXPECT_GT(before.size(), 10'000u);
  const Bytes snapshot = store.snapshot();
  const auto place = store.load(snapshot, "copy");
  ASSERT_TRUE(place.ok()) << place.error().message();
  EXPECT_EQ(place->lsn, (*store.log_.status({}, "default")).end.totals.records);
  EXPECT_EQ(store.contents("copy"), before);
  // A copy of the copy, whose objects no record of its log names.
  ASSERT_TRUE(store.load(store.snapshot("copy"), "again").ok());
  EXPECT_EQ(store.contents("again"), before);
  // In another store as well, and what restore says of it.
  Store other;
  ASSERT_TRUE(other.load(snapshot, "default").ok());
  EXPECT_EQ(other.contents("default"), before);
  EXPECT_EQ((*other.log_.status({}, "default")).end.totals.records, place->lsn);
}

TEST(Backups, SegmentsHoldEverythingToo) {
  Store store;
  fill(store);
  store.put_object("object1", some_bytes(150'000, 7));  // replaces one
  store.delete_object("object0");
  const std::vector<std::string> paths = store.back_up_log();
  EXPECT_GT(paths.size(), 3u);
  const auto restored = restore(store.database_, {.name_space = "copy", .source = "default", .segments = paths});
  ASSERT_TRUE(restored.ok()) << restored.error().message();
  EXPECT_EQ(store.contents("copy"), store.contents("default"));
  EXPECT_EQ(restored->objects, 6u);
  const auto checked = check_restore({.name_space = "copy", .source = "default", .segments = paths});
  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked->records, restored->records);
}

// Writers of everything, objects above all, while snapshots are made: each is what the log says at its position.
TEST(Backups, UnderWritesASnapshotIsAStateOfTheLog) {
  Store store;
  fill(store);
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (uint64_t number = 0; number < 3; ++number) {
    writers.emplace_back([&store, &stop, number] {
      Random random(number + 1);
      while (!stop) {
        const std::string key = std::to_string(random.below(6));
        switch (random.below(6)) {
          case 0:
            store.put_object("object" + key, some_bytes(random.below(200'000), random.next()));
            break;
          case 1:
            store.delete_object("object" + key);
            break;
          case 2:
            store.write({{.type = OperationType::put_row, .key = "row" + key, .columns = {{"a", key}, {key, "x"}}},
                         {.type = OperationType::delete_columns, .key = "row1", .columns = {{"a", ""}}}});
            break;
          case 3:
            store.write({{.type = OperationType::delete_row, .key = "row" + key}});
            break;
          case 4:
            store.write({{.type = OperationType::delete_value, .key = "key" + key}});
            break;
          default:
            store.put("key" + key, some_bytes(random.below(2'000), random.next()));
        }
        // What is replaced is cleared at once where nothing holds it.
        if (random.one_in(10)) EXPECT_TRUE(store.objects_.run_pass().ok());
        if (random.one_in(10)) store.log_.run_pass(true);
      }
    });
  }
  std::vector<Bytes> snapshots;
  for (int i = 0; i < 6; ++i) snapshots.push_back(store.snapshot());
  stop = true;
  for (std::thread& writer : writers) writer.join();
  const std::vector<std::string> segments = store.back_up_log();
  for (const Bytes& snapshot : snapshots) {
    const auto place = store.load(snapshot, "copy");
    ASSERT_TRUE(place.ok()) << place.error().message();
    const auto replayed = restore(store.database_, {.name_space = "replayed",
                                                    .source = "default",
                                                    .segments = segments,
                                                    .target = RestoreTarget{place->segment, place->offset}});
    ASSERT_TRUE(replayed.ok()) << replayed.error().message();
    EXPECT_EQ(replayed->lsn, place->lsn);
    EXPECT_EQ(store.contents("copy"), store.contents("replayed"));
    ASSERT_TRUE(store.records_.remove_namespace({}, "copy").ok());
    ASSERT_TRUE(store.records_.remove_namespace({}, "replayed").ok());
  }
}

TEST(Backups, ANamespaceThatGoesMeanwhile) {
  Store store;
  ASSERT_TRUE(store.records_.ensure_namespace({}, "other").ok());
  const Operation put{.type = OperationType::put_value, .key = "k", .value = "v"};
  ASSERT_TRUE(store.records_.write({}, {.name_space = "other", .operations = std::span(&put, 1)}).ok());
  EXPECT_EQ(store.backups_.stream_snapshot({}, "absent").error().code(), ErrorCode::not_found);
  // The pipe holds four blocks: the copying stands still until it is read.
  const Bytes value = some_bytes(300'000, 1);
  for (const char* key : {"1", "2", "3", "4", "5", "6", "7", "8"}) {
    const Operation large{.type = OperationType::put_value, .key = key, .value = value};
    ASSERT_TRUE(store.records_.write({}, {.name_space = "other", .operations = std::span(&large, 1)}).ok());
  }
  auto stream = store.backups_.stream_snapshot({}, "other");
  ASSERT_TRUE(stream.ok());
  ASSERT_TRUE((*stream)->read().ok());
  ASSERT_TRUE(store.records_.remove_namespace({}, "other").ok());
  Result<Bytes> bytes = Bytes("x");
  while (bytes.ok() && !bytes->empty()) bytes = (*stream)->read();
  ASSERT_FALSE(bytes.ok());
  EXPECT_EQ(bytes.error().code(), ErrorCode::not_found);
}

TEST(Backups, AStoppedOneLeavesNothing) {
  Store store;
  fill(store);
  auto stop = std::make_shared<StopFlag>();
  stop->set();
  const auto stopped =
      store.backups_.back_up_snapshot({}, {.name_space = "default", .path = *BackupPath::of_file("a/b", "path")}, stop);
  EXPECT_EQ(stopped.error().code(), ErrorCode::operation_cancelled);
  EXPECT_TRUE(std::filesystem::is_empty(store.directory() + "/default/a"));
  // Streams that nobody reads to the end do not hold the service up.
  for (size_t i = 0; i < 3 * LongJobs::max_jobs; ++i) {
    auto stream = store.backups_.stream_snapshot({}, "default");
    if (stream.ok()) ASSERT_TRUE((*stream)->read().ok());
    if (!stream.ok()) EXPECT_EQ(stream.error().code(), ErrorCode::too_many_requests);
  }
  // Nor does one that is open while nobody reads it: its pipe is full.
  auto open = store.backups_.stream_snapshot({}, "default");
  while (!open.ok()) open = store.backups_.stream_snapshot({}, "default");
  store.backups_.stop();
  Result<Bytes> bytes = Bytes("x");
  while (bytes.ok() && !bytes->empty()) bytes = (*open)->read();
  EXPECT_EQ(bytes.error().code(), ErrorCode::operation_cancelled);
  EXPECT_EQ(store.backups_.stream_snapshot({}, "default").error().code(), ErrorCode::operation_cancelled);
}

TEST(NamespaceLoader, LeavesNothingUnlessItReveals) {
  Store store;
  fill(store);
  const Bytes snapshot = store.snapshot();
  const size_t keys = store.keys();
  const auto load = [&](BytesView bytes) -> Result<void> {
    ASSIGN_OR_RETURN(const auto loader, NamespaceLoader::begin(store.database_, {}));
    records::BackupChain chain(*loader, std::nullopt);
    BytesSource source(bytes);
    RETURN_IF_ERROR(chain.add(source));
    EXPECT_GT(store.keys(), keys + 100);
    return loader->reveal({.name = "default", .place = chain.place()}).ok() ? Result<void>()
                                                                            : ErrorCode::already_exists;
  };
  EXPECT_EQ(load(snapshot).error().code(), ErrorCode::already_exists);
  EXPECT_EQ(store.keys(), keys);
  EXPECT_EQ(load(BytesView(snapshot).substr(0, snapshot.size() - 5)).error().code(), ErrorCode::corruption);
  EXPECT_EQ(store.keys(), keys);
}

TEST(NamespaceLoader, WhatACrashLeavesIsCleared) {
  Store store;
  const size_t keys = store.keys();
  ASSERT_TRUE(store.database_
                  .run([](kv::Transaction& transaction) -> Result<void> {
                    ASSIGN_OR_RETURN(const auto space, records::begin_hidden_namespace(transaction, 1));
                    transaction.set(records::value_key(space, "k"), "v");
                    return {};
                  })
                  .ok());
  EXPECT_EQ(store.keys(), keys + 2);
  EXPECT_EQ(*drop_unfinished_namespaces(store.database_), 1u);
  EXPECT_EQ(store.keys(), keys);
  EXPECT_EQ(*drop_unfinished_namespaces(store.database_), 0u);
}

TEST(NamespaceLoader, AnObjectMustHaveItsChecksum) {
  Store store;
  BytesSink sink;
  records::BackupWriter writer(sink);
  ASSERT_TRUE(writer.begin({.name_space = "default", .log_id = "x"}).ok());
  ASSERT_TRUE(writer.begin_object({.reference = {.size = 3, .checksum = 1}, .key = "k"}).ok());
  ASSERT_TRUE(writer.add_object_bytes("abc").ok());
  ASSERT_TRUE(writer.finish().ok());
  EXPECT_EQ(store.load(sink.bytes, "copy").error().code(), ErrorCode::corruption);
}

}  // namespace
}  // namespace strata::service
