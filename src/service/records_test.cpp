#include "service/records.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <thread>

#include "base/random.h"
#include "engine/memory/memory_engine.h"
#include "engine/rocksdb/rocksdb_engine.h"
#include "layers/records/log_record.h"
#include "layers/records/store_test.h"

namespace strata::service {
namespace {

Operation put(BytesView key, BytesView value) { return {.type = OperationType::put_value, .key = key, .value = value}; }
Operation remove(BytesView key) { return {.type = OperationType::delete_value, .key = key}; }

// A store in a directory of its own, which goes with it.
class TemporaryStore {
 public:
  TemporaryStore() {
    std::string name = (std::filesystem::temp_directory_path() / "strata-records-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~TemporaryStore() { std::filesystem::remove_all(directory_); }

  std::shared_ptr<kv::Engine> open() const {
    kv::RocksdbOptions options;
    options.directory = directory_ / "data";
    // These tests are about what is stored, not about when: no sync to wait for.
    options.durability = kv::Durability::async;
    auto engine = kv::RocksdbEngine::open(std::move(options));
    EXPECT_TRUE(engine.ok());
    return *engine;
  }

 private:
  std::filesystem::path directory_;
};

class RecordsServiceBase : public testing::Test {
 protected:
  explicit RecordsServiceBase(std::shared_ptr<kv::Engine> engine)
      : database_(std::move(engine)), records_(database_, {.durability = kv::Durability::engine_default}) {
    EXPECT_TRUE(records_.open({}).ok());
  }

  Result<void> write(std::string_view name, const std::vector<Operation>& operations,
                     std::optional<std::string_view> version = std::nullopt) {
    return records_.write({}, {.name_space = name, .operations = operations, .expected_version = version});
  }
  std::string get(std::string_view name, BytesView key) {
    const auto stored = records_.read_value({}, name, key);
    if (!stored.ok()) return std::string(stored.error().message());
    return *stored ? Bytes((*stored)->value()) : "<absent>";
  }
  std::string version_of(BytesView key) { return format_version((*records_.read_value({}, "default", key))->stamp()); }
  static ErrorCode code(const Result<void>& result) {
    return result.ok() ? ErrorCode::internal : result.error().code();
  }

  kv::Database database_;
  Records records_;
};

enum class EngineKind { memory, rocksdb };

class RecordsService : private TemporaryStore,
                       public RecordsServiceBase,
                       public testing::WithParamInterface<EngineKind> {
 protected:
  RecordsService()
      : RecordsServiceBase(GetParam() == EngineKind::rocksdb ? open() : std::make_shared<kv::MemoryEngine>()) {}
};

INSTANTIATE_TEST_SUITE_P(Engines, RecordsService, testing::Values(EngineKind::memory, EngineKind::rocksdb),
                         [](const auto& kind) { return kind.param == EngineKind::memory ? "memory" : "rocksdb"; });

TEST_P(RecordsService, DefaultExistsAndOthersAreMade) {
  EXPECT_EQ(get("default", "k"), "<absent>");
  EXPECT_EQ(get("other", "k"), "namespace not found: other");
  EXPECT_EQ(records_.ensure_namespace({}, "other").value(), true);
  EXPECT_EQ(records_.ensure_namespace({}, "other").value(), false);
  EXPECT_EQ(get("other", "k"), "<absent>");
  const std::string names[] = {"x", "default"};
  EXPECT_TRUE(records_.open(names).ok());
  EXPECT_EQ(get("x", "k"), "<absent>");
}

TEST_P(RecordsService, EveryMethodKnowsAMissingNamespace) {
  EXPECT_EQ(code(write("no", {put("k", "v")})), ErrorCode::not_found);
  EXPECT_EQ(code(write("no", {})), ErrorCode::not_found);
  EXPECT_EQ(code(records_.remove_namespace({}, "no")), ErrorCode::not_found);
  EXPECT_EQ(code(records_.require_namespace({}, "no")), ErrorCode::not_found);
  EXPECT_EQ(records_.read_row({}, {.name_space = "no", .row_key = "r"}).error().message(), "namespace not found: no");
  const std::string long_name(20'000, 'n');
  EXPECT_EQ(code(write(long_name, {put("k", "v")})), ErrorCode::not_found);
}

TEST_P(RecordsService, DefaultCannotBeRemoved) {
  EXPECT_EQ(code(records_.remove_namespace({}, "default")), ErrorCode::invalid_argument);
}

TEST_P(RecordsService, ANamespaceMadeAnewIsEmptyThoughItsNumberWasCached) {
  ASSERT_TRUE(records_.ensure_namespace({}, "a").ok());
  ASSERT_TRUE(write("a", {put("k", "old")}).ok());
  EXPECT_EQ(get("a", "k"), "old");
  // Behind the back of this service's cache, as another server over the same store would do it.
  Records other(database_, {});
  ASSERT_TRUE(other.remove_namespace({}, "a").ok());
  EXPECT_EQ(get("a", "k"), "namespace not found: a");
  ASSERT_TRUE(other.ensure_namespace({}, "a").ok());
  EXPECT_EQ(get("a", "k"), "<absent>");
  ASSERT_TRUE(write("a", {put("k", "new")}).ok());
  EXPECT_EQ(get("a", "k"), "new");
}

TEST_P(RecordsService, AWriteIsAllOrNothing) {
  const Bytes long_key(records::max_key_bytes + 1, 'k');
  EXPECT_EQ(code(write("default", {put("a", "1"), put(long_key, "2")})), ErrorCode::key_too_large);
  EXPECT_EQ(code(write("default", {put("a", "1"), put("", "2")})), ErrorCode::invalid_argument);
  EXPECT_EQ(
      code(write("default", {put("a", "1"), {.type = OperationType::put_row, .key = "r", .columns = {{"", ""}}}})),
      ErrorCode::invalid_argument);
  const Bytes huge(40u << 20, 'h');
  EXPECT_EQ(code(write("default", {put("a", "1"), put("b", huge)})), ErrorCode::transaction_too_large);
  EXPECT_EQ(get("default", "a"), "<absent>");
  // 64 MiB hold a value and its copy in the log.
  const Bytes large(20u << 20, 'l');
  EXPECT_TRUE(write("default", {put("a", "1"), put("b", large)}).ok());
  EXPECT_EQ(get("default", "b"), large);
}

TEST_P(RecordsService, OperationsApplyInOrder) {
  ASSERT_TRUE(write("default", {put("a", "1"), put("a", "2"), put("b", "1"), remove("b")}).ok());
  EXPECT_EQ(get("default", "a"), "2");
  EXPECT_EQ(get("default", "b"), "<absent>");
}

TEST_P(RecordsService, CompareAndSet) {
  EXPECT_EQ(code(write("default", {put("k", "1")}, "*")), ErrorCode::precondition_failed);
  ASSERT_TRUE(write("default", {put("k", "1")}).ok());
  const std::string first = version_of("k");
  EXPECT_EQ(first.size(), 20u);
  ASSERT_TRUE(write("default", {put("k", "2")}, first).ok());
  EXPECT_GT(version_of("k"), first);
  EXPECT_EQ(code(write("default", {put("k", "3")}, first)), ErrorCode::precondition_failed);
  EXPECT_EQ(code(write("default", {remove("k")}, "")), ErrorCode::precondition_failed);
  EXPECT_EQ(get("default", "k"), "2");
  EXPECT_TRUE(write("default", {remove("k")}, version_of("k")).ok());
  EXPECT_EQ(code(write("default", {put("a", "1"), put("b", "1")}, "*")), ErrorCode::invalid_argument);
}

TEST_P(RecordsService, OfManyCompareAndSetsOneWins) {
  ASSERT_TRUE(write("default", {put("k", "0")}).ok());
  const std::string version = version_of("k");
  std::atomic<int> won = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto result = write("default", {put("k", "x")}, version);
      if (result.ok()) ++won;
      EXPECT_TRUE(result.ok() || result.error().code() == ErrorCode::precondition_failed);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
}

TEST_P(RecordsService, ADeadlineThatIsOver) {
  const Context late{.caller = {}, .deadline_steady_us = 1};
  const std::vector<Operation> operations = {put("k", "v")};
  EXPECT_EQ(code(records_.write(late, {.name_space = "default", .operations = operations})),
            ErrorCode::transaction_timed_out);
  EXPECT_EQ(get("default", "k"), "<absent>");
}

TEST_P(RecordsService, ValuesInChunksAreRead) {
  const Bytes large(1'000'000, 'l');
  ASSERT_TRUE(write("default", {put("k", large)}).ok());
  EXPECT_EQ(get("default", "k"), large);
}

class RecordsServiceWithFaults : public RecordsServiceBase {
 protected:
  RecordsServiceWithFaults()
      : RecordsServiceBase(std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{
            .faults = {.transaction_too_old = 0.1, .not_committed = 0.2, .commit_unknown_result_lost = 0.1}})) {}
};

TEST_F(RecordsServiceWithFaults, CommitsThatFailAreTriedAgain) {
  for (int i = 0; i < 50; ++i) {
    const std::string key = "k" + std::to_string(i);
    ASSERT_TRUE(
        write("default", {put(key, key), {.type = OperationType::put_row, .key = key, .columns = {{"c", key}}}}).ok());
    EXPECT_EQ(get("default", key), key);
  }
}

// Small and large puts, deletes, rows and columns of a few hot keys from many threads: no write is refused, no chunk is
// left without its head, and the log replayed gives the data.
TEST_P(RecordsService, RacingWritersLeaveNoOrphans) {
  constexpr int thread_count = 4;
  constexpr int writes = 60;
  const Bytes large(200'000, 'l');
  const auto random_operation = [&](Random& random) -> Operation {
    static constexpr BytesView keys[] = {"a", "b"};
    const BytesView key = keys[random.below(2)];
    const BytesView value = random.one_in(3) ? BytesView(large).substr(random.below(100'000)) : BytesView("small");
    const BytesView column = keys[random.below(2)];
    switch (random.below(6)) {
      case 0:
        return remove(key);
      case 1:
      case 2:
        return put(key, value);
      case 3:
        return {.type = OperationType::delete_row, .key = key};
      case 4:
        return {.type = OperationType::delete_columns, .key = key, .columns = {{column, ""}}};
      default:
        return {.type = OperationType::put_row, .key = key, .columns = {{column, value}}};
    }
  };
  std::vector<std::thread> threads;
  for (int thread = 0; thread < thread_count; ++thread) {
    threads.emplace_back([&, thread] {
      Random random(static_cast<uint64_t>(thread) + 1);
      for (int i = 0; i < writes; ++i) {
        std::vector<Operation> operations;
        for (uint64_t count = 1 + random.below(3); count > 0; --count) operations.push_back(random_operation(random));
        const auto result = write("default", operations);
        EXPECT_TRUE(result.ok()) << result.error().message();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  const auto space = database_.read(
      [](const kv::ReadTransaction& transaction) { return records::find_namespace(transaction, "default"); });
  const auto rows = records::dump(database_, **space);
  records::check_chunks(rows, **space);

  const auto log = database_.read(
      [&](const kv::ReadTransaction& transaction) { return records::read_log(transaction, **space, nullptr, 10'000); });
  ASSERT_TRUE(log.ok());
  EXPECT_EQ(log->size(), size_t{thread_count * writes});
  ASSERT_TRUE(records_.ensure_namespace({}, "replayed").ok());
  for (const auto& record : *log) {
    const auto decoded = records::decode_log_record(record.bytes);
    ASSERT_TRUE(decoded.ok());
    ASSERT_TRUE(write("replayed", decoded->operations).ok());
  }
  for (const BytesView key : {"a", "b"}) {
    EXPECT_EQ(get("default", key), get("replayed", key));
    const auto row = records_.read_row({}, {.name_space = "default", .row_key = key});
    const auto replayed = records_.read_row({}, {.name_space = "replayed", .row_key = key});
    ASSERT_TRUE(row.ok() && replayed.ok());
    ASSERT_EQ(row->has_value(), replayed->has_value());
    if (!*row) continue;
    ASSERT_EQ((*row)->columns.size(), (*replayed)->columns.size());
    for (size_t i = 0; i < (*row)->columns.size(); ++i) {
      EXPECT_EQ((*row)->columns[i].name, (*replayed)->columns[i].name);
      EXPECT_EQ((*row)->columns[i].value, (*replayed)->columns[i].value);
    }
  }
}

}  // namespace
}  // namespace strata::service
