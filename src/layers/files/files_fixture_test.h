// What the tests of versioned files begin with: a store in memory.
#pragma once

#include <gtest/gtest.h>

#include "engine/memory/memory_engine.h"
#include "kv/database.h"
#include "layers/files/entries.h"

namespace strata::files {

class FilesTest : public testing::Test {
 protected:
  // body: EntryWriter& -> Result<T>, committed.
  template <class Body>
  auto write(Body body) {
    auto result = database_.run([&](kv::Transaction& transaction) -> decltype(body(std::declval<EntryWriter&>())) {
      transaction.raise_size_limit_to_engine();
      ASSIGN_OR_RETURN(EntryWriter writer, EntryWriter::begin(transaction, cache_));
      return body(writer);
    });
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message());
    if constexpr (!std::is_same_v<decltype(result), Result<void>>) return *std::move(result);
  }
  // body: const EntryReader& -> T.
  template <class Body>
  auto read(Body body) {
    kv::Transaction transaction = database_.create_transaction();
    return body(EntryReader(transaction, cache_));
  }

  kv::Database database_{std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{})};
  NodeCache cache_;
};

}  // namespace strata::files
