// What the tests of this folder share: a store in memory with one table, and a look at its raw keys.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/clock.h"
#include "engine/memory/memory_engine.h"
#include "kv/database.h"
#include "layers/documents/batch.h"
#include "layers/documents/document_text.h"

namespace strata::documents {

class DocumentsTest : public testing::Test {
 protected:
  // Commits what body does; its value.
  template <class Body>
  auto run(Body body) {
    auto result = try_run(body);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message());
    if constexpr (!std::is_same_v<decltype(result), Result<void>>) return *std::move(result);
  }
  template <class Body>
  auto try_run(Body body) -> std::invoke_result_t<Body&, kv::Transaction&> {
    return database_.run([&](kv::Transaction& transaction) {
      transaction.raise_size_limit_to_engine();
      return body(transaction);
    });
  }
  template <class Body>
  auto read(Body body) {
    auto result = database_.read(body);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message());
    return *std::move(result);
  }

  Result<void> apply(const Batch& batch, const BatchContext& context = {}) {
    return try_run([&](kv::Transaction& transaction) { return apply_batch(transaction, table_, batch, context); });
  }
  void put(BytesView key, BytesView json) {
    Batch batch;
    batch.inserts.push_back({key, *minify_document(json, batch.arena)});
    const auto done = apply(batch);
    EXPECT_TRUE(done.ok()) << (done.ok() ? "" : done.error().message());
  }
  // "" where there is none.
  Bytes text(BytesView key) {
    const auto found =
        read([&](const kv::ReadTransaction& transaction) { return read_document(transaction, table_, key); });
    return found ? found->text : "";
  }

  std::map<Bytes, Bytes> dump() {
    return read([&](const kv::ReadTransaction& transaction) -> Result<std::map<Bytes, Bytes>> {
      std::map<Bytes, Bytes> rows;
      kv::RangeIterator range(transaction, "", "\xFF", {.mode = kv::StreamingMode::want_all});
      while (range.next()) rows.emplace(range.key(), range.value());
      RETURN_IF_ERROR(range.status());
      return rows;
    });
  }

  DocumentsTest()
      : database_(std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{.clock = &clock_}),
                  kv::DatabaseOptions{.clock = &clock_}) {
    table_ = *run([&](kv::Transaction& transaction) { return make_table(transaction, "test", {}, clock_.wall_us()); });
  }

  ManualClock clock_;
  kv::Database database_;
  Table table_;
};

}  // namespace strata::documents
