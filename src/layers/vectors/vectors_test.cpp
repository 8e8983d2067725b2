#include "layers/vectors/vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>

#include "base/hex.h"
#include "engine/memory/memory_engine.h"
#include "kv/database.h"
#include "layers/vectors/vector_log.h"

namespace strata::vectors {
namespace {

class VectorsTest : public testing::Test {
 protected:
  template <class Body>
  auto run(Body body) {
    auto result = database_.run(body);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message());
    if constexpr (!std::is_same_v<decltype(result), Result<void>>) return *std::move(result);
  }
  Collection make(std::string_view name, uint32_t dimension) {
    return *run([&](kv::Transaction& transaction) {
      return make_collection(transaction, name, {.dimension = dimension}, 1'700'000'000'000'000, 7);
    });
  }
  std::map<Bytes, Bytes> dump() {
    return run([&](kv::Transaction& transaction) -> Result<std::map<Bytes, Bytes>> {
      std::map<Bytes, Bytes> rows;
      kv::RangeIterator range(transaction, "", "\xFF", {.mode = kv::StreamingMode::want_all});
      while (range.next()) rows.emplace(range.key(), range.value());
      RETURN_IF_ERROR(range.status());
      return rows;
    });
  }

  kv::Database database_{std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{})};
};

std::vector<float> ramp(uint32_t dimension, float first) {
  std::vector<float> values(dimension);
  for (uint32_t at = 0; at < dimension; ++at) values[at] = first + static_cast<float>(at);
  return values;
}

TEST_F(VectorsTest, NumbersOfCollectionsAreNeverReused) {
  const Collection first = make("one", 4);
  EXPECT_EQ(first.number, 1);
  run([&](kv::Transaction& transaction) { return drop_collection(transaction, "one"); });
  EXPECT_EQ(make("one", 4).number, 2);
  const auto second =
      run([&](kv::Transaction& transaction) { return make_collection(transaction, "one", {.dimension = 4}, 0, 0); });
  EXPECT_FALSE(second.has_value());
}

TEST_F(VectorsTest, NamesAndOptionsHaveBounds) {
  EXPECT_TRUE(validate_collection_name(std::string(256, 'a')).ok());
  for (const std::string& name : {std::string(), std::string(257, 'a'), std::string("a.b"), std::string("a b"),
                                  std::string("a/b"), std::string("\xC3\xA4")}) {
    EXPECT_FALSE(validate_collection_name(name).ok()) << name;
  }
  EXPECT_TRUE(validate_collection_options({.dimension = 65'536}).ok());
  EXPECT_FALSE(validate_collection_options({.dimension = 0}).ok());
  EXPECT_FALSE(validate_collection_options({.dimension = 65'537}).ok());
  EXPECT_FALSE(validate_collection_options({.dimension = 1, .m = 1}).ok());
  EXPECT_FALSE(validate_collection_options({.dimension = 1, .ef_construction = 10'001}).ok());
  EXPECT_FALSE(validate_collection_options({.dimension = 1, .default_threshold = NAN}).ok());
}

TEST_F(VectorsTest, VectorsOfAnySizeComeBack) {
  for (const uint32_t dimension : {1U, 24'000U, 24'001U, 65'536U}) {
    const Collection collection = make("c" + std::to_string(dimension), dimension);
    const std::vector<float> values = ramp(dimension, -3);
    for (const uint64_t id : {uint64_t{1}, uint64_t{1} << 63, UINT64_MAX}) {
      run([&](kv::Transaction& transaction) -> Result<void> {
        set_values(transaction, collection, id, values);
        return {};
      });
      const auto found = run([&](kv::Transaction& transaction) { return read_values(transaction, collection, id); });
      EXPECT_EQ(found, values);
    }
    std::vector<uint64_t> ids;
    for (uint64_t from = 0;;) {
      const auto page =
          run([&](kv::Transaction& transaction) { return read_vectors_from(transaction, collection, from, 1); });
      if (page.empty()) break;
      ids.push_back(page.back().id);
      if (page.back().id == UINT64_MAX) break;
      from = page.back().id + 1;
    }
    EXPECT_THAT(ids, testing::ElementsAre(1, uint64_t{1} << 63, UINT64_MAX));
    run([&](kv::Transaction& transaction) -> Result<void> {
      for (const uint64_t id : ids) clear_vector(transaction, collection, id);
      return {};
    });
    for (const auto& [key, value] : dump()) EXPECT_FALSE(key.starts_with(collection.prefix)) << printable(key);
  }
}

TEST_F(VectorsTest, WhatIsBrokenIsRefused) {
  const Collection collection = make("c", 2);
  const Bytes key = entity_key(collection.prefix, VectorEntity::vector, 1);
  for (const BytesView stored :
       {BytesView(""), BytesView("\1", 1), BytesView("\2\0abcdefgh", 10), BytesView("\1\1abcdefgh", 10),
        BytesView("\1\0abcdefg", 9), BytesView("\1\0abcdefghi", 11)}) {
    run([&](kv::Transaction& transaction) -> Result<void> {
      transaction.set(key, stored);
      return {};
    });
    const auto found =
        database_.run([&](kv::Transaction& transaction) { return read_values(transaction, collection, 1); });
    ASSERT_FALSE(found.ok()) << printable(stored);
    EXPECT_EQ(found.error().code(), ErrorCode::corruption);
  }
  EXPECT_FALSE(decode_counters(Bytes("\1")).ok());
  EXPECT_FALSE(decode_deferral("\1\x10").ok());
  EXPECT_FALSE(decode_threshold("\1").ok());
  EXPECT_FALSE(decode_log_record(1, "").ok());
  const std::vector<LogEntry> entries = {{LogOperation::insert, 1}, {LogOperation::remove, 2}};
  Bytes record = encode_log_record(9, entries);
  EXPECT_FALSE(decode_log_record(1, record).ok()) << "more entries than LSNs";
  ASSERT_TRUE(decode_log_record(2, record).ok());
  record[9] = 5;
  EXPECT_FALSE(decode_log_record(2, record).ok());
}

TEST_F(VectorsTest, TheLogIsReadMeasuredAndCleared) {
  const Collection collection = make("c", 2);
  run([&](kv::Transaction& transaction) -> Result<void> {
    for (uint64_t lsn = 2; lsn <= 10; lsn += 2) {
      const std::vector<LogEntry> entries = {{LogOperation::insert, lsn}, {LogOperation::remove, lsn}};
      transaction.set(entity_key(collection.prefix, VectorEntity::log, lsn), encode_log_record(lsn, entries));
    }
    return {};
  });
  const auto read = [&](uint64_t after, size_t limit) {
    std::vector<uint64_t> lsns;
    for (const auto& record :
         run([&](kv::Transaction& transaction) { return read_log(transaction, collection, after, limit); })) {
      lsns.push_back(record.last_lsn);
    }
    return lsns;
  };
  EXPECT_THAT(read(0, 100), testing::ElementsAre(2, 4, 6, 8, 10));
  EXPECT_THAT(read(4, 3), testing::ElementsAre(6, 8));
  EXPECT_THAT(read(10, 100), testing::IsEmpty());
  const LogSize size = run([&](kv::Transaction& transaction) { return measure_log(transaction, collection, 2, 8, 2); });
  EXPECT_EQ(size.records, 2);
  EXPECT_EQ(size.removals, 2);
  EXPECT_TRUE(size.more);
  EXPECT_EQ(size.last_lsn, 6);
  run([&](kv::Transaction& transaction) -> Result<void> {
    clear_log(transaction, collection, 6);
    return {};
  });
  EXPECT_THAT(read(0, 100), testing::ElementsAre(8, 10));
}

// Bytes of one of everything, as docs/formats/vectors.md describes them.
TEST_F(VectorsTest, BytesAreThoseOfTheGoldenFile) {
  const Collection collection = make("golden", 2);
  const Collection large = make("large", 24'001);
  run([&](kv::Transaction& transaction) -> Result<void> {
    set_values(transaction, collection, 5, ramp(2, 1));
    set_metadata(transaction, collection, 5, {{"a", int64_t{1}}});
    set_deferral(transaction, collection, 5, {.index = true, .parallel = true});
    set_threshold(transaction, collection, 5, 0.5F);
    set_counters(transaction, collection, {.next_id = 6, .next_lsn = 3, .count = 1});
    const std::vector<LogEntry> entries = {{LogOperation::insert, 5}, {LogOperation::threshold, 5}};
    transaction.set(entity_key(collection.prefix, VectorEntity::log, 2), encode_log_record(9, entries));
    set_image_row(transaction, collection, {.lsn = 2, .image = 1});
    transaction.set(chunk_key(large.prefix, 5, 0), "chunk");
    return {};
  });
  std::string lines;
  for (const auto& [key, value] : dump()) lines += to_hex(key) + " " + to_hex(value) + "\n";
  const std::string path = STRATA_GOLDEN_DIRECTORY "/vectors.txt";
  if (std::getenv("STRATA_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << lines;
  std::ifstream file(path);
  EXPECT_EQ(lines, std::string(std::istreambuf_iterator<char>(file), {}));
}

}  // namespace
}  // namespace strata::vectors
