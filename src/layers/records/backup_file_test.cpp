#include "layers/records/backup_file_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace strata::records {
namespace {

using backup_format::Frame;
using testing::HasSubstr;

Stamp stamp(uint8_t number) {
  Stamp made{};
  made.back() = static_cast<char>(number);
  return made;
}

BackupHeader header(BackupKind kind = BackupKind::snapshot) {
  return {.kind = kind,
          .name_space = "users",
          .log_id = "00112233445566778899aabbccddeeff-7",
          .created_us = 1'700'000'000'000'000,
          .start = {.segment = 3, .offset = 100, .lsn = 41, .stamp = stamp(5)}};
}

std::string describe(BytesView bytes, size_t step = SIZE_MAX) {
  BytesSource source(bytes, step);
  return describe_backup(source);
}

#define ASSERT_OK(expression)                                                  \
  do {                                                                         \
    const auto result = (expression);                                          \
    ASSERT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message()); \
  } while (false)

// One of everything; `object_bytes` in the object of the state.
void write_snapshot(BytesSink& sink, size_t object_bytes = 5) {
  BackupWriter writer(sink);
  ASSERT_OK(writer.begin(header()));
  ASSERT_OK(writer.add_value("key", "value"));
  ASSERT_OK(writer.add_value(BytesView("\0\xFF", 2), ""));
  ASSERT_OK(writer.add_row("row"));
  ASSERT_OK(writer.add_column("a", "1"));
  ASSERT_OK(writer.add_column("b", ""));
  ASSERT_OK(
      writer.begin_object({.reference = {.id = {'i', 'd'}, .size = object_bytes, .checksum = 7}, .key = "object"}));
  ASSERT_OK(writer.add_object_bytes(Bytes(object_bytes, 'o')));
  ASSERT_OK(writer.begin_object({.reference = {.id = {'e'}, .size = 0, .checksum = 0}, .key = "empty"}));
  ASSERT_OK(writer.add_record({.segment = 3, .offset = 150, .lsn = 42, .stamp = stamp(6)}, "first"));
  ASSERT_OK(writer.begin_object({.reference = {.id = {'n'}, .size = 3, .checksum = 9}, .key = ""}));
  ASSERT_OK(writer.add_object_bytes("new"));
  ASSERT_OK(writer.add_record({.segment = 4, .offset = 10, .lsn = 43, .stamp = stamp(9)}, "second"));
  ASSERT_OK(writer.finish());
  EXPECT_EQ(writer.bytes(), sink.bytes.size());
}

constexpr const char* described =
    "users 00112233445566778899aabbccddeeff-7 41\n"
    "value key 5\nvalue \\x00\\xff 0\nrow row\ncolumn row a 1\ncolumn row b 0\n"
    "object object 5\nbytes 5\nobject empty 0\n"
    "record 42 first\nobject  3\nbytes 3\nrecord 43 second\nend 43\n";

TEST(BackupFile, ComesBackAsItWas) {
  BytesSink sink;
  write_snapshot(sink);
  for (const size_t step : {SIZE_MAX, size_t{1}, size_t{7}}) EXPECT_EQ(describe(sink.bytes, step), described);
  BytesSource source(sink.bytes);
  BackupReader reader(source);
  EXPECT_EQ(*reader.read_header(), header());
}

TEST(BackupFile, EveryByteCounts) {
  BytesSink sink;
  write_snapshot(sink);
  for (size_t at = 0; at < sink.bytes.size(); ++at) {
    EXPECT_THAT(describe(BytesView(sink.bytes).substr(0, at)), HasSubstr("error: ")) << at;
    for (const char flip : {'\x01', '\x80'}) {
      Bytes damaged = sink.bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      EXPECT_THAT(describe(damaged), HasSubstr("error: ")) << at;
    }
  }
  EXPECT_THAT(describe(sink.bytes + "x"), HasSubstr("bytes behind its end"));
  EXPECT_THAT(describe("not a backup at all"), HasSubstr("this is not a backup"));
  Bytes newer = sink.bytes;
  newer[backup_format::kind.magic.size()] = 2;
  EXPECT_THAT(describe(newer), HasSubstr("format 2"));
}

TEST(BackupFile, LargeItemsHaveFramesOfTheirOwn) {
  BytesSink sink;
  BackupWriter writer(sink);
  ASSERT_OK(writer.begin(header()));
  ASSERT_OK(writer.add_value("small", "1"));
  ASSERT_OK(writer.add_value("large", Bytes(3'000'000, 'x')));
  ASSERT_OK(writer.add_row("row"));
  for (int i = 0; i < 3; ++i) ASSERT_OK(writer.add_column(std::to_string(i), Bytes(200'000, 'x')));
  ASSERT_OK(writer.begin_object({.reference = {.id = {}, .size = 600'000, .checksum = 0}, .key = "object"}));
  for (int i = 0; i < 6; ++i) ASSERT_OK(writer.add_object_bytes(Bytes(100'000, 'x')));
  ASSERT_OK(writer.finish());
  const std::string text = describe(sink.bytes);
  EXPECT_THAT(text, HasSubstr("value small 1\nvalue large 3000000\nrow row\ncolumn row 0 200000\n"));
  // Every frame with columns names their row.
  EXPECT_THAT(text, HasSubstr("row row\ncolumn row 2 200000\n"));
  EXPECT_THAT(text, HasSubstr("\nend 41\n"));
  BytesSource source(sink.bytes);
  BackupReader reader(source);
  ASSERT_OK(reader.read_header());
  uint64_t object_bytes = 0;
  for (auto item = reader.next(); item->type != BackupItemType::end; item = reader.next()) {
    ASSERT_TRUE(item.ok());
    if (item->type == BackupItemType::object_bytes) object_bytes += item->bytes.size();
  }
  EXPECT_EQ(object_bytes, 600'000u);
}

TEST(BackupFile, TheWriterRefusesWhatDoesNotFit) {
  BytesSink sink;
  BackupWriter writer(sink);
  ASSERT_OK(writer.begin(header(BackupKind::segment)));
  const BackupPlace next{.segment = 3, .offset = 200, .lsn = 42, .stamp = stamp(6)};
  for (BackupPlace wrong : {next, next, next, next}) {
    static int which = 0;
    if (which == 0) wrong.lsn = 43;
    if (which == 1) wrong.stamp = stamp(5);
    if (which == 2) wrong.segment = 2;
    if (which == 3) wrong.offset = 100;
    ++which;
    EXPECT_EQ(writer.add_record(wrong, "r").error().code(), ErrorCode::corruption);
  }
  ASSERT_OK(writer.add_record(next, "r"));
  ASSERT_OK(writer.begin_object({.reference = {.id = {}, .size = 3, .checksum = 0}, .key = ""}));
  EXPECT_EQ(writer.add_object_bytes("four").error().code(), ErrorCode::corruption);
  ASSERT_OK(writer.add_object_bytes("2 "));
  EXPECT_EQ(writer.finish().error().code(), ErrorCode::corruption);
}

TEST(BackupFile, StampsAscendAsUnsignedBytes) {
  BytesSink sink;
  BackupWriter writer(sink);
  BackupHeader before = header();
  before.start.stamp = stamp(0x7F);
  ASSERT_OK(writer.begin(before));
  ASSERT_OK(writer.add_record({.segment = 3, .offset = 200, .lsn = 42, .stamp = stamp(0x80)}, "r"));
  ASSERT_OK(writer.finish());
  EXPECT_THAT(describe(sink.bytes), HasSubstr("end 42"));
}

Bytes header_payload() {
  BytesSink sink;
  BackupWriter writer(sink);
  EXPECT_TRUE(writer.begin(header()).ok());
  return sink.bytes.substr(backup_format::kind.magic.size() + 1 + archive::frame_header_bytes);
}

// Frames with right checksums that say what no writer writes.
TEST(BackupFile, HostileFramesAreRefused) {
  const Bytes zeros(8, '\0');
  Bytes huge(16, 'i');  // an object of 2^64 - 1 bytes
  huge += Bytes(8, '\xFF') + Bytes(4, '\0') + Bytes("\1\0k", 3);
  Bytes large = huge;  // of 255 bytes
  large.replace(17, 7, 7, '\0');
  const std::vector<std::tuple<Frame, Bytes, const char*>> cases = {
      {Frame::state, "", "an empty frame"},
      {Frame::state, "\7", "unknown type"},
      {Frame::state, Bytes("\1\xFF\xFFkey", 6), "cut off"},
      {Frame::state, Bytes("\1\1\0k\xFF\xFF\xFF\xFF", 8), "cut off"},
      {Frame::state, Bytes("\1\0\0\0\0\0\0", 7), "a key that no request"},
      {Frame::state, Bytes("\3\1\0c\0\0\0\0", 8), "a column without a row"},
      {Frame::state, Bytes("\2\1\0r\3\0\0\0\0\0\0", 11), "a column that no request"},
      {Frame::object, "short", "wrong shape"},
      {Frame::object, Bytes(16 + 8 + 4 + 2, '\0'), "belongs to nothing"},
      {Frame::object, huge, "impossible size"},
      {Frame::object_bytes, "bytes", "does not belong here"},
      {Frame::header, header_payload(), "does not belong here"},
      {Frame::log, "short", "a record that is cut off"},
      {Frame::log, Bytes(34, '\0') + zeros, "does not follow"},
      {Frame(99), "x", "does not belong here"},
  };
  for (const auto& [type, payload, message] : cases) {
    HandMadeBackup file;
    file.add_frame(static_cast<uint8_t>(Frame::header), header_payload());
    file.add_frame(static_cast<uint8_t>(type), payload);
    file.add_footer(Bytes(34 + 48, '\0'));
    EXPECT_THAT(describe(file.bytes), HasSubstr(message));
  }
  HandMadeBackup file;
  file.add_frame(static_cast<uint8_t>(Frame::header), header_payload());
  file.add_frame(static_cast<uint8_t>(Frame::object), large);
  file.add_frame(static_cast<uint8_t>(Frame::object), large);
  EXPECT_THAT(describe(file.bytes), HasSubstr("not whole"));
}

TEST(BackupFile, AFooterMustSayWhatWasRead) {
  HandMadeBackup file;
  file.add_frame(static_cast<uint8_t>(Frame::header), header_payload());
  file.add_footer(Bytes(34 + 48, '\0'));
  EXPECT_THAT(describe(file.bytes), HasSubstr("what its footer says"));
}

// A length costs nothing before its bytes come: this would be 128 MiB of a file of 60 bytes.
TEST(BackupFile, ALengthIsNotBelieved) {
  Bytes bytes(backup_format::kind.magic);
  bytes.push_back(backup_format::kind.version);
  bytes += Bytes(8, '\0') + '\1';
  append_le32(bytes, archive::max_frame_bytes);
  EXPECT_THAT(describe(bytes), HasSubstr("it ends here"));
  bytes.resize(bytes.size() - 4);
  append_le32(bytes, archive::max_frame_bytes + 1);
  EXPECT_THAT(describe(bytes), HasSubstr("impossible length"));
}

TEST(BackupFile, IsTheGoldenOne) {
  BytesSink sink;
  write_snapshot(sink);
  std::string text;
  for (const char c : sink.bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    text.push_back(digits[static_cast<unsigned char>(c) >> 4]);
    text.push_back(digits[static_cast<unsigned char>(c) & 15]);
    if (text.size() % 121 == 120) text.push_back('\n');
  }
  std::ifstream file(STRATA_GOLDEN_DIRECTORY "/backup.txt");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(text + "\n", golden.str());
}

}  // namespace
}  // namespace strata::records
