// What the tests of this engine share: a store in a directory of its own on a file system that fails on request.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "engine/rocksdb/fault_file_system.h"
#include "engine/rocksdb/rocksdb_engine.h"

namespace strata::kv {

class RocksdbTest : public testing::Test {
 protected:
  RocksdbTest() {
    std::string name = (std::filesystem::temp_directory_path() / "strata-rocksdb-XXXXXX").string();
    STRATA_ASSERT(mkdtemp(name.data()) != nullptr);
    root = name;
    options.directory = root / "store";
    options.env = env_.get();
    options.clock = &clock;
  }
  ~RocksdbTest() override {
    files->hold_log_syncs(false);
    engine.reset();
    std::error_code ignored;
    std::filesystem::remove_all(root, ignored);
  }

  Result<void> try_open() {
    engine.reset();
    Result<std::shared_ptr<RocksdbEngine>> opened = RocksdbEngine::open(options);
    if (!opened.ok()) return opened.error();
    engine = *opened;
    return {};
  }
  void open() {
    const Result<void> opened = try_open();
    ASSERT_TRUE(opened.ok()) << opened.error().message();
  }

  static CommitRequest write(BytesView key, BytesView value, Durability durability = Durability::engine_default) {
    CommitRequest request;
    request.durability = durability;
    const BytesView copied = request.arena.copy(key);
    request.mutations.push_back({MutationType::set, copied, request.arena.copy(value)});
    request.write_conflicts.push_back({copied, request.arena.copy_key_after(key)});
    return request;
  }
  static CommitRequest read_write(BytesView read, Version version, BytesView key, BytesView value) {
    CommitRequest request = write(key, value);
    request.read_conflicts.push_back({request.arena.copy(read), request.arena.copy_key_after(read)});
    request.read_version = version;
    return request;
  }
  Result<Committed> put(BytesView key, BytesView value, Durability durability = Durability::engine_default) {
    return engine->commit(write(key, value, durability)).get();
  }
  std::optional<Bytes> get(BytesView key) { return get(*engine, key); }
  static std::optional<Bytes> get(RocksdbEngine& from, BytesView key) {
    Result<std::optional<Bytes>> value = from.get(key, *from.read_version().get()).get();
    EXPECT_TRUE(value.ok()) << (value.ok() ? "" : value.error().message());
    return value.ok() ? *value : std::nullopt;
  }
  template <class T>
  static std::string code(const Result<T>& result) {
    return result.ok() ? "ok" : std::string(error_name(result.error().code()));
  }
  template <class Condition>
  static bool becomes_true(Condition condition) {
    for (int i = 0; i < 30'000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return condition();
  }
  // Every file and its bytes, but for RocksDB's own log.
  static std::map<std::string, Bytes> contents(const std::filesystem::path& directory) {
    std::map<std::string, Bytes> out;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      std::ifstream file(entry.path(), std::ios::binary);
      out[entry.path().filename()] = Bytes(std::istreambuf_iterator<char>(file), {});
    }
    return out;
  }
  std::filesystem::path only_file(const std::string& extension) const {
    std::filesystem::path found;
    for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
      if (entry.path().extension() == extension) found = entry.path();
    }
    return found;
  }

  std::filesystem::path root;
  const std::shared_ptr<FaultFileSystem> files = std::make_shared<FaultFileSystem>();
  const std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(files);
  ManualClock clock;
  RocksdbOptions options;
  std::shared_ptr<RocksdbEngine> engine;
};

}  // namespace strata::kv
