#include "layers/records/log_segments.h"

#include <fstream>
#include <sstream>

#include "base/hex.h"
#include "layers/records/apply.h"
#include "layers/records/log_page.h"
#include "layers/records/log_record.h"
#include "layers/records/store_test.h"

namespace strata::records {
namespace {

Stamp stamp_of(char first) {
  Stamp stamp{};
  stamp[0] = first;
  stamp[9] = '\x7F';
  return stamp;
}

LogSegment some_segment() {
  return {.number = 258,
          .after = stamp_of('\xFE'),
          .limit_bytes = 16u << 20,
          .opened_us = 1'700'000'000'000'000,
          .totals_known = true,
          .before = {.records = 1, .operations = 2, .bytes = 3, .weight = 4},
          .previous_bytes = 5};
}

LogCheckpoint some_checkpoint() {
  return {.stamp = stamp_of('\x01'),
          .position = {6, 7},
          .segment_weight = 8,
          .totals = {.records = 9, .operations = 10, .bytes = 11, .weight = 12},
          .record_us = 1'700'000'000'000'001,
          .wall_us = 1'700'000'000'000'002};
}

class LogSegments : public RecordsTest {
 protected:
  void write(const LogSegment& segment) {
    run([&](kv::Transaction& transaction) -> Result<void> {
      write_log_segment(transaction, space_, segment);
      return {};
    });
  }
  void put(BytesView key, BytesView value) {
    const Operation operation{.type = OperationType::put_value, .key = key, .value = value};
    run([&](kv::Transaction& transaction) {
      return apply(transaction, space_, std::span(&operation, 1), clock_.wall_us());
    });
  }
  std::vector<StoredLogRecord> log() {
    return read([&](const kv::ReadTransaction& transaction) { return read_log(transaction, space_, nullptr, 1'000); });
  }
  LogPage page(const LogPageRequest& request) {
    return read([&](const kv::ReadTransaction& transaction) { return read_log_page(transaction, space_, request); });
  }
  static Stamp no_end() {
    Stamp stamp;
    stamp.fill('\xFF');
    return stamp;
  }
};

TEST_F(LogSegments, BytesAreTheGoldenOnes) {
  run([&](kv::Transaction& transaction) -> Result<void> {
    write_log_segment(transaction, space_, some_segment());
    write_log_checkpoint(transaction, space_, some_checkpoint());
    return {};
  });
  run([&](kv::Transaction& transaction) -> Result<void> {
    write_log_seal(transaction, space_, 259, 1'000, 1'700'000'000'000'003);
    return {};
  });
  const auto sealed =
      read([&](const kv::ReadTransaction& transaction) { return read_log_segment(transaction, space_, 259); });
  std::string dumped;
  for (const auto& [key, value] : dump(database_, space_)) dumped += to_hex(key) + " " + to_hex(value) + "\n";
  const std::string stamp = to_hex(view(sealed->after));
  dumped.replace(dumped.find(stamp), stamp.size(), "<stamp 1>");
  std::ifstream file(STRATA_GOLDEN_DIRECTORY "/log_segments.txt");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(dumped, golden.str());
}

TEST_F(LogSegments, RowsAreReadAsWritten) {
  EXPECT_EQ(*decode_log_segment(258, encode_log_segment(some_segment())), some_segment());
  EXPECT_EQ(*decode_log_checkpoint(encode_log_checkpoint(some_checkpoint())), some_checkpoint());
}

TEST_F(LogSegments, OtherBytesAreCorruption) {
  const Bytes segment = encode_log_segment(some_segment());
  const Bytes checkpoint = encode_log_checkpoint(some_checkpoint());
  const auto corrupt = [](const auto& result) {
    return !result.ok() && result.error().code() == ErrorCode::corruption;
  };
  EXPECT_TRUE(corrupt(decode_log_segment(0, segment)));
  EXPECT_TRUE(corrupt(decode_log_segment(1, segment + "x")));
  EXPECT_TRUE(corrupt(decode_log_segment(1, segment.substr(1))));
  EXPECT_TRUE(corrupt(decode_log_segment(1, "")));
  EXPECT_TRUE(corrupt(decode_log_checkpoint(checkpoint + "x")));
  EXPECT_TRUE(corrupt(decode_log_checkpoint("")));
  Bytes other = segment;
  other[0] = 2;
  EXPECT_TRUE(corrupt(decode_log_segment(1, other)));
  other = segment;
  other[27] = 2;  // totals known
  EXPECT_TRUE(corrupt(decode_log_segment(1, other)));
  other[27] = 0;
  EXPECT_TRUE(corrupt(decode_log_segment(1, other)));
  other = checkpoint;
  other[0] = 2;
  EXPECT_TRUE(corrupt(decode_log_checkpoint(other)));
}

TEST_F(LogSegments, RowsAreFoundByNumber) {
  EXPECT_FALSE(
      read([&](const kv::ReadTransaction& transaction) { return read_last_log_segment(transaction, space_); }));
  for (const uint64_t number : {3u, 255u, 256u, 70'000u}) {
    LogSegment segment = some_segment();
    segment.number = number;
    write(segment);
  }
  const auto from = [&](uint64_t number, size_t limit) {
    std::vector<uint64_t> numbers;
    for (const LogSegment& segment : read([&](const kv::ReadTransaction& transaction) {
           return read_log_segments(transaction, space_, number, limit);
         })) {
      numbers.push_back(segment.number);
    }
    return numbers;
  };
  EXPECT_EQ(from(0, 2), (std::vector<uint64_t>{3, 255}));
  EXPECT_EQ(from(255, 9), (std::vector<uint64_t>{255, 256, 70'000}));
  EXPECT_EQ(from(UINT64_MAX, 9), (std::vector<uint64_t>{}));
  EXPECT_EQ(
      read([&](const kv::ReadTransaction& transaction) { return read_last_log_segment(transaction, space_); })->number,
      70'000u);
}

TEST_F(LogSegments, ASealLiesBetweenTheRecordsBeforeAndBehindIt) {
  put("a", "1");
  run([&](kv::Transaction& transaction) -> Result<void> {
    write_log_seal(transaction, space_, 2, 1'000, 0);
    return {};
  });
  put("b", "1");
  const auto records = log();
  const auto sealed =
      read([&](const kv::ReadTransaction& transaction) { return read_log_segment(transaction, space_, 2); });
  ASSERT_TRUE(sealed);
  EXPECT_FALSE(sealed->totals_known);
  EXPECT_LT(view(records[0].stamp), view(sealed->after));
  EXPECT_LT(view(sealed->after), view(records[1].stamp));
}

TEST_F(LogSegments, DroppingLeavesWhatComesBehind) {
  for (int i = 0; i < 4; ++i) put("k", "v");
  const auto before = log();
  LogSegment kept = some_segment();
  kept.number = 2;
  kept.after = before[1].stamp;
  LogSegment first = kept;
  first.number = 1;
  write(first);
  write(kept);
  run([&](kv::Transaction& transaction) -> Result<void> {
    drop_log_segments(transaction, space_, kept);
    return {};
  });
  const auto after = log();
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after[0].stamp, before[2].stamp);
  EXPECT_EQ(read([&](const kv::ReadTransaction& transaction) { return read_first_kept(transaction, space_); }),
            kept.after);
  EXPECT_EQ(
      read([&](const kv::ReadTransaction& transaction) { return read_log_segments(transaction, space_, 0, 9); }).size(),
      1u);
}

TEST_F(LogSegments, PagesHoldWholeRecordsWhateverTheirSize) {
  for (const size_t size : {10u, 89'000u, 300'000u, 0u, 90'001u, 50u}) put("k", Bytes(size, 'v'));
  const auto expected = log();
  for (const size_t max_bytes : {1u, 1'000u, 100'000u, 1'000'000u}) {
    for (const size_t max_records : {0u, 1u, 2u}) {
      Stamp after{};
      std::vector<StoredLogRecord> seen;
      for (;;) {
        const LogPage records =
            page({.after = after, .last = no_end(), .max_records = max_records, .max_bytes = max_bytes});
        if (records.records.empty()) break;
        for (const RawLogRecord& record : records.records) seen.push_back({record.stamp, Bytes(record.bytes)});
        after = records.records.back().stamp;
        if (max_records > 0) EXPECT_LE(records.records.size(), max_records);
      }
      ASSERT_EQ(seen.size(), expected.size());
      for (size_t i = 0; i < seen.size(); ++i) {
        EXPECT_EQ(seen[i].stamp, expected[i].stamp);
        EXPECT_EQ(seen[i].bytes, expected[i].bytes);
      }
    }
  }
  EXPECT_EQ(page({.after = expected[0].stamp, .last = expected[2].stamp, .max_bytes = 1u << 20}).records.size(), 2u);
  EXPECT_TRUE(page({.after = expected[2].stamp, .last = expected[2].stamp}).records.empty());
  EXPECT_TRUE(page({.after = expected[3].stamp, .last = expected[2].stamp}).records.empty());
}

TEST_F(LogSegments, APartThatIsMissingIsCorruption) {
  put("k", Bytes(300'000, 'v'));
  put("k", "v");
  const Stamp stamp = log()[0].stamp;
  for (const uint16_t part : {3, 2, 1, 0}) {
    run([&](kv::Transaction& transaction) -> Result<void> {
      transaction.clear(log_key(space_, stamp, part));
      return {};
    });
    const auto broken = database_.read([&](const kv::ReadTransaction& transaction) {
      return read_log_page(transaction, space_, {.after = {}, .last = no_end()});
    });
    if (part > 0) EXPECT_EQ(broken.error().code(), ErrorCode::corruption) << part;
  }
}

TEST_F(LogSegments, ASummaryIsWhatTheRecordHolds) {
  const std::vector<Operation> operations = {
      {.type = OperationType::put_value, .key = "k", .value = "v"},
      {.type = OperationType::put_object, .key = "o", .object = {.id = {}, .size = 1'000'000, .checksum = 1}},
      {.type = OperationType::put_row, .key = "r", .columns = {{"a", "1"}, {"b", ""}}},
      {.type = OperationType::delete_columns, .key = "r", .columns = {{"a", ""}}}};
  const Bytes bytes = encode_log_record(77, operations);
  const auto summary = summarize_log_record(bytes);
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->wall_us, 77);
  EXPECT_EQ(summary->operations, 4u);
  EXPECT_EQ(summary->weight, bytes.size() + 1'000'000);
  EXPECT_FALSE(summarize_log_record(bytes.substr(1)).ok());
  EXPECT_FALSE(summarize_log_record("").ok());
}

}  // namespace
}  // namespace strata::records
