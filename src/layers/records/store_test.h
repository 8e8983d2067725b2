// What the tests of this folder share: a store in memory with one namespace, and a look at its raw keys.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/clock.h"
#include "engine/memory/memory_engine.h"
#include "kv/database.h"
#include "layers/records/keys.h"
#include "layers/records/namespaces.h"
#include "layers/records/operation.h"
#include "layers/records/stored_value.h"

namespace strata::records {

inline ObjectId test_object_id(int number) {
  ObjectId id;
  id.fill(static_cast<char>(number));
  return id;
}

// Every key and value of [begin, end).
inline std::map<Bytes, Bytes> dump(const kv::Database& database, BytesView begin, BytesView end) {
  std::map<Bytes, Bytes> rows;
  const auto done = database.read([&](const kv::ReadTransaction& transaction) -> Result<void> {
    rows.clear();
    kv::RangeIterator range(transaction, begin, end, {.mode = kv::StreamingMode::want_all});
    while (range.next()) rows.emplace(range.key(), range.value());
    return range.status();
  });
  EXPECT_TRUE(done.ok());
  return rows;
}

inline std::map<Bytes, Bytes> dump(const kv::Database& database, const Namespace& space) {
  return dump(database, space.prefix, *prefix_end(space.prefix));
}

// A chunked head and the chunks with their marker stand or fall together. Returns how many chunked heads there are.
inline size_t check_chunks(const std::map<Bytes, Bytes>& rows, const Namespace& space) {
  std::map<Bytes, Bytes> expected = rows;
  size_t heads = 0;
  const auto take = [&](const Bytes& chunks_key, uint64_t size) {
    ++heads;
    EXPECT_EQ(expected.erase(chunks_key), 1u) << "no marker at " << printable(chunks_key);
    uint64_t left = size;
    for (uint32_t index = 0; left > 0; ++index) {
      Bytes key = chunks_key;
      append_be32(key, index);
      const auto chunk = rows.find(key);
      if (chunk == rows.end()) {
        ADD_FAILURE() << "no chunk at " << printable(key);
        return;
      }
      EXPECT_EQ(chunk->second.size(), std::min<uint64_t>(left, chunk_bytes));
      left -= chunk->second.size();
      expected.erase(key);
    }
  };
  const size_t entity = space.prefix.size();
  for (const auto& [key, value] : rows) {
    if (key[entity] == 'k') {
      const auto head = parse_stamped_head(value);
      EXPECT_TRUE(head.ok());
      if (head.ok() && head->chunked) take(value_chunks_key(space, key.substr(entity + 1)), head->size);
    } else if (key[entity] == 'r') {
      const size_t row_size = entity + 3 + read_be16(BytesView(key).substr(entity + 1));
      if (key[row_size] != '\x01') continue;
      const auto head = parse_plain_head(value);
      EXPECT_TRUE(head.ok());
      if (head.ok() && head->chunked) {
        take(column_chunks_key(key.substr(0, row_size), key.substr(row_size + 1)), head->size);
      }
    }
  }
  for (const auto& [key, value] : expected) {
    const bool of_row = key[entity] == 'r';
    const size_t row_size = of_row ? entity + 3 + read_be16(BytesView(key).substr(entity + 1)) : 0;
    EXPECT_FALSE(key[entity] == 'K' || (of_row && key[row_size] == '\x02')) << "orphan: " << printable(key);
  }
  return heads;
}

class RecordsTest : public testing::Test {
 protected:
  // Commits what body does; its value.
  template <class Body>
  auto run(Body body) {
    auto result = database_.run(body);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message());
    if constexpr (!std::is_same_v<decltype(result), Result<void>>) return *std::move(result);
  }
  template <class Body>
  auto read(Body body) {
    auto result = database_.read(body);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message());
    return *std::move(result);
  }

  RecordsTest()
      : database_(std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{.clock = &clock_}),
                  kv::DatabaseOptions{.clock = &clock_}) {
    space_ = run([&](kv::Transaction& transaction) {
               return ensure_namespace(transaction, "test", clock_.wall_us());
             }).space;
  }

  ManualClock clock_;
  kv::Database database_;
  Namespace space_;
};

}  // namespace strata::records
