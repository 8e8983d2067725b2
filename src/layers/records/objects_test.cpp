#include "layers/records/objects.h"

#include "layers/records/apply.h"
#include "layers/records/log_record.h"
#include "layers/records/store_test.h"

namespace strata::records {
namespace {

class Objects : public RecordsTest {
 protected:
  static Operation put_of(BytesView key, int number, uint64_t size = 0) {
    return {.type = OperationType::put_object, .key = key, .object = {.id = test_object_id(number), .size = size}};
  }
  static Operation delete_of(BytesView key) { return {.type = OperationType::delete_object, .key = key}; }

  void write(const std::vector<Operation>& operations) {
    run([&](kv::Transaction& transaction) { return apply(transaction, space_, operations, 1); });
  }
  std::optional<StoredObject> head(BytesView key) {
    return read([&](const kv::ReadTransaction& transaction) { return read_object_head(transaction, space_, key); });
  }
  std::vector<ReplacedObject> replaced() {
    return read(
        [&](const kv::ReadTransaction& transaction) { return read_replaced_objects(transaction, space_, nullptr, 9); });
  }
  Stamp last_stamp() {
    return read([&](const kv::ReadTransaction& transaction) { return read_log(transaction, space_, nullptr, 99); })
        .back()
        .stamp;
  }
};

TEST_F(Objects, AHeadNamesTheObjectAndTheCommitThatPutIt) {
  EXPECT_FALSE(head("a").has_value());
  write({put_of("a", 1, 12)});
  const auto found = head("a");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->reference, (ObjectReference{.id = test_object_id(1), .size = 12}));
  EXPECT_EQ(found->stamp, last_stamp());
  EXPECT_EQ(found->chunk_bytes, object_chunk_bytes);
  const auto described = read([&](const kv::ReadTransaction& transaction) {
    return read_object_descriptor(transaction, space_, test_object_id(1));
  });
  ASSERT_TRUE(described.has_value());
  EXPECT_EQ(described->reference, found->reference);
  EXPECT_TRUE(replaced().empty());
}

TEST_F(Objects, PuttingAnObjectTakesItOffTheStagedOnes) {
  run([&](kv::Transaction& transaction) -> Result<void> {
    for (const int number : {3, 1, 2}) stage_object(transaction, space_, test_object_id(number), test_object_id(9));
    return {};
  });
  write({put_of("a", 2)});
  const auto staged = [&](const ObjectId* after, size_t limit) {
    return read(
        [&](const kv::ReadTransaction& transaction) { return read_staged_objects(transaction, space_, after, limit); });
  };
  ASSERT_EQ(staged(nullptr, 9).size(), 2u);
  EXPECT_EQ(staged(nullptr, 9)[0].run, test_object_id(9));
  ASSERT_EQ(staged(nullptr, 1).size(), 1u);
  const ObjectId first = staged(nullptr, 1)[0].id;
  EXPECT_EQ(first, test_object_id(1));
  EXPECT_EQ(staged(&first, 9)[0].id, test_object_id(3));
}

TEST_F(Objects, WhatIsReplacedOrDeletedIsRememberedWithTheCommitThatPutIt) {
  write({put_of("a", 1)});
  const Stamp first = last_stamp();
  write({put_of("a", 2)});
  const Stamp second = last_stamp();
  ASSERT_EQ(replaced().size(), 1u);
  EXPECT_EQ(replaced()[0].id, test_object_id(1));
  EXPECT_EQ(replaced()[0].stamp, first);
  EXPECT_EQ(replaced()[0].key, "a");
  write({delete_of("a"), delete_of("a"), delete_of("none")});
  EXPECT_FALSE(head("a").has_value());
  ASSERT_EQ(replaced().size(), 2u);
  EXPECT_EQ(replaced()[1].id, test_object_id(2));
  EXPECT_EQ(replaced()[1].stamp, second);
  const ReplacedObject after = replaced()[0];
  const auto rest = read(
      [&](const kv::ReadTransaction& transaction) { return read_replaced_objects(transaction, space_, &after, 9); });
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].id, test_object_id(2));
}

TEST_F(Objects, SeveralChangesOfOneKeyInOneTransaction) {
  write({put_of("a", 1)});
  write({put_of("a", 2), put_of("a", 3), delete_of("a"), put_of("a", 4)});
  EXPECT_EQ(head("a")->reference.id, test_object_id(4));
  const auto rows = replaced();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].id, test_object_id(1));
  for (const size_t i : {1, 2}) {
    EXPECT_EQ(rows[i].id, test_object_id(static_cast<int>(i) + 1));
    EXPECT_EQ(rows[i].stamp, last_stamp());
  }
}

TEST_F(Objects, TheSameObjectPutAgainIsNotReplaced) {
  write({put_of("a", 1)});
  write({put_of("a", 1), put_of("a", 1)});
  EXPECT_TRUE(replaced().empty());
  EXPECT_EQ(head("a")->stamp, last_stamp());
}

TEST_F(Objects, OneOfTwoWhoReplaceTheSameObjectConflicts) {
  write({put_of("a", 1)});
  kv::Transaction one = database_.create_transaction();
  kv::Transaction other = database_.create_transaction();
  const std::vector<Operation> first = {put_of("a", 2)};
  const std::vector<Operation> second = {put_of("a", 3)};
  ASSERT_TRUE(apply(one, space_, first, 1).ok());
  ASSERT_TRUE(apply(other, space_, second, 1).ok());
  EXPECT_TRUE(one.commit().get().ok());
  const auto refused = other.commit().get();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::not_committed);
}

TEST_F(Objects, TheFirstStampOfTheLog) {
  const auto first = [&] {
    return read([&](const kv::ReadTransaction& transaction) { return first_log_stamp(transaction, space_); });
  };
  EXPECT_FALSE(first().has_value());
  write({put_of("a", 1)});
  const Stamp stamp = last_stamp();
  write({put_of("b", 2)});
  EXPECT_EQ(first(), stamp);
}

TEST_F(Objects, BrokenRowsAreCorruption) {
  write({put_of("a", 1, 5)});
  const auto rows = dump(database_, space_);
  const Bytes stored = rows.at(object_key(space_, "a"));
  const Bytes described = rows.at(object_data_key(space_, test_object_id(1)));
  ASSERT_TRUE(parse_object_head(stored).ok());
  ASSERT_TRUE(parse_object_descriptor(test_object_id(1), described).ok());
  for (size_t size = 0; size < stored.size(); ++size) EXPECT_FALSE(parse_object_head(stored.substr(0, size)).ok());
  EXPECT_FALSE(parse_object_head(stored + "x").ok());
  const auto changed = [&](size_t at, char byte) {
    Bytes bytes = stored;
    bytes[at] = byte;
    return parse_object_head(bytes);
  };
  EXPECT_FALSE(changed(0, 2).ok());
  EXPECT_FALSE(changed(1, 1).ok());
  EXPECT_FALSE(changed(35, 1).ok()) << "a size beyond the limit";
  Bytes no_chunks = described;
  no_chunks.replace(9, 4, Bytes(4, '\0'));
  EXPECT_FALSE(parse_object_descriptor(test_object_id(1), no_chunks).ok());
  EXPECT_FALSE(parse_object_descriptor(test_object_id(1), "").ok());

  run([&](kv::Transaction& transaction) -> Result<void> {
    transaction.set(staged_objects_prefix(space_) + "short", "\x01");
    transaction.set(replaced_objects_prefix(space_) + "short", "\x01");
    return {};
  });
  const auto staged = database_.read(
      [&](const kv::ReadTransaction& transaction) { return read_staged_objects(transaction, space_, nullptr, 9); });
  const auto waiting = database_.read(
      [&](const kv::ReadTransaction& transaction) { return read_replaced_objects(transaction, space_, nullptr, 9); });
  EXPECT_EQ(staged.error().code(), ErrorCode::corruption);
  EXPECT_EQ(waiting.error().code(), ErrorCode::corruption);
}

}  // namespace
}  // namespace strata::records
