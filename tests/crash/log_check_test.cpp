#include "log_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/memory_engine.h"
#include "layers/records/apply.h"
#include "layers/records/namespaces.h"
#include "layers/records/rows.h"
#include "layers/records/stored_value.h"
#include "layers/records/values.h"

namespace strata {
namespace {

using records::Column;
using records::Operation;
using records::OperationType;
using testing::HasSubstr;

class LogCheck : public testing::Test {
 protected:
  LogCheck() : database_(std::make_shared<kv::MemoryEngine>()) {
    auto made = database_.run([](kv::Transaction& transaction) {
      return records::ensure_namespace(transaction, records::default_namespace, 1);
    });
    space_ = made.value().space;
    apply({{OperationType::put_value, "small", "value"}, {OperationType::put_value, "large", large_}});
    apply({{OperationType::put_row, "row", "", {Column{"a", "1"}, Column{"b", large_}}}});
    apply({{OperationType::delete_columns, "row", "", {Column{"a", ""}}}, {OperationType::delete_value, "none"}});
  }

  void apply(const std::vector<Operation>& operations) {
    change([&](kv::Transaction& transaction) { return records::apply(transaction, space_, operations, 1); });
  }
  template <class Body>
  void change(Body body) {
    ASSERT_TRUE(database_.run([&](kv::Transaction& transaction) -> Result<void> { return body(transaction); }).ok());
  }
  std::string complaint() {
    const auto checked = check_log(database_, records::default_namespace);
    return checked.ok() ? "none: " + *checked : std::string(checked.error().message());
  }

  const Bytes large_ = Bytes(200'000, 'x');
  kv::Database database_;
  records::Namespace space_;
};

TEST_F(LogCheck, AgreesWithWhatTheLayerWrote) {
  EXPECT_THAT(complaint(), HasSubstr("none: 3 log records, 2 values, 1 rows"));
  EXPECT_FALSE(check_log(database_, "other").ok());
}

TEST_F(LogCheck, FindsAWriteThatTheLogDoesNotKnow) {
  change([&](kv::Transaction& transaction) { return records::put_value(transaction, space_, "small", "other"); });
  EXPECT_THAT(complaint(), HasSubstr("value differs from the log: small"));
}

TEST_F(LogCheck, FindsAValueWrittenTwiceAndLoggedOnce) {
  change([&](kv::Transaction& transaction) { return records::put_value(transaction, space_, "small", "value"); });
  EXPECT_THAT(complaint(), HasSubstr("version differs from the log: small"));
}

TEST_F(LogCheck, FindsALostWrite) {
  change([&](kv::Transaction& transaction) { return records::delete_row(transaction, space_, "row"); });
  EXPECT_THAT(complaint(), HasSubstr("row differs from the log: row"));
}

TEST_F(LogCheck, FindsALostChunk) {
  change([&](kv::Transaction& transaction) -> Result<void> {
    const Bytes chunks = records::value_chunks_key(space_, "large");
    ASSIGN_OR_RETURN(const auto page, transaction.get_range(chunks, *prefix_end(chunks)).get());
    transaction.clear(page.rows.key(page.rows.size() - 1));
    return {};
  });
  EXPECT_THAT(complaint(), Not(HasSubstr("none")));
}

TEST_F(LogCheck, FindsAnOrphan) {
  change([&](kv::Transaction& transaction) -> Result<void> {
    transaction.set(records::value_chunks_key(space_, "gone") + "rest", "x");
    return {};
  });
  EXPECT_THAT(complaint(), HasSubstr("belongs to nothing"));
}

TEST_F(LogCheck, FollowsLargeObjects) {
  const records::ObjectReference object{.id = {'i'}, .size = 9, .checksum = 0xCBF43926};
  const Bytes chunk = records::object_chunk_key(space_, object.id, 0);
  change([&](kv::Transaction& transaction) -> Result<void> {
    transaction.set(chunk, "123456789");
    return {};
  });
  EXPECT_THAT(complaint(), HasSubstr("belongs to nothing"));
  apply({{.type = OperationType::put_object, .key = "object", .object = object},
         {.type = OperationType::put_object, .key = "gone", .object = {.id = {'j'}}},
         {.type = OperationType::delete_object, .key = "gone"}});
  EXPECT_THAT(complaint(), HasSubstr("1 rows, 1 objects"));
  const auto overwrite = [&](BytesView bytes) {
    change([&](kv::Transaction& transaction) -> Result<void> {
      transaction.set(chunk, bytes);
      return {};
    });
  };
  overwrite("12345678");
  EXPECT_THAT(complaint(), HasSubstr("a chunk of an object is missing: object"));
  overwrite("023456789");
  EXPECT_THAT(complaint(), HasSubstr("bytes of an object differ from the log: object"));
  overwrite("123456789");
  EXPECT_THAT(complaint(), HasSubstr("none: "));
  change([&](kv::Transaction& transaction) -> Result<void> {
    transaction.clear(records::object_key(space_, "object"));
    return {};
  });
  EXPECT_THAT(complaint(), HasSubstr("object differs from the log: object"));
}

TEST_F(LogCheck, FindsALostLogRecord) {
  change([&](kv::Transaction& transaction) -> Result<void> {
    transaction.clear_prefix(records::log_prefix(space_));
    return {};
  });
  EXPECT_THAT(complaint(), HasSubstr("belongs to nothing"));
}

TEST_F(LogCheck, FindsWhatAStartShouldHaveCleared) {
  const auto cleared = [&] {
    const auto result = check_log(database_, records::default_namespace, Staged::is_cleared);
    return result.ok() ? "none" : std::string(result.error().message());
  };
  EXPECT_EQ(cleared(), "none");
  const Bytes object = records::staged_object_key(space_, {});
  const Bytes operation = records::staged_transaction_key(space_, {});
  for (const Bytes& key : {object, operation}) {
    change([&](kv::Transaction& transaction) -> Result<void> {
      transaction.set(key, Bytes(1, '\1') + Bytes(16, 'r'));
      return {};
    });
    EXPECT_THAT(complaint(), HasSubstr("none: "));
    EXPECT_THAT(cleared(), HasSubstr("belongs to nothing"));
    change([&](kv::Transaction& transaction) -> Result<void> {
      transaction.clear(key);
      return {};
    });
  }
}

}  // namespace
}  // namespace strata
