#include "layers/files/entries.h"

#include <cstdlib>
#include <fstream>

#include "base/hex.h"
#include "base/random.h"
#include "layers/files/directory.h"
#include "layers/files/file_keys.h"
#include "layers/files/files_fixture_test.h"
#include "layers/files/versions.h"

namespace strata::files {
namespace {

class EntriesTest : public FilesTest {
 protected:
  std::map<Bytes, Bytes> dump() {
    std::map<Bytes, Bytes> rows;
    kv::Transaction transaction = database_.create_transaction();
    kv::RangeIterator range(transaction, "", "\xFF");
    while (range.next()) rows.emplace(range.key(), range.value());
    EXPECT_TRUE(range.status().ok());
    return rows;
  }
  Result<std::optional<Bytes>> get(EntryKind kind, const Hash& hash) {
    return read([&](const EntryReader& reader) { return reader.read(kind, hash); });
  }
};

Bytes noise(size_t size) {
  Random random(size);
  Bytes bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

TEST_F(EntriesTest, WhatIsPutIsReadInAnySize) {
  for (const size_t size :
       {size_t{0}, size_t{1}, part_bytes - 1, part_bytes, part_bytes + 1, size_t{262'144}, size_t{1'000'000}}) {
    const Bytes bytes = noise(size);
    const Hash hash = archive::content_hash(EntryKind::chunk, bytes);
    write([&](EntryWriter& writer) -> Result<void> {
      writer.put(EntryKind::chunk, hash, bytes);
      return {};
    });
    EXPECT_EQ(**get(EntryKind::chunk, hash), bytes) << size;
    for (const auto& [key, value] : dump()) EXPECT_LE(value.size(), 100'000u);
    write([&](EntryWriter& writer) -> Result<void> {
      writer.remove(hash, **writer.row(hash));
      return {};
    });
    EXPECT_TRUE(dump().empty()) << size;
    EXPECT_FALSE(*get(EntryKind::chunk, hash));
  }
}

// Three parts of 87 KB: values from 64 KiB on are written once.
TEST_F(EntriesTest, TheThirdsOfAChunkAreAllLarge) {
  const Bytes bytes = noise(archive::file_chunk_bytes);
  write([&](EntryWriter& writer) -> Result<void> {
    writer.put(EntryKind::chunk, blake3(archive::chunk_domain, bytes), bytes);
    return {};
  });
  size_t large = 0;
  for (const auto& [key, value] : dump()) large += value.size() >= 65'536 ? 1 : 0;
  EXPECT_EQ(large, 3u);
}

TEST_F(EntriesTest, CompressedOnesComeBackAsTheyWere) {
  Bytes text;
  while (text.size() < 200'000) text += "the same words again, ";
  const std::optional<Bytes> packed = pack_zstd(text, 1);
  ASSERT_TRUE(packed);
  EXPECT_LT(packed->size(), text.size() / 10);
  EXPECT_FALSE(pack_zstd(noise(200'000), 1));
  const Hash hash = blake3(archive::chunk_domain, text);
  write([&](EntryWriter& writer) -> Result<void> {
    writer.put_chunk(hash, *packed, Compression::zstd, static_cast<uint32_t>(text.size()));
    return {};
  });
  EXPECT_EQ(**get(EntryKind::chunk, hash), text);
  EXPECT_FALSE(unpack(Compression::zstd, *packed, static_cast<uint32_t>(text.size() - 1)).ok());
  EXPECT_FALSE(unpack(Compression::zstd, *packed, static_cast<uint32_t>(text.size() + 1)).ok());
  EXPECT_FALSE(
      unpack(Compression::zstd, packed->substr(0, packed->size() / 2), static_cast<uint32_t>(text.size())).ok());
}

TEST_F(EntriesTest, WhileACollectionRunsWhatIsReusedComesIntoItsEpoch) {
  const Bytes bytes = "abc";
  const Hash hash = blake3(archive::chunk_domain, bytes);
  const auto reuse = [&] {
    return write([&](EntryWriter& writer) -> Result<std::optional<EntryRow>> {
      ASSIGN_OR_RETURN(const std::optional<Bytes> found, writer.look_up(hash).get());
      return writer.reuse(hash, found);
    });
  };
  const auto epoch = [&] { return read([&](const EntryReader& reader) { return (**reader.row(hash)).epoch; }); };
  const auto set_state = [&](const CollectionState& state) {
    ASSERT_TRUE(database_
                    .run([&](kv::Transaction& transaction) -> Result<void> {
                      transaction.set(collection_state_key(), encode_collection_state(state));
                      return {};
                    })
                    .ok());
  };
  EXPECT_FALSE(reuse());
  write([&](EntryWriter& writer) -> Result<void> {
    writer.put(EntryKind::chunk, hash, bytes);
    return {};
  });
  set_state({.epoch = 1, .running = true, .cursor = "x"});
  EXPECT_TRUE(reuse());
  EXPECT_EQ(epoch(), 1u);
  set_state({.epoch = 2, .running = false, .cursor = {}});
  EXPECT_TRUE(reuse());
  EXPECT_EQ(epoch(), 1u);
}

TEST_F(EntriesTest, ACollectionThatBeginsMakesAWriterBeginAnew) {
  kv::Transaction transaction = database_.create_transaction();
  Result<EntryWriter> writer = EntryWriter::begin(transaction, cache_);
  ASSERT_TRUE(writer.ok());
  writer->put(EntryKind::chunk, blake3(archive::chunk_domain, "a"), "a");
  ASSERT_TRUE(database_
                  .run([&](kv::Transaction& other) -> Result<void> {
                    other.set(collection_state_key(),
                              encode_collection_state({.epoch = 1, .running = true, .cursor = {}}));
                    return {};
                  })
                  .ok());
  const Result<void> committed = transaction.commit().get();
  ASSERT_FALSE(committed.ok());
  EXPECT_EQ(committed.error().code(), ErrorCode::not_committed);
}

TEST(NodeCache, KeepsTheNewestWithinItsBound) {
  NodeCache cache(16 * 4'000);
  const auto hash_of_number = [](uint32_t number) {
    Hash hash{};
    std::memcpy(hash.data(), &number, sizeof number);
    return hash;
  };
  for (uint32_t i = 0; i < 100; ++i) cache.add(hash_of_number(i), std::make_shared<const Bytes>(800, 'x'));
  EXPECT_FALSE(cache.find(hash_of_number(0)));
  EXPECT_FALSE(cache.find(hash_of_number(95)));
  for (uint32_t i = 97; i < 100; ++i) EXPECT_TRUE(cache.find(hash_of_number(i))) << i;
  cache.add(hash_of_number(200), std::make_shared<const Bytes>(3'000, 'x'));
  EXPECT_FALSE(cache.find(hash_of_number(200)));
  EXPECT_TRUE(cache.find(hash_of_number(99)));
}

TEST(Versions, NamesHaveBounds) {
  EXPECT_TRUE(validate_version_name("v1.0 – ä").ok());
  for (const char* bad : {"", "HEAD", "a/b", "\xff"}) EXPECT_FALSE(validate_version_name(bad).ok()) << bad;
  EXPECT_FALSE(validate_version_name(std::string(max_version_name_bytes + 1, 'n')).ok());
  EXPECT_FALSE(validate_version_name(BytesView("a\0b", 3)).ok());
}

TEST_F(EntriesTest, RowsAreThoseOfTheFormatPage) {
  Hash hash{};
  hash.fill(0xAB);
  write([&](EntryWriter& writer) -> Result<void> {
    kv::Transaction& transaction = writer.writes();
    EXPECT_EQ((*read_branch(transaction, head))->root, empty_directory());
    EXPECT_FALSE(*read_branch(transaction, "fork"));
    set_branch(transaction, {std::string(head), hash, 1, 2});
    set_branch(transaction, {"fork", hash, 3, 4});
    set_snapshot(transaction, {"v1", hash, 5, R"({"a":1})"});
    set_version_row(transaction, {hash, 6, 7});
    set_upload_mark(transaction, {SessionId{1, 2}, hash, 8});
    transaction.set(collection_state_key(), encode_collection_state({.epoch = 9, .running = true, .cursor = "c"}));
    writer.put_file({"/a", "text/plain", 3, 1, 2, "", {hash}});
    writer.put_symlink({"/l", "/a", 1, 2});
    writer.put_directory(archive::encode_flat({{EntryKind::file, hash, 3, 1, 2, "a", "text/plain"}}));
    writer.put_chunk(hash, "packed", Compression::zstd, 100);
    return {};
  });
  std::string lines;
  for (const auto& [key, value] : dump()) lines += to_hex(key) + " " + to_hex(value) + "\n";
  const std::string path = STRATA_GOLDEN_DIRECTORY "/files.txt";
  if (std::getenv("STRATA_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << lines;
  std::ifstream golden(path);
  EXPECT_EQ(lines, std::string(std::istreambuf_iterator<char>(golden), {}));

  kv::Transaction transaction = database_.create_transaction();
  EXPECT_EQ(**read_branch(transaction, "fork"), (Branch{"fork", hash, 3, 4}));
  EXPECT_EQ(read_branches(transaction)->size(), 2u);
  EXPECT_EQ(**read_snapshot(transaction, "v1"), (Snapshot{"v1", hash, 5, R"({"a":1})"}));
  EXPECT_EQ(read_snapshots(transaction)->size(), 1u);
  EXPECT_EQ(**read_version_row(transaction, hash), (VersionRow{hash, 6, 7}));
  kv::RangeIterator marks(transaction, upload_marks().begin, upload_marks().end);
  ASSERT_TRUE(marks.next());
  const Result<UploadMark> mark = decode_upload_mark(marks.key(), marks.value());
  ASSERT_TRUE(mark.ok());
  EXPECT_EQ(mark->chunk, hash);
  EXPECT_EQ(mark->session, (SessionId{1, 2}));
  EXPECT_EQ(mark->expires_at_ms, 8);
}

TEST_F(EntriesTest, DamagedRowsAreSaidToBe) {
  const Hash hash = blake3(archive::chunk_domain, "abc");
  for (const Bytes& damaged : {Bytes(), Bytes("\x02"), Bytes(9, '\x07'), Bytes(15, '\xff')}) {
    ASSERT_TRUE(database_
                    .run([&](kv::Transaction& transaction) -> Result<void> {
                      transaction.set(entry_row_key(hash), damaged);
                      transaction.set(entry_data_key(EntryKind::chunk, hash), damaged);
                      transaction.set(file_key(RowKind::branch, "b"), damaged);
                      transaction.set(collection_state_key(), damaged);
                      return {};
                    })
                    .ok());
    kv::Transaction transaction = database_.create_transaction();
    const EntryReader reader(transaction, cache_);
    EXPECT_EQ(reader.row(hash).error().code(), ErrorCode::corruption);
    EXPECT_EQ(reader.read(EntryKind::chunk, hash).error().code(), ErrorCode::corruption);
    EXPECT_EQ(read_branch(transaction, "b").error().code(), ErrorCode::corruption);
    EXPECT_EQ(EntryWriter::begin(transaction, cache_).error().code(), ErrorCode::corruption);
  }
}

}  // namespace
}  // namespace strata::files
