#include "layers/documents/document_backup.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/hex.h"
#include "base/memory_stream.h"
#include "layers/documents/documents_fixture_test.h"

namespace strata::documents {
namespace {

// Nothing may depend on how bytes come.
constexpr size_t piece_bytes = 7;

Bytes documents_file() {
  BytesSink file;
  BackupWriter writer(file);
  EXPECT_TRUE(writer.begin().ok());
  EXPECT_TRUE(writer.add({.table = 0, .key = "a", .text = R"({"n":1})"}).ok());
  EXPECT_TRUE(writer.add({.table = 0, .key = "b", .text = "{}"}).ok());
  EXPECT_TRUE(writer.add({.table = 1, .key = "a", .text = R"({"s":"ü"})"}).ok());
  EXPECT_TRUE(writer.add({.table = 1, .is_change = true, .key = "z", .text = R"({"n":2})"}).ok());
  EXPECT_TRUE(writer.add({.table = 0, .is_change = true, .key = "b"}).ok());
  EXPECT_TRUE(writer.finish().ok());
  return file.bytes;
}

Result<std::string> read_documents(BytesView bytes, size_t tables = 2) {
  BytesSource source(bytes, piece_bytes);
  BackupReader reader(source, tables);
  RETURN_IF_ERROR(reader.begin());
  std::string all;
  for (;;) {
    ASSIGN_OR_RETURN(const auto item, reader.next());
    if (!item) return all;
    all += std::to_string(item->table) + (item->is_change ? "!" : " ") + std::string(item->key) + "=" +
           std::string(item->text.value_or("-")) + "\n";
  }
}

BackupManifest manifest() {
  BackupManifest manifest{.created_us = 1'700'000'000'000'000, .items = 5, .bytes = 123, .digest = {1, 2}};
  Table people{.name = "people", .created_us = 7, .options = {.shards = 3, .description = "Ü", .schema = "{}"}};
  people.indexes.push_back({.id = 2, .name = "by", .field = *DocumentPath::parse("a.b"), .type = IndexType::number});
  people.next_index = 3;
  manifest.tables = {people, Table{.name = "z", .created_us = 8}};
  return manifest;
}

Bytes manifest_file() {
  BytesSink file;
  EXPECT_TRUE(write_manifest(file, manifest()).ok());
  return file.bytes;
}

Result<BackupManifest> read_manifest(BytesView bytes) {
  BytesSource source(bytes, piece_bytes);
  return documents::read_manifest(source);
}

TEST(DocumentBackupTest, ReadsWhatWasWritten) {
  EXPECT_EQ(*read_documents(documents_file()), "0 a={\"n\":1}\n0 b={}\n1 a={\"s\":\"ü\"}\n1!z={\"n\":2}\n0!b=-\n");
  const auto read = read_manifest(manifest_file());
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->created_us, 1'700'000'000'000'000);
  EXPECT_EQ(read->items, 5u);
  EXPECT_EQ(read->bytes, 123u);
  EXPECT_EQ(read->digest, (archive::Digest128{1, 2}));
  ASSERT_EQ(read->tables.size(), 2u);
  const Table& people = read->tables[0];
  EXPECT_EQ(people.name, "people");
  EXPECT_EQ(people.created_us, 7);
  EXPECT_EQ(people.options.shards, 3u);
  EXPECT_EQ(people.options.description, "Ü");
  EXPECT_EQ(people.options.schema, "{}");
  ASSERT_EQ(people.indexes.size(), 1u);
  EXPECT_EQ(people.indexes[0].field.to_string(), manifest().tables[0].indexes[0].field.to_string());
  EXPECT_EQ(people.next_index, 3u);
}

TEST(DocumentBackupTest, EveryFlippedByteAndEveryTruncationIsRefused) {
  const Bytes documents = documents_file();
  const Bytes head = manifest_file();
  for (size_t i = 0; i < documents.size(); ++i) {
    Bytes flipped = documents;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
    EXPECT_EQ(read_documents(flipped).error().code(), ErrorCode::corruption) << i;
    EXPECT_EQ(read_documents(BytesView(documents).substr(0, i)).error().code(), ErrorCode::corruption) << i;
  }
  for (size_t i = 0; i < head.size(); ++i) {
    Bytes flipped = head;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
    EXPECT_EQ(read_manifest(flipped).error().code(), ErrorCode::corruption) << i;
    EXPECT_EQ(read_manifest(BytesView(head).substr(0, i)).error().code(), ErrorCode::corruption) << i;
  }
  EXPECT_FALSE(read_documents(documents + "x").ok());
  EXPECT_FALSE(read_manifest(head + "x").ok());
}

Result<std::string> read_items(std::initializer_list<BackupItem> items) {
  BytesSink file;
  BackupWriter writer(file);
  EXPECT_TRUE(writer.begin().ok());
  for (const BackupItem& item : items) EXPECT_TRUE(writer.add(item).ok());
  EXPECT_TRUE(writer.finish().ok());
  return read_documents(file.bytes);
}

TEST(DocumentBackupTest, WhatNoBackupHoldsIsRefusedThoughItsChecksumsAreRight) {
  EXPECT_TRUE(read_items({{.table = 0, .key = "a", .text = "{}"}, {.table = 1, .key = "a", .text = "{}"}}).ok());
  EXPECT_FALSE(read_items({{.table = 0, .key = "a", .text = "{}"}, {.table = 0, .key = "a", .text = "{}"}}).ok());
  EXPECT_FALSE(read_items({{.table = 1, .key = "a", .text = "{}"}, {.table = 0, .key = "b", .text = "{}"}}).ok());
  EXPECT_FALSE(
      read_items({{.table = 0, .is_change = true, .key = "a", .text = "{}"}, {.table = 0, .key = "b", .text = "{}"}})
          .ok());
  EXPECT_FALSE(read_items({{.table = 2, .key = "a", .text = "{}"}}).ok());
  EXPECT_FALSE(read_items({{.table = 0, .key = "", .text = "{}"}}).ok());
  EXPECT_FALSE(read_items({{.table = 0, .key = "\xFF", .text = "{}"}}).ok());
  EXPECT_FALSE(read_items({{.table = 0, .key = "a", .text = "[]"}}).ok());
  EXPECT_FALSE(read_items({{.table = 0, .key = "a", .text = "{ }"}}).ok());
  EXPECT_FALSE(read_items({{.table = 0, .key = "a", .text = R"({"a":1,"a":1})"}}).ok());
}

// Every byte of both files, compared with tests/golden/documents-backup.txt.
TEST(DocumentBackupTest, FormatIsTheGoldenOne) {
  const std::string dumped = "documents\n" + to_hex(documents_file()) + "\nmanifest\n" + to_hex(manifest_file()) + "\n";
  if (std::getenv("STRATA_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(STRATA_GOLDEN_DIRECTORY "/documents-backup.txt") << dumped;
  }
  std::ifstream file(STRATA_GOLDEN_DIRECTORY "/documents-backup.txt");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(dumped, golden.str());
}

class DocumentChangesTest : public DocumentsTest {};

TEST_F(DocumentChangesTest, WritesNoteWhatTheyChangeOnlyWhileATableIsCopied) {
  const auto changes = [&] {
    std::vector<Bytes> keys;
    const Bytes prefix = changes_prefix(table_.prefix);
    for (const auto& [key, value] : dump()) {
      if (key.starts_with(prefix)) keys.push_back(key.substr(prefix.size() + stamp_bytes));
    }
    return keys;
  };
  put("before", "{}");
  EXPECT_THAT(changes(), testing::IsEmpty());
  table_.is_copied = true;
  run([&](kv::Transaction& transaction) -> Result<void> {
    put_table(transaction, table_);
    return {};
  });
  const auto found = read([&](const kv::ReadTransaction& transaction) { return find_table(transaction, "test"); });
  ASSERT_TRUE(found && found->is_copied);
  put("z", "{}");
  put("a", "{}");
  put("z", "{\"n\":1}");
  Batch batch;
  batch.deletes.push_back("before");
  ASSERT_TRUE(apply(batch).ok());
  EXPECT_THAT(changes(), testing::ElementsAre("z", "a", "z", "before"));
}

TEST_F(DocumentChangesTest, AHiddenTableIsSeenWhenItIsRevealed) {
  const int64_t number = run([](kv::Transaction& transaction) { return make_hidden_table(transaction); });
  const auto hidden = [&] {
    return read([](const kv::ReadTransaction& transaction) { return list_hidden_tables(transaction); });
  };
  EXPECT_THAT(hidden(), testing::ElementsAre(number));
  Table table{.name = "test", .number = number, .prefix = table_prefix(number)};
  EXPECT_FALSE(run([&](kv::Transaction& transaction) { return reveal_table(transaction, table); }));
  EXPECT_THAT(hidden(), testing::ElementsAre(number));
  table.name = "new";
  EXPECT_TRUE(run([&](kv::Transaction& transaction) { return reveal_table(transaction, table); }));
  EXPECT_THAT(hidden(), testing::IsEmpty());
  const int64_t other = run([](kv::Transaction& transaction) { return make_hidden_table(transaction); });
  EXPECT_GT(other, number);
  const auto before = dump().size();
  run([&](kv::Transaction& transaction) -> Result<void> {
    clear_hidden_table(transaction, other);
    return {};
  });
  EXPECT_EQ(dump().size(), before - 1);
}

}  // namespace
}  // namespace strata::documents
