#include "service/objects.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/crc32.h"
#include "base/random.h"
#include "engine/memory/memory_engine.h"
#include "layers/records/log_record.h"
#include "layers/records/store_test.h"
#include "service/records.h"

namespace strata::service {
namespace {

using records::object_chunk_bytes;

Bytes some_bytes(size_t size, uint64_t seed) {
  Random random(seed);
  Bytes bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  return bytes;
}

uint32_t crc_of(BytesView bytes) {
  Crc32 crc;
  crc.update(bytes);
  return crc.value();
}

class ObjectsService : public testing::TestWithParam<kv::MemoryAnswers> {
 protected:
  ObjectsService()
      : engine_(std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{.answers = GetParam()})),
        database_(engine_, {.max_retry_delay_ms = 1}),
        records_(database_, {}),
        objects_(database_, options()) {
    EXPECT_TRUE(records_.open({}).ok());
    EXPECT_TRUE(objects_.open().ok());
    const auto found = database_.read([](const kv::ReadTransaction& transaction) {
      return records::find_namespace(transaction, records::default_namespace);
    });
    space_ = **found;
  }

  // Passes happen when a test asks for them.
  static ObjectsOptions options() { return {.max_object_bytes = 10'000'000, .pass_interval_ms = 3'600'000}; }

  std::unique_ptr<ObjectWriter> staged(BytesView bytes, std::string_view name = "default") {
    auto writer = objects_.create({}, name);
    EXPECT_TRUE(writer.ok());
    EXPECT_TRUE((*writer)->append(bytes).ok());
    return *std::move(writer);
  }
  Result<records::Stamp> commit(BytesView key, ObjectWriter* writer, const ObjectCondition& condition = {}) {
    const ObjectChange change{.key = key, .writer = writer, .condition = condition};
    return objects_.commit({}, {.name_space = "default", .changes = std::span(&change, 1)});
  }
  void put(BytesView key, BytesView bytes) {
    auto writer = staged(bytes);
    EXPECT_TRUE(commit(key, writer.get()).ok());
  }
  static Bytes drain(ObjectReader& reader) {
    Bytes all;
    for (;;) {
      const auto piece = reader.next();
      EXPECT_TRUE(piece.ok()) << piece.error().message();
      if (!piece.ok() || piece->empty()) return all;
      all.append(*piece);
    }
  }
  Bytes get(BytesView key) {
    auto reader = objects_.read({}, "default", key);
    EXPECT_TRUE(reader.ok());
    return *reader ? drain(**reader) : "<absent>";
  }
  size_t keys(char entity) {
    Bytes prefix = space_.prefix;
    prefix.push_back(entity);
    return records::dump(database_, prefix, *prefix_end(prefix)).size();
  }
  void drop_log() {
    const auto done = database_.run([&](kv::Transaction& transaction) -> Result<void> {
      transaction.clear_prefix(records::log_prefix(space_));
      return {};
    });
    EXPECT_TRUE(done.ok());
  }

  std::shared_ptr<kv::MemoryEngine> engine_;
  kv::Database database_;
  Records records_;
  Objects objects_;
  records::Namespace space_;
};

INSTANTIATE_TEST_SUITE_P(Answers, ObjectsService,
                         testing::Values(kv::MemoryAnswers::at_once, kv::MemoryAnswers::on_thread),
                         [](const auto& i) { return i.param == kv::MemoryAnswers::at_once ? "AtOnce" : "OnAThread"; });

TEST_P(ObjectsService, EverySizeComesBack) {
  for (const size_t size : {size_t{0}, size_t{1}, object_chunk_bytes - 1, object_chunk_bytes, object_chunk_bytes + 1,
                            ObjectWriter::batch_bytes - 1, ObjectWriter::batch_bytes, ObjectWriter::batch_bytes + 1,
                            7 * ObjectWriter::batch_bytes + 17}) {
    const Bytes bytes = some_bytes(size, size + 1);
    put("key", bytes);
    EXPECT_EQ(get("key"), bytes) << size;
    const auto reader = objects_.read({}, "default", "key");
    EXPECT_EQ((*reader)->size(), size);
    EXPECT_EQ((*reader)->object().reference.checksum, crc_of(bytes));
  }
  EXPECT_EQ(keys('p'), 0u);
}

TEST_P(ObjectsService, PiecesAndRestsDoNotMatter) {
  const Bytes bytes = some_bytes(2'000'000, 5);
  for (const bool rests : {false, true}) {
    Random random(rests ? 7 : 8);
    auto writer = staged("");
    for (BytesView rest = bytes; !rest.empty();) {
      const BytesView piece = rest.substr(0, 1 + random.below(150'000));
      ASSERT_TRUE(writer->append(piece).ok());
      if (rests) ASSERT_TRUE(writer->rest().ok());
      rest.remove_prefix(piece.size());
    }
    ASSERT_TRUE(commit("key", writer.get()).ok());
    EXPECT_EQ(get("key"), bytes);
  }
}

TEST_P(ObjectsService, Ranges) {
  const Bytes bytes = some_bytes(1'500'000, 6);
  put("key", bytes);
  Random random(9);
  for (int i = 0; i < 60; ++i) {
    auto reader = objects_.read({}, "default", "key");
    const uint64_t first = i == 0 ? 0 : i == 1 ? bytes.size() : random.below(bytes.size());
    const uint64_t count = i < 2 ? 0 : i % 3 == 0 ? 1 : random.below(bytes.size() - first + 1);
    (*reader)->select(first, count);
    EXPECT_EQ(drain(**reader), bytes.substr(first, count));
  }
}

TEST_P(ObjectsService, NothingShowsBeforeTheCommitAndNothingStaysWithoutIt) {
  {
    auto writer = staged(some_bytes(1'000'000, 1));
    ASSERT_TRUE(writer->rest().ok());
    EXPECT_EQ(get("key"), "<absent>");
    EXPECT_EQ(keys('p'), 1u);
    EXPECT_EQ(keys('O'), 11u);
    EXPECT_EQ(keys('l'), 0u);
  }
  EXPECT_TRUE(objects_.run_pass().ok());
  EXPECT_EQ(keys('p') + keys('O') + keys('o') + keys('g'), 0u);
}

TEST_P(ObjectsService, TheNextRunClearsWhatTheLastOneStaged) {
  auto writer = staged(some_bytes(1'000'000, 1));
  put("kept", some_bytes(100'000, 2));
  ASSERT_TRUE(writer->rest().ok());
  {
    Objects next(database_, options());
    ASSERT_TRUE(next.open().ok());
  }
  EXPECT_EQ(keys('p'), 0u);
  EXPECT_EQ(keys('O'), 3u);
  EXPECT_EQ(get("kept"), some_bytes(100'000, 2));
  const auto refused = commit("key", writer.get());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::gone);
}

TEST_P(ObjectsService, AReaderKeepsWhatIsReplacedOrDeleted) {
  const Bytes first = some_bytes(3'000'000, 1);
  const Bytes second = some_bytes(600'000, 2);
  put("key", first);
  auto old = objects_.read({}, "default", "key");
  const auto begun = (*old)->next();
  ASSERT_TRUE(begun.ok());
  Bytes read(*begun);
  put("key", second);
  EXPECT_EQ(get("key"), second);
  auto newer = objects_.read({}, "default", "key");
  ASSERT_TRUE(commit("key", nullptr).ok());
  EXPECT_EQ(get("key"), "<absent>");
  drop_log();
  EXPECT_EQ(*objects_.run_pass(), 0u);
  EXPECT_EQ(drain(**newer), second);
  EXPECT_EQ(read + drain(**old), first);
  *old = std::nullopt;
  EXPECT_EQ(*objects_.run_pass(), 1u);
  *newer = std::nullopt;
  EXPECT_EQ(*objects_.run_pass(), 1u);
  EXPECT_EQ(keys('O') + keys('o') + keys('g'), 0u);
}

TEST_P(ObjectsService, ReplacedObjectsStayAsLongAsTheLogNamesThem) {
  put("key", "first");
  const auto first = (*objects_.read({}, "default", "key"))->object().reference.id;
  put("key", "second");
  EXPECT_EQ(*objects_.run_pass(), 0u);
  auto by_id = objects_.read_by_id({}, "default", first);
  ASSERT_TRUE(by_id.ok() && by_id->has_value());
  EXPECT_EQ(drain(**by_id), "first");
  *by_id = std::nullopt;
  // The first record goes, the second one stays.
  const auto log = database_.read(
      [&](const kv::ReadTransaction& transaction) { return records::read_log(transaction, space_, nullptr, 10); });
  ASSERT_EQ(log->size(), 2u);
  const auto dropped = database_.run([&](kv::Transaction& transaction) -> Result<void> {
    transaction.clear(records::log_key(space_, (*log)[0].stamp, 0));
    return {};
  });
  ASSERT_TRUE(dropped.ok());
  EXPECT_EQ(*objects_.run_pass(), 1u);
  EXPECT_FALSE(objects_.read_by_id({}, "default", first)->has_value());
  EXPECT_EQ(get("key"), "second");
  EXPECT_EQ(keys('g'), 0u);
}

TEST_P(ObjectsService, AnObjectThatIsPutAgainIsNotCleared) {
  put("key", "bytes");
  const auto reference = (*objects_.read({}, "default", "key"))->object().reference;
  put("key", "other");
  const auto again = database_.run(
      [&](kv::Transaction& transaction) { return records::ObjectHeads(transaction, space_).put("key", reference); });
  ASSERT_TRUE(again.ok());
  drop_log();
  ASSERT_TRUE(objects_.run_pass().ok());
  EXPECT_EQ(get("key"), "bytes");
  EXPECT_EQ(keys('g'), 0u);
}

TEST_P(ObjectsService, Conditions) {
  const auto code = [](const Result<records::Stamp>& result) {
    return result.ok() ? ErrorCode::internal : result.error().code();
  };
  auto writer = staged("first");
  EXPECT_EQ(code(commit("key", writer.get(), {.must_exist = true})), ErrorCode::conflict);
  EXPECT_EQ(code(commit("key", writer.get(), {.version = "*"})), ErrorCode::precondition_failed);
  const auto version = commit("key", writer.get(), {.not_version = "*"});
  ASSERT_TRUE(version.ok());
  const std::string text = format_version(*version);
  EXPECT_EQ(format_version((*objects_.read({}, "default", "key"))->object().stamp), text);
  auto next = staged("second");
  EXPECT_EQ(code(commit("key", next.get(), {.not_version = "*"})), ErrorCode::precondition_failed);
  EXPECT_EQ(code(commit("key", next.get(), {.not_version = text})), ErrorCode::precondition_failed);
  EXPECT_EQ(code(commit("key", next.get(), {.version = "00000000000000000000"})), ErrorCode::precondition_failed);
  EXPECT_TRUE(commit("key", next.get(), {.version = text, .must_exist = true}).ok());
  EXPECT_EQ(code(commit("key", nullptr, {.version = text})), ErrorCode::precondition_failed);
  EXPECT_TRUE(commit("key", nullptr, {.version = "*"}).ok());
  EXPECT_TRUE(commit("key", nullptr).ok());
}

TEST_P(ObjectsService, TooLargeIsRefusedAndAddsNothing) {
  auto writer = staged(Bytes(9'999'990, 'a'));
  const auto refused = writer->append("01234567890");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::payload_too_large);
  EXPECT_TRUE(writer->append("0123456789").ok());
  EXPECT_TRUE(commit("key", writer.get()).ok());
  EXPECT_EQ((*objects_.read({}, "default", "key"))->size(), 10'000'000u);
}

TEST_P(ObjectsService, UnknownAndRemovedNamespaces) {
  EXPECT_EQ(objects_.create({}, "none").error().message(), "namespace not found: none");
  EXPECT_EQ(objects_.read({}, "none", "key").error().message(), "namespace not found: none");
  ASSERT_TRUE(records_.ensure_namespace({}, "other").ok());
  auto writer = staged("bytes", "other");
  auto staged_writer = staged(Bytes(1'000'000, 'x'), "other");
  ASSERT_TRUE(staged_writer->rest().ok());
  ASSERT_TRUE(records_.remove_namespace({}, "other").ok());
  EXPECT_EQ(writer->rest().error().message(), "namespace not found: other");
  ASSERT_TRUE(records_.ensure_namespace({}, "other").ok());
  const ObjectChange change{.key = "key", .writer = staged_writer.get()};
  const auto refused = objects_.commit({}, {.name_space = "other", .changes = std::span(&change, 1)});
  EXPECT_EQ(refused.error().code(), ErrorCode::gone);
}

TEST_P(ObjectsService, AReaderOfARemovedNamespaceFails) {
  ASSERT_TRUE(records_.ensure_namespace({}, "other").ok());
  auto writer = staged(Bytes(3'000'000, 'x'), "other");
  const ObjectChange change{.key = "key", .writer = writer.get()};
  ASSERT_TRUE(objects_.commit({}, {.name_space = "other", .changes = std::span(&change, 1)}).ok());
  auto reader = objects_.read({}, "other", "key");
  ASSERT_TRUE(records_.remove_namespace({}, "other").ok());
  Result<BytesView> piece = (*reader)->next();
  while (piece.ok() && !piece->empty()) piece = (*reader)->next();
  ASSERT_FALSE(piece.ok());
  EXPECT_EQ(piece.error().code(), ErrorCode::gone);
}

TEST_P(ObjectsService, MissingAndBrokenChunksAreNeverPassedOver) {
  const Bytes bytes(3'000'000, 'x');
  put("key", bytes);
  const auto id = (*objects_.read({}, "default", "key"))->object().reference.id;
  const auto damage = [&](uint32_t chunk, std::optional<BytesView> value) {
    const auto done = database_.run([&](kv::Transaction& transaction) -> Result<void> {
      const Bytes key = records::object_chunk_key(space_, id, chunk);
      value ? transaction.set(key, *value) : transaction.clear(key);
      return {};
    });
    ASSERT_TRUE(done.ok());
  };
  const auto outcome = [&] {
    auto reader = objects_.read({}, "default", "key");
    Result<BytesView> piece = (*reader)->next();
    while (piece.ok() && !piece->empty()) piece = (*reader)->next();
    return piece.ok() ? ErrorCode::internal : piece.error().code();
  };
  damage(7, "short");
  EXPECT_EQ(outcome(), ErrorCode::corruption);
  damage(7, std::nullopt);
  EXPECT_EQ(outcome(), ErrorCode::corruption);
  damage(7, BytesView(bytes).substr(0, object_chunk_bytes));
  EXPECT_EQ(outcome(), ErrorCode::internal);
  damage(30, std::nullopt);
  EXPECT_NE(outcome(), ErrorCode::internal);
}

TEST_P(ObjectsService, LostAnswersAndConflictsAreTriedAgain) {
  engine_->set_faults({.transaction_too_old = 0.1,
                       .not_committed = 0.2,
                       .commit_unknown_result_applied = 0.2,
                       .commit_unknown_result_lost = 0.2});
  for (int i = 0; i < 10; ++i) {
    const Bytes bytes = some_bytes(1'200'000, static_cast<uint64_t>(i));
    put("key", bytes);
    EXPECT_EQ(get("key"), bytes);
  }
  engine_->set_faults({});
  // One record a put, however often it was tried.
  EXPECT_EQ(keys('l'), 10u);
  EXPECT_EQ(keys('g'), 9u);
  EXPECT_EQ(keys('p'), 0u);
}

TEST_P(ObjectsService, ManyPutOneKeyWhileOthersReadAndPassesRun) {
  constexpr int writers = 3;
  constexpr int rounds = 12;
  std::vector<Bytes> versions;
  for (int i = 0; i < writers; ++i) versions.push_back(some_bytes(400'000 + 90'000u * static_cast<size_t>(i), i + 1u));
  put("key", versions[0]);
  std::atomic<bool> done = false;
  std::atomic<int> reads = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < writers; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < rounds; ++round) put("key", versions[static_cast<size_t>(i)]);
    });
  }
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!done || reads < 10) {
        EXPECT_TRUE(std::find(versions.begin(), versions.end(), get("key")) != versions.end());
        ++reads;
      }
    });
  }
  std::thread cleaner([&] {
    while (!done) {
      drop_log();
      EXPECT_TRUE(objects_.run_pass().ok());
    }
  });
  for (int i = 0; i < writers; ++i) threads[static_cast<size_t>(i)].join();
  done = true;
  for (size_t i = writers; i < threads.size(); ++i) threads[i].join();
  cleaner.join();
  drop_log();
  ASSERT_TRUE(objects_.run_pass().ok());
  const Bytes last = get("key");
  EXPECT_EQ(keys('O'), 1 + (last.size() + object_chunk_bytes - 1) / object_chunk_bytes);
  EXPECT_EQ(keys('g') + keys('p'), 0u);
}

}  // namespace
}  // namespace strata::service
