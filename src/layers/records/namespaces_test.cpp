#include "layers/records/namespaces.h"

#include "layers/records/apply.h"
#include "layers/records/store_test.h"
#include "layers/records/values.h"

namespace strata::records {
namespace {

class Namespaces : public RecordsTest {
 protected:
  EnsuredNamespace ensure(std::string_view name) {
    return run([&](kv::Transaction& transaction) { return ensure_namespace(transaction, name, clock_.wall_us()); });
  }
  bool remove(std::string_view name) {
    return run([&](kv::Transaction& transaction) { return remove_namespace(transaction, name); });
  }
  std::optional<Namespace> find(std::string_view name) {
    return read([&](const kv::ReadTransaction& transaction) { return find_namespace(transaction, name); });
  }
  void write(const Namespace& space) {
    const Bytes large(200'000, 'v');
    const std::vector<Operation> operations = {
        {.type = OperationType::put_value, .key = "k", .value = large},
        {.type = OperationType::put_row, .key = "r", .columns = {{"c", large}}},
    };
    run([&](kv::Transaction& transaction) { return apply(transaction, space, operations, 1); });
  }
};

TEST_F(Namespaces, AreMadeOnceAndFound) {
  EXPECT_EQ(find("a"), std::nullopt);
  const EnsuredNamespace first = ensure("a");
  EXPECT_TRUE(first.created);
  const EnsuredNamespace again = ensure("a");
  EXPECT_FALSE(again.created);
  EXPECT_EQ(again.space, first.space);
  EXPECT_EQ(find("a"), first.space);
  EXPECT_NE(ensure("b").space.prefix, first.space.prefix);
}

TEST_F(Namespaces, ANumberIsNeverGivenOutAgain) {
  const int64_t id = ensure("a").space.id;
  EXPECT_TRUE(remove("a"));
  EXPECT_FALSE(remove("a"));
  EXPECT_EQ(find("a"), std::nullopt);
  EXPECT_GT(ensure("a").space.id, id);
}

TEST_F(Namespaces, RemovalTakesAllDataAndNoOtherNamespace) {
  // More than 256, so that numbers of one and of two bytes are neighbours.
  std::vector<Namespace> spaces;
  for (int i = 0; i < 300; ++i) spaces.push_back(ensure("n" + std::to_string(i)).space);
  for (const int i : {0, 1, 253, 254, 255, 299}) write(spaces[static_cast<size_t>(i)]);
  EXPECT_TRUE(remove("n254"));
  EXPECT_TRUE(dump(database_, spaces[254]).empty());
  for (const int i : {0, 1, 253, 255, 299}) {
    EXPECT_EQ(check_chunks(dump(database_, spaces[static_cast<size_t>(i)]), spaces[static_cast<size_t>(i)]), 2u);
  }
}

TEST_F(Namespaces, AWriteThatMissedARemovalConflicts) {
  ensure("a");
  kv::Transaction transaction = database_.create_transaction();
  const auto space = find_namespace(transaction, "a");
  ASSERT_TRUE(space.ok() && space->has_value());
  ASSERT_TRUE(put_value(transaction, **space, "k", "v").ok());
  EXPECT_TRUE(remove("a"));
  EXPECT_EQ(transaction.commit().get().error().code(), ErrorCode::not_committed);
}

TEST_F(Namespaces, TwoThatAreMadeAtOnceGetTwoNumbers) {
  kv::Transaction first = database_.create_transaction();
  kv::Transaction second = database_.create_transaction();
  ASSERT_TRUE(ensure_namespace(first, "a", 1).ok());
  ASSERT_TRUE(ensure_namespace(second, "b", 1).ok());
  EXPECT_TRUE(first.commit().get().ok());
  EXPECT_EQ(second.commit().get().error().code(), ErrorCode::not_committed);
}

TEST_F(Namespaces, NamesThatCannotBe) {
  const auto code = [](std::string_view name) {
    const auto result = validate_namespace_name(name);
    return result.ok() ? ErrorCode::internal : result.error().code();
  };
  for (const char* name : {"default", "a", "A-b_c.9", "9", "_", "tables2", "a..b"})
    EXPECT_TRUE(validate_namespace_name(name).ok());
  EXPECT_TRUE(validate_namespace_name(std::string(128, 'n')).ok());
  for (const char* name : {"", ".", "..", ".a", "-a", "a b", "a/b", "a\n", "\xC3\xA9", "tables", "collections",
                           "search", "math", "batch", "transactions", "backup", "restore", "backups"}) {
    EXPECT_EQ(code(name), ErrorCode::invalid_argument) << name;
  }
  EXPECT_EQ(code(std::string(129, 'n')), ErrorCode::invalid_argument);
  EXPECT_EQ(code(std::string_view("a\0b", 3)), ErrorCode::invalid_argument);
  EXPECT_EQ(find(std::string(20'000, 'n')), std::nullopt);
}

TEST_F(Namespaces, ABrokenRegistryRowIsCorruption) {
  for (const Bytes& row : {Bytes(), Bytes(17, '\0'), Bytes("\x01") + Bytes(16, '\0'), Bytes("\x01") + Bytes(16, '\xFF'),
                           Bytes("\x01") + Bytes(15, '\x01')}) {
    run([&](kv::Transaction& transaction) -> Result<void> {
      transaction.set(namespace_names.name_key("a"), row);
      return {};
    });
    const auto found =
        database_.read([](const kv::ReadTransaction& transaction) { return find_namespace(transaction, "a"); });
    ASSERT_FALSE(found.ok());
    EXPECT_EQ(found.error().code(), ErrorCode::corruption);
  }
}

}  // namespace
}  // namespace strata::records
