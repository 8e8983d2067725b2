#include "archive/aeor_file.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <fstream>
#include <map>

#include "base/hex.h"
#include "base/memory_stream.h"

namespace strata::archive {
namespace {

constexpr int64_t now_ms = 1'700'000'000'123;

Bytes zstd(BytesView bytes) {
  Bytes out(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1);
  EXPECT_EQ(ZSTD_isError(size), 0u);
  out.resize(size);
  return out;
}

struct Item {
  EntryKind kind = EntryKind::chunk;
  Bytes stored;
  bool is_zstd = false;
};

Bytes archive_of(const std::vector<Item>& items, AeorHeader header = {}) {
  BytesSink sink;
  AeorWriter writer(sink);
  header.entry_count = items.size();
  EXPECT_TRUE(writer.begin(header).ok());
  for (const Item& item : items) {
    EXPECT_TRUE(writer.add(item.kind, blake3("key:", item.stored), item.stored, item.is_zstd, now_ms).ok());
  }
  EXPECT_TRUE(writer.finish().ok());
  EXPECT_EQ(writer.entries(), items.size());
  return sink.bytes;
}

// The values, or the error's message.
std::string read_all(BytesView file, size_t step = SIZE_MAX) {
  BytesSource source(file, step);
  AeorReader reader(source);
  const auto header = reader.begin();
  if (!header.ok()) return std::string(header.error().message());
  std::string all;
  for (;;) {
    const Result<bool> more = reader.next();
    if (!more.ok()) return std::string(more.error().message());
    if (!*more) return all;
    const Result<BytesView> value = reader.value();
    if (!value.ok()) return std::string(value.error().message());
    all += std::to_string(static_cast<int>(reader.kind())) + "=" + Bytes(*value) + ";";
  }
}

// The header's byte at `at`, or that of the first entry, another one.
Bytes changed(Bytes file, size_t at, char byte) {
  file[at] = byte;
  return file;
}

TEST(AeorFile, HasTheDocumentedBytes) {
  AeorHeader header;
  header.created_at_ms = 1;
  header.updated_at_ms = 2;
  header.head.fill(0xAA);
  header.entry_count = 3;
  header.type = BackupType::patch;
  header.base.fill(0xBB);
  header.target.fill(0xCC);
  const Bytes bytes = encode(header);
  EXPECT_EQ(to_hex(bytes),
            "41454f52"
            "01"
            "0100"
            "0100000000000000"
            "0200000000000000" +
                std::string(2 * 34, '0') + std::string(64, 'a') + "0300000000000000" + std::string(2 * 17, '0') + "02" +
                std::string(64, 'b') + std::string(64, 'c') + std::string(2 * 77, '0'));
  BytesSink sink;
  AeorWriter writer(sink);
  ASSERT_TRUE(writer.begin(header).ok());
  Hash key;
  key.fill(0x11);
  ASSERT_TRUE(writer.add(EntryKind::file, key, "value", false, 0x0102030405060708).ok());
  ASSERT_TRUE(writer.finish().ok());
  const Hash integrity = blake3("\x02", Bytes(32, '\x11') + "value");
  EXPECT_EQ(to_hex(BytesView(sink.bytes).substr(256)),
            "db12e00a"
            "01"
            "02"
            "00"
            "0100"
            "00"
            "00"
            "20000000"
            "05000000"
            "0807060504030201"
            "64000000" +
                hash_hex(integrity) + std::string(64, '1') + to_hex("value"));
}

// The file is made by tests/scenarios/aeor_help.py, which knows the documentation alone.
TEST(AeorFile, AnotherWritersFileIsOursByteForByte) {
  std::ifstream golden(STRATA_GOLDEN_DIRECTORY "/aeor.txt");
  Bytes digits;
  for (std::string line; std::getline(golden, line);) digits += line;
  const std::optional<Bytes> file = decode_hex(digits);
  ASSERT_TRUE(file);
  BytesSource source(*file);
  AeorReader reader(source);
  const auto header = reader.begin();
  ASSERT_TRUE(header.ok());
  BytesSink sink;
  AeorWriter writer(sink);
  ASSERT_TRUE(writer.begin(*header).ok());
  std::map<EntryKind, int> kinds;
  while (*reader.next()) {
    const Hash& key = reader.key().value();
    const BytesView value = *reader.value();
    ++kinds[reader.kind()];
    switch (reader.kind()) {
      case EntryKind::chunk:
        EXPECT_EQ(key, content_hash(EntryKind::chunk, value));
        break;
      case EntryKind::file: {
        const auto record = decode_file_record(value);
        ASSERT_TRUE(record);
        EXPECT_TRUE(key == content_hash(EntryKind::file, value) || key == path_hash(EntryKind::file, record->path));
        break;
      }
      case EntryKind::symlink:
        EXPECT_EQ(decode_symlink(value)->target, "/file.txt");
        break;
      case EntryKind::directory:
        EXPECT_TRUE(decode_children(value) || decode_internal(value));
        break;
      case EntryKind::deletion:
        EXPECT_EQ(decode_deletion(value), (DeletionRecord{"/gone.txt", 1'500, "deleted"}));
        EXPECT_EQ(key, path_hash(EntryKind::file, "/gone.txt"));
        break;
      case EntryKind::snapshot:
        EXPECT_EQ(decode_snapshot(value), (SnapshotRecord{"v1", header->head, 1'600, "{}"}));
        break;
      case EntryKind::fork:
        EXPECT_EQ(decode_fork(value)->root, header->head);
        break;
      case EntryKind::void_space:
        ADD_FAILURE();
    }
    ASSERT_TRUE(writer.add(reader.kind(), key, reader.stored(), reader.is_zstd(), reader.timestamp_ms()).ok());
  }
  ASSERT_TRUE(writer.finish().ok());
  EXPECT_EQ(sink.bytes, *file);
  EXPECT_EQ(kinds, (std::map<EntryKind, int>{{EntryKind::chunk, 5},
                                             {EntryKind::file, 10},
                                             {EntryKind::directory, 8},
                                             {EntryKind::deletion, 1},
                                             {EntryKind::snapshot, 1},
                                             {EntryKind::fork, 1},
                                             {EntryKind::symlink, 2}}));
}

TEST(AeorFile, ComesBackInPiecesOfAnySize) {
  const Bytes large(file_chunk_bytes, 'l');
  const Bytes file = archive_of({{EntryKind::chunk, "one"},
                                 {EntryKind::chunk, large},
                                 {EntryKind::void_space, Bytes(700'000, 'v')},
                                 {EntryKind::directory, ""},
                                 {EntryKind::symlink, zstd("packed"), true}});
  const std::string expected = "1=one;1=" + large + ";3=;8=packed;";
  for (const size_t step : {SIZE_MAX, size_t{4'099}, size_t{61}}) EXPECT_EQ(read_all(file, step), expected) << step;
}

TEST(AeorFile, EveryCutIsTold) {
  const Bytes file = archive_of({{EntryKind::chunk, "first"}, {EntryKind::file, "second"}});
  for (size_t size = 0; size < file.size(); ++size) {
    const std::string told = read_all(BytesView(file).substr(0, size));
    EXPECT_TRUE(told.find("damaged") != std::string::npos || told.find("not an .aeordb") != std::string::npos)
        << size << ": " << told;
  }
}

TEST(AeorFile, EveryByteOfAnEntryCounts) {
  const Bytes file = archive_of({{EntryKind::chunk, "value"}});
  // Flags and the time are no part of what is verified.
  const auto is_free = [](size_t at) { return at == 6 || (at >= 19 && at < 27); };
  for (size_t at = 0; at < file.size() - aeor_header_bytes; ++at) {
    const size_t place = aeor_header_bytes + at;
    const std::string told = read_all(changed(file, place, static_cast<char>(file[place] ^ 0x40)));
    EXPECT_EQ(told == "1=value;", is_free(at)) << at << ": " << told;
  }
}

TEST(AeorFile, RefusesWhatItDoesNotKnow) {
  const Bytes file = archive_of({{EntryKind::chunk, "value"}});
  EXPECT_NE(read_all(changed(file, 4, 2)).find("format 2"), std::string::npos);
  EXPECT_NE(read_all(changed(file, 5, 2)).find("hashes are of kind 2"), std::string::npos);
  EXPECT_NE(read_all(changed(file, 114, 3)).find("kind of archive"), std::string::npos);
  EXPECT_NE(read_all(changed(file, 256 + 4, 2)).find("version that is not known"), std::string::npos);
  EXPECT_NE(read_all(changed(file, 256 + 9, 2)).find("compression that is not known"), std::string::npos);
  EXPECT_NE(read_all(changed(file, 256 + 10, 1)).find("encrypted"), std::string::npos);
  EXPECT_NE(read_all(file + "\n").find("ends here"), std::string::npos);
}

TEST(AeorFile, LyingLengthsCostNothing) {
  // A chunk of 4 GB, of which nothing follows.
  Bytes file = archive_of({{EntryKind::chunk, "value"}});
  file.replace(256 + 15, 4, "\xFF\xFF\xFF\xEF");
  EXPECT_NE(read_all(file).find("do not agree"), std::string::npos);
  Bytes total;
  append_le32(total, 63 + 32 + 0xEFFFFFFF);
  file.replace(256 + 27, 4, total);
  EXPECT_NE(read_all(file).find("impossible length"), std::string::npos);
  // A void of any size may be, but has to be there.
  file[256 + 5] = static_cast<char>(EntryKind::void_space);
  EXPECT_NE(read_all(file).find("ends here"), std::string::npos);
}

TEST(AeorFile, BombsDoNotGoOff) {
  const Bytes bomb = zstd(Bytes(file_chunk_bytes + 1, '\0'));
  ASSERT_LT(bomb.size(), 100u);
  EXPECT_NE(read_all(archive_of({{EntryKind::chunk, bomb, true}})).find("more than there may be"), std::string::npos);
  const Bytes most = zstd(Bytes(file_chunk_bytes, '\0'));
  EXPECT_EQ(read_all(archive_of({{EntryKind::chunk, most, true}})), "1=" + Bytes(file_chunk_bytes, '\0') + ";");
  // Frames one behind the other, each small enough.
  EXPECT_NE(read_all(archive_of({{EntryKind::chunk, most + most, true}})).find("more than"), std::string::npos);
  EXPECT_EQ(read_all(archive_of({{EntryKind::chunk, zstd("one") + zstd("and two"), true}})), "1=oneand two;");
  EXPECT_NE(read_all(archive_of({{EntryKind::chunk, "no zstd", true}})).find("cannot be decompressed"),
            std::string::npos);
}

TEST(AeorFile, ReadsWhatOthersLeaveBetweenEntries) {
  Bytes file = archive_of({{EntryKind::chunk, "one"}});
  const size_t behind = file.size();
  Bytes offset;
  append_le64(offset, behind);
  append_le64(offset, 1'000'000);
  file.replace(23, 16, offset);
  file += Bytes(1'000'000, 'k');
  file += BytesView(file).substr(256, behind - 256);
  EXPECT_EQ(read_all(file), "1=one;1=one;");
}

TEST(AeorFile, CompressionThatIsNotMarked) {
  const Bytes packed = zstd(Bytes(1'000, 'x'));
  const Bytes file = archive_of({{EntryKind::chunk, packed}, {EntryKind::chunk, packed.substr(0, 12)}});
  BytesSource source(file);
  AeorReader reader(source);
  ASSERT_TRUE(reader.begin().ok());
  ASSERT_TRUE(*reader.next());
  EXPECT_EQ(*reader.value(), packed);
  EXPECT_EQ(reader.unmarked_zstd_value(), Bytes(1'000, 'x'));
  EXPECT_EQ(reader.timestamp_ms(), now_ms);
  ASSERT_TRUE(*reader.next());
  EXPECT_EQ(reader.unmarked_zstd_value(), std::nullopt);
}

}  // namespace
}  // namespace strata::archive
