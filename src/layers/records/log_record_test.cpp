#include "layers/records/log_record.h"

#include <xxhash.h>

#include "base/random.h"
#include "layers/records/apply.h"
#include "layers/records/store_test.h"

namespace strata::records {
namespace {

const std::vector<Operation>& one_of_each() {
  static const std::vector<Operation> operations = {
      {.type = OperationType::put_value, .key = "key", .value = "value"},
      {.type = OperationType::put_value, .key = BytesView("\0\xFF/", 3), .value = ""},
      {.type = OperationType::delete_value, .key = "gone"},
      {.type = OperationType::put_row, .key = "row", .columns = {{"a", "1"}, {"b", ""}}},
      {.type = OperationType::put_row, .key = "bare", .columns = {}},
      {.type = OperationType::delete_row, .key = "row"},
      {.type = OperationType::delete_columns, .key = "row", .columns = {{"a", ""}, {"b", ""}}},
      {.type = OperationType::put_object,
       .key = "object",
       .object = {.id = test_object_id(1), .size = max_object_bytes, .checksum = 0xCBF43926}},
      {.type = OperationType::put_object, .key = "empty", .object = {.id = test_object_id(2)}},
      {.type = OperationType::delete_object, .key = "object"},
  };
  return operations;
}

// Length and checksum made right again: what a test changed in between is what decode must find.
Bytes sealed(Bytes bytes) {
  bytes.resize(bytes.size() - 8);
  Bytes size;
  append_le32(size, static_cast<uint32_t>(bytes.size() + 8));
  bytes.replace(1, 4, size);
  append_le64(bytes, XXH3_64bits(bytes.data(), bytes.size()));
  return bytes;
}

bool is_corrupt(BytesView bytes) {
  const auto record = decode_log_record(bytes);
  return !record.ok() && record.error().code() == ErrorCode::corruption;
}

TEST(LogRecord, SurvivesTheRoundTrip) {
  const Bytes bytes = encode_log_record(1'700'000'000'000'001, one_of_each());
  const auto record = decode_log_record(bytes);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->wall_us, 1'700'000'000'000'001);
  EXPECT_EQ(record->operations, one_of_each());
  EXPECT_EQ(encode_log_record(record->wall_us, record->operations), bytes);
}

TEST(LogRecord, LargeAndManyOperations) {
  const Bytes large(1'000'000, 'l');
  std::vector<Operation> operations(20'000, {.type = OperationType::put_value, .key = "k", .value = "v"});
  operations.push_back(
      {.type = OperationType::put_row, .key = BytesView(large).substr(0, max_key_bytes), .columns = {{"c", large}}});
  const Bytes bytes = encode_log_record(-1, operations);
  const auto record = decode_log_record(bytes);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->wall_us, -1);
  EXPECT_EQ(record->operations, operations);
}

TEST(LogRecord, EveryTruncationAndEveryFlippedBitIsFound) {
  const Bytes bytes = encode_log_record(7, one_of_each());
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_TRUE(is_corrupt(BytesView(bytes).substr(0, size))) << size;
  EXPECT_TRUE(is_corrupt(bytes + '\0'));
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_TRUE(is_corrupt(changed)) << bit;
  }
}

// With a right checksum only the decoder's own checks stand: it refuses, or what it accepts is what encode would write.
TEST(LogRecord, ForgedRecordsAreRefusedOrExact) {
  const Bytes bytes = encode_log_record(7, one_of_each());
  Random random(11);
  size_t refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    Bytes changed = bytes;
    for (uint64_t edits = 1 + random.below(3); edits > 0; --edits) {
      const size_t place = 13 + random.below(changed.size() - 21);
      switch (random.below(3)) {
        case 0:
          changed[place] = static_cast<char>(random.next());
          break;
        case 1:
          changed.erase(place, 1 + random.below(3));
          break;
        default:
          changed.insert(place, 1, static_cast<char>(random.next()));
      }
      if (changed.size() < 22) changed.insert(13, 10, '\0');
    }
    changed = sealed(changed);
    const auto record = decode_log_record(changed);
    if (record.ok()) {
      EXPECT_EQ(encode_log_record(record->wall_us, record->operations), changed);
    } else {
      EXPECT_EQ(record.error().code(), ErrorCode::corruption);
      ++refused;
    }
  }
  EXPECT_GT(refused, 1'000u);
}

TEST(LogRecord, CountsThatLieReserveNothing) {
  Bytes bytes = encode_log_record(7, std::vector<Operation>{{.type = OperationType::put_row, .key = "r"}});
  // The row's column count is the last byte before the checksum: 2^35 - 1 columns.
  bytes.replace(bytes.size() - 9, 1, "\xFF\xFF\xFF\xFF\x7F");
  EXPECT_TRUE(is_corrupt(sealed(bytes)));
  Bytes operations = encode_log_record(7, std::vector<Operation>{{.type = OperationType::delete_row, .key = "r"}});
  operations.replace(13, 1, "\xFF\xFF\xFF\xFF\x7F");
  EXPECT_TRUE(is_corrupt(sealed(operations)));
}

TEST(LogRecord, OneSpellingOfALength) {
  Bytes bytes = encode_log_record(7, std::vector<Operation>{{.type = OperationType::delete_row, .key = "r"}});
  bytes.replace(13, 1, Bytes("\x81\x00", 2));
  EXPECT_TRUE(is_corrupt(sealed(bytes)));
}

class Log : public RecordsTest {
 protected:
  void write(const std::vector<Operation>& operations, int64_t wall_us = 1) {
    run([&](kv::Transaction& transaction) { return apply(transaction, space_, operations, wall_us); });
  }
  std::vector<StoredLogRecord> log(const Stamp* after = nullptr, size_t limit = 1'000) {
    return read([&](const kv::ReadTransaction& transaction) { return read_log(transaction, space_, after, limit); });
  }
  ErrorCode damaged(const Bytes& key, bool clear, BytesView value = {}) {
    run([&](kv::Transaction& transaction) -> Result<void> {
      clear ? transaction.clear(key) : transaction.set(key, value);
      return {};
    });
    const auto records = database_.read(
        [&](const kv::ReadTransaction& transaction) { return read_log(transaction, space_, nullptr, 1'000); });
    return records.ok() ? ErrorCode::internal : records.error().code();
  }
};

TEST_F(Log, HasOneRecordForEveryTransactionInItsOrder) {
  write({{.type = OperationType::put_value, .key = "a", .value = "1"}}, 10);
  write({});
  write(one_of_each(), 20);
  const auto records = log();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_LT(records[0].stamp, records[1].stamp);
  EXPECT_EQ(decode_log_record(records[0].bytes)->wall_us, 10);
  EXPECT_EQ(decode_log_record(records[1].bytes)->operations, one_of_each());
  EXPECT_EQ(log(&records[0].stamp).size(), 1u);
  EXPECT_EQ(log(&records[1].stamp).size(), 0u);
  EXPECT_EQ(log(nullptr, 1)[0].stamp, records[0].stamp);
}

TEST_F(Log, ItsStampIsThatOfTheValue) {
  write({{.type = OperationType::put_value, .key = "a", .value = "1"}});
  const auto rows = dump(database_, space_);
  const auto head = parse_stamped_head(rows.at(value_key(space_, "a")));
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(log()[0].stamp, head->stamp);
}

TEST_F(Log, LargeRecordsAreCutAndJoined) {
  for (const size_t size : {size_t{10}, chunk_bytes - 40, chunk_bytes - 30, chunk_bytes, 3 * chunk_bytes + 7}) {
    write({{.type = OperationType::put_value, .key = "a", .value = Bytes(size, 'x')}});
  }
  const auto records = log();
  ASSERT_EQ(records.size(), 5u);
  const auto last = decode_log_record(records[4].bytes);
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->operations[0].value, Bytes(3 * chunk_bytes + 7, 'x'));
  const auto after = log(&records[2].stamp, 1);
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].bytes, records[3].bytes);
}

TEST_F(Log, PartsThatAreMissingAreFound) {
  const auto part = [&](uint16_t index) { return log_key(space_, log()[0].stamp, index); };
  write({{.type = OperationType::put_value, .key = "a", .value = Bytes(250'000, 'x')}});
  const Bytes first = part(0);
  const Bytes second = part(1);
  const Bytes last = part(2);
  const auto rows = dump(database_, space_);
  EXPECT_EQ(damaged(last, true), ErrorCode::corruption);
  EXPECT_EQ(damaged(last, false, "short"), ErrorCode::corruption);
  EXPECT_EQ(damaged(last, false, ""), ErrorCode::corruption);
  EXPECT_EQ(damaged(last, false, rows.at(last)), ErrorCode::internal);
  EXPECT_EQ(damaged(second, true), ErrorCode::corruption);
  EXPECT_EQ(damaged(second, false, rows.at(second)), ErrorCode::internal);
  EXPECT_EQ(damaged(first, true), ErrorCode::corruption);
  EXPECT_EQ(damaged(log_prefix(space_) + "odd", false, "x"), ErrorCode::corruption);
}

// Some of several parts, some alike to the last byte but one.
TEST_F(Log, ARecordIsFoundBehindAVersion) {
  const Bytes large(250'000, 'l');
  const Bytes other = large.substr(1) + "m";
  const auto put = [](BytesView value) {
    return Operation{.type = OperationType::put_value, .key = "k", .value = value};
  };
  const auto append = [&](BytesView value) {
    run([&](kv::Transaction& transaction) -> Result<void> {
      const Operation operation = put(value);
      append_to_log(transaction, space_, 7, {&operation, 1});
      return {};
    });
  };
  const auto now = [&] {
    return read([](const kv::ReadTransaction& transaction) { return transaction.get_read_version().get(); });
  };
  const auto find = [&](kv::Version after, BytesView value, const LogSearchLimits& limits = {}, int64_t wall_us = 7) {
    return read([&](const kv::ReadTransaction& transaction) {
             const Operation operation = put(value);
             return find_in_log(transaction, space_, after, encode_log_record(wall_us, {&operation, 1}), limits);
           })
        .found;
  };
  const kv::Version start = now();
  EXPECT_EQ(find(start, large), InLog::no);
  append("small");
  append(other);
  const kv::Version before = now();
  append(large);
  append("small too");
  for (const BytesView value : {BytesView("small"), BytesView(other), BytesView(large), BytesView("small too")}) {
    EXPECT_EQ(find(start, value), InLog::yes);
    EXPECT_EQ(find(start, value, {}, 8), InLog::no);
    EXPECT_EQ(find(now(), value), InLog::no);
  }
  EXPECT_EQ(find(before, other), InLog::no);
  EXPECT_EQ(find(before, large), InLog::yes);
  EXPECT_EQ(find(start, large.substr(1)), InLog::no);
  EXPECT_EQ(find(start, "small too", {.parts = 3}), InLog::not_known);
  EXPECT_EQ(find(start, "small too", {.bytes = 300'000}), InLog::not_known);
  EXPECT_EQ(find(start, "small", {.parts = 1, .bytes = 1}), InLog::yes);
}

}  // namespace
}  // namespace strata::records
