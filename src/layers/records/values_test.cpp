#include "layers/records/values.h"

#include "layers/records/store_test.h"

namespace strata::records {
namespace {

class Values : public RecordsTest {
 protected:
  void put(BytesView key, BytesView value) {
    run([&](kv::Transaction& transaction) { return put_value(transaction, space_, key, value); });
  }
  void remove(BytesView key) {
    run([&](kv::Transaction& transaction) { return delete_value(transaction, space_, key); });
  }
  std::optional<Bytes> get(BytesView key) {
    const auto stored =
        read([&](const kv::ReadTransaction& transaction) { return read_value(transaction, space_, key); });
    if (!stored) return std::nullopt;
    return Bytes(stored->value());
  }
  size_t large_values() { return check_chunks(dump(database_, space_), space_); }
};

TEST_F(Values, AbsentEmptyAndSmall) {
  EXPECT_EQ(get("a"), std::nullopt);
  put("a", "");
  EXPECT_EQ(get("a"), "");
  put("a", "one");
  EXPECT_EQ(get("a"), "one");
  EXPECT_EQ(get("aa"), std::nullopt);
  remove("a");
  EXPECT_EQ(get("a"), std::nullopt);
  remove("a");
}

TEST_F(Values, EverySizeAroundAChunk) {
  for (const size_t size :
       {chunk_bytes - 1, chunk_bytes, chunk_bytes + 1, 2 * chunk_bytes, 2 * chunk_bytes + 1, size_t{1'048'576}}) {
    Bytes value(size, 'v');
    value.front() = 'f';
    value.back() = 'b';
    put("k", value);
    EXPECT_EQ(get("k"), value) << size;
    EXPECT_EQ(large_values(), size > chunk_bytes ? 1u : 0u);
  }
}

TEST_F(Values, ReplacingALargeValueLeavesNoChunks) {
  const Bytes large(300'000, 'l');
  const Bytes larger(700'000, 'm');
  put("k", larger);
  put("k", large);
  EXPECT_EQ(get("k"), large);
  EXPECT_EQ(large_values(), 1u);
  put("k", "small");
  EXPECT_EQ(get("k"), "small");
  EXPECT_EQ(large_values(), 0u);
  put("k", large);
  remove("k");
  EXPECT_EQ(get("k"), std::nullopt);
  EXPECT_TRUE(dump(database_, space_).empty());
}

TEST_F(Values, KeysOfAnyBytesUpToTheLimit) {
  Bytes every;
  for (int byte = 0; byte < 256; ++byte) every.push_back(static_cast<char>(byte));
  const Bytes long_key(max_key_bytes, '\xFF');
  const Bytes keys[] = {Bytes(1, '\0'), Bytes("\xFF"), Bytes("a/b"), every, long_key, long_key.substr(1)};
  const Bytes large(200'000, 'x');
  for (const Bytes& key : keys) put(key, key + large);
  for (const Bytes& key : keys) EXPECT_EQ(get(key), key + large);
  EXPECT_EQ(large_values(), std::size(keys));
  for (const Bytes& key : keys) remove(key);
  EXPECT_TRUE(dump(database_, space_).empty());
}

TEST_F(Values, TheStampIsThatOfTheCommit) {
  kv::Transaction transaction = database_.create_transaction();
  ASSERT_TRUE(put_value(transaction, space_, "k", "v").ok());
  Future<Bytes> stamp = transaction.get_versionstamp();
  ASSERT_TRUE(transaction.commit().get().ok());
  const auto stored = read([&](const kv::ReadTransaction& reader) { return read_value(reader, space_, "k"); });
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(Bytes(stored->stamp().begin(), stored->stamp().end()), stamp.get().value());
}

TEST_F(Values, SmallPutsOfOneKeyDoNotConflict) {
  kv::Transaction first = database_.create_transaction();
  kv::Transaction second = database_.create_transaction();
  ASSERT_TRUE(put_value(first, space_, "hot", "1").ok());
  ASSERT_TRUE(put_value(second, space_, "hot", "2").ok());
  EXPECT_TRUE(second.commit().get().ok());
  EXPECT_TRUE(first.commit().get().ok());
  EXPECT_EQ(get("hot"), "1");
}

TEST_F(Values, ASmallPutThatMissedALargeOneConflicts) {
  kv::Transaction small = database_.create_transaction();
  ASSERT_TRUE(put_value(small, space_, "k", "small").ok());
  put("k", Bytes(200'000, 'l'));
  const auto committed = small.commit().get();
  ASSERT_FALSE(committed.ok());
  EXPECT_EQ(committed.error().code(), ErrorCode::not_committed);
}

TEST_F(Values, TwoPutsInOneTransaction) {
  run([&](kv::Transaction& transaction) -> Result<void> {
    RETURN_IF_ERROR(put_value(transaction, space_, "k", Bytes(200'000, 'l')));
    RETURN_IF_ERROR(put_value(transaction, space_, "k", "small"));
    RETURN_IF_ERROR(put_value(transaction, space_, "m", "small"));
    return put_value(transaction, space_, "m", Bytes(100'000, 'm'));
  });
  EXPECT_EQ(get("k"), "small");
  EXPECT_EQ(get("m"), Bytes(100'000, 'm'));
  EXPECT_EQ(large_values(), 1u);
}

TEST_F(Values, BrokenHeadsAreCorruption) {
  const Bytes stamp(stamp_bytes, 's');
  for (const Bytes& head : {Bytes(), Bytes("\x01"), Bytes("\x02") + Bytes(1, '\0') + stamp, Bytes("\x01\x02") + stamp,
                            Bytes("\x01\x01") + stamp + "short", Bytes("\x01\x01") + stamp + Bytes(8, '\0'),
                            Bytes("\x01\x01") + stamp + Bytes(8, '\xFF')}) {
    run([&](kv::Transaction& transaction) -> Result<void> {
      transaction.set(value_key(space_, "k"), head);
      return {};
    });
    const auto stored =
        database_.read([&](const kv::ReadTransaction& transaction) { return read_value(transaction, space_, "k"); });
    ASSERT_FALSE(stored.ok()) << printable(head);
    EXPECT_EQ(stored.error().code(), ErrorCode::corruption);
  }
}

TEST_F(Values, MissingOrSurplusChunksAreCorruption) {
  const auto code_after = [&](auto&& damage) {
    put("k", Bytes(250'000, 'l'));
    run([&](kv::Transaction& transaction) -> Result<void> {
      damage(transaction, value_chunks_key(space_, "k"));
      return {};
    });
    const auto stored =
        database_.read([&](const kv::ReadTransaction& transaction) { return read_value(transaction, space_, "k"); });
    return stored.ok() ? ErrorCode::internal : stored.error().code();
  };
  const auto chunk_key = [](Bytes key, uint32_t index) {
    append_be32(key, index);
    return key;
  };
  for (const uint32_t index : {0u, 1u, 2u}) {
    EXPECT_EQ(code_after([&](kv::Transaction& tr, const Bytes& key) { tr.clear(chunk_key(key, index)); }),
              ErrorCode::corruption);
  }
  EXPECT_EQ(code_after([&](kv::Transaction& tr, const Bytes& key) { tr.set(chunk_key(key, 3), "more"); }),
            ErrorCode::corruption);
  EXPECT_EQ(code_after([&](kv::Transaction& tr, const Bytes& key) { tr.set(chunk_key(key, 2), "less"); }),
            ErrorCode::corruption);
}

}  // namespace
}  // namespace strata::records
