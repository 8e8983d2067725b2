#include "layers/documents/documents.h"

#include <array>

#include "layers/documents/documents_fixture_test.h"

namespace strata::documents {
namespace {

using testing::ElementsAre;

class Documents : public DocumentsTest {
 protected:
  std::vector<std::string> keys(const DocumentRange& range, size_t limit = 0) {
    return read([&](const kv::ReadTransaction& transaction) -> Result<std::vector<std::string>> {
      ASSIGN_OR_RETURN(const DocumentPage page, read_page(transaction, table_, range, limit));
      std::vector<std::string> found;
      for (const auto& entry : page.entries()) found.emplace_back(entry.key);
      return found;
    });
  }
  Stamp stamp(BytesView key) {
    return read([&](const kv::ReadTransaction& transaction) { return read_document(transaction, table_, key); })->stamp;
  }
};

TEST_F(Documents, VersionsAreDecimalNumbersThatGrow) {
  EXPECT_EQ(format_version({}), "0");
  EXPECT_EQ(format_version({0, 0, 0, 0, 0, 0, 0, 0, 1, 2}), "258");
  Stamp last;
  last.fill('\xFF');
  EXPECT_EQ(format_version(last), "1208925819614629174706175");
  for (const char* good : {"0", "7", "1208925819614629174706175"}) EXPECT_TRUE(is_version(good));
  for (const char* bad : {"", "00", "01", "-1", "1.0", "x", "12345678901234567890123456"})
    EXPECT_FALSE(is_version(bad));
  put("k", "{}");
  const Stamp first = stamp("k");
  put("k", "{}");
  EXPECT_LT(first, stamp("k"));
}

TEST_F(Documents, OfEverySizeComeBackAndLeaveNothing) {
  const auto empty = dump();
  for (const size_t size : {0u, 1u, 95'990u, 95'991u, 95'992u, 95'993u, 96'000u, 192'000u, 300'000u, 5'000'000u}) {
    const Bytes json = "{\"a\":\"" + Bytes(size, 'x') + "\"}";
    put("key", json);
    EXPECT_EQ(text("key"), json);
    // head, chunks
    const size_t chunks = json.size() > chunk_bytes ? (json.size() + chunk_bytes - 1) / chunk_bytes : 0;
    EXPECT_EQ(dump().size(), empty.size() + 1 + chunks);
  }
  put("key", "{}");
  EXPECT_EQ(dump().size(), empty.size() + 1);
  put("key", "{\"a\":\"" + Bytes(200'000, 'x') + "\"}");
  Batch batch;
  batch.deletes = {"key", "none"};
  EXPECT_TRUE(apply(batch).ok());
  EXPECT_EQ(dump(), empty);
  EXPECT_EQ(text("key"), "");
}

// What StoredHeads finds of each key, as text; "-": nothing.
std::vector<std::string> heads_of(kv::Transaction& transaction, const Table& table, std::span<const BytesView> keys) {
  const auto heads = StoredHeads::read(transaction, table, keys);
  EXPECT_TRUE(heads.ok());
  std::vector<std::string> found;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto stored = heads->stored(i);
    found.emplace_back(stored ? parse_head(*stored)->text : BytesView("-"));
  }
  return found;
}

// Few and many keys, none, some and all of them there, with many others in between, and texts that fill pages.
TEST_F(Documents, HeadsOfManyKeysAreThoseOfEach) {
  const auto name = [](int i) { return "k" + std::to_string(1'000 + i); };
  const auto json = [](int i) {
    return "{\"n\":\"" + Bytes(i % 10 == 0 ? 30'000 : 3, 'x') + std::to_string(i) + "\"}";
  };
  Batch batch;
  std::vector<Bytes> stored;
  for (int i = 0; i < 300; ++i) stored.push_back(name(i));
  for (int i = 0; i < 300; i += (i < 150 ? 1 : 7)) {
    batch.inserts.push_back({stored[static_cast<size_t>(i)], batch.arena.copy(json(i))});
  }
  ASSERT_TRUE(apply(batch).ok());
  for (const auto& [first, last, step] :
       {std::array{0, 5, 1}, {0, 300, 1}, {0, 300, 40}, {0, 150, 1}, {140, 400, 1}, {290, 600, 1}, {1, 300, 13}}) {
    std::vector<Bytes> names;
    std::vector<std::string> expected;
    for (int i = first; i < last; i += step) {
      names.push_back(name(i));
      const Bytes is = text(names.back());
      expected.push_back(is.empty() ? "-" : is);
    }
    const std::vector<BytesView> keys(names.begin(), names.end());
    const auto found = run([&](kv::Transaction& transaction) -> Result<std::vector<std::string>> {
      return heads_of(transaction, table_, keys);
    });
    EXPECT_EQ(found, expected) << first << " to " << last << " by " << step;
  }
}

// Found by a range, yet each key for itself: what is written between them is no conflict, what is written to one is.
TEST_F(Documents, HeadsConflictByKey) {
  std::vector<Bytes> names;
  for (int i = 0; i < 20; ++i) names.push_back("k" + std::to_string(10 + i));
  put(names[3], "{}");
  const std::vector<BytesView> keys(names.begin(), names.end());
  for (const auto& [written, conflicts] : {std::pair{"k105", false}, {"k13", true}, {"k29", true}, {"k290", false}}) {
    kv::Transaction transaction = database_.create_transaction();
    EXPECT_EQ(heads_of(transaction, table_, keys).size(), keys.size());
    transaction.set("other", "");
    put(written, R"({"a":1})");
    const auto committed = transaction.commit().get();
    EXPECT_EQ(!committed.ok() && committed.error().code() == ErrorCode::not_committed, conflicts) << written;
  }
}

TEST_F(Documents, RangesAreExactInTheOrderOfBytes) {
  for (const char* key : {"a", "a:1", "ab", "b", "ü"}) put(key, "{}");
  put(BytesView("a\0", 2), "{}");
  EXPECT_THAT(keys({}), ElementsAre("a", std::string("a\0", 2), "a:1", "ab", "b", "ü"));
  EXPECT_THAT(keys({.begin = KeyBound{"a", false}, .end = KeyBound{"ab", true}}),
              ElementsAre(std::string("a\0", 2), "a:1", "ab"));
  EXPECT_THAT(keys({.begin = KeyBound{"a", true}, .end = KeyBound{"ab", false}}),
              ElementsAre("a", std::string("a\0", 2), "a:1"));
  EXPECT_THAT(keys({.begin = KeyBound{"a:", true}, .end = KeyBound{"b", false}}), ElementsAre("a:1", "ab"));
  EXPECT_THAT(keys({.begin = KeyBound{"b", true}, .end = KeyBound{"a", true}}), ElementsAre());
  EXPECT_THAT(keys({.begin = KeyBound{"b", false}, .end = KeyBound{"b", true}}), ElementsAre());
  EXPECT_THAT(keys({.begin = KeyBound{"b", true}, .end = KeyBound{"b", true}}), ElementsAre("b"));
  EXPECT_THAT(keys({.begin = KeyBound{"b", false}}, 1), ElementsAre("ü"));
  const Bytes longer(20'000, 'b');
  EXPECT_THAT(keys({.begin = KeyBound{longer, true}}), ElementsAre("ü"));
  EXPECT_THAT(keys({.end = KeyBound{longer, true}}), ElementsAre("a", std::string("a\0", 2), "a:1", "ab", "b"));
}

TEST_F(Documents, PagesTogetherAreTheTable) {
  std::vector<std::string> expected;
  for (int i = 1'000; i < 1'300; ++i) {
    expected.push_back(std::to_string(i));
    put(expected.back(), "{\"a\":\"" + Bytes(i % 7 == 0 ? 100'000 : 700, 'x') + "\"}");
  }
  std::vector<std::string> found;
  size_t pages = 0;
  for (bool more = true; more; ++pages) {
    const auto page = database_.read([&](const kv::ReadTransaction& transaction) {
      DocumentRange range;
      if (!found.empty()) range.begin = KeyBound{found.back(), false};
      return read_page(transaction, table_, range, 0);
    });
    ASSERT_TRUE(page.ok());
    for (const auto& entry : page->entries()) {
      EXPECT_GT(entry.text.size(), 700u);
      EXPECT_EQ(entry.text, text(entry.key));
      found.emplace_back(entry.key);
    }
    more = page->more();
  }
  EXPECT_EQ(found, expected);
  EXPECT_GT(pages, 2u);
}

TEST_F(Documents, BrokenBytesAreCorruption) {
  put("k", "{}");
  const Bytes key = document_key(table_.prefix, "k");
  const Bytes head = dump().at(key);
  for (size_t i = 0; i <= head.size(); ++i) {
    for (const Bytes& broken : {head.substr(0, i), head + "x", Bytes(1, '\2') + head.substr(1)}) {
      if (broken == head) continue;
      EXPECT_EQ(parse_head(broken).error().code(), ErrorCode::corruption);
    }
  }
  put("k", "{\"a\":\"" + Bytes(200'000, 'x') + "\"}");
  run([&](kv::Transaction& transaction) -> Result<void> {
    Bytes chunk = document_chunks_prefix(table_.prefix, "k");
    append_be32(chunk, 1);
    transaction.clear(chunk);
    return {};
  });
  const auto found =
      database_.read([&](const kv::ReadTransaction& transaction) { return read_document(transaction, table_, "k"); });
  EXPECT_EQ(found.error().code(), ErrorCode::corruption);
}

TEST_F(Documents, TablesAreMadeListedAndDropped) {
  const TableOptions options{.shards = 3, .description = "ü", .schema = "{}"};
  const auto made = run([&](kv::Transaction& transaction) { return make_table(transaction, "b", options, 7); });
  ASSERT_TRUE(made.has_value());
  EXPECT_FALSE(run([&](kv::Transaction& transaction) { return make_table(transaction, "b", {}, 7); }).has_value());
  const auto found = read([&](const kv::ReadTransaction& transaction) { return find_table(transaction, "b"); });
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->options.shards, 3u);
  EXPECT_EQ(found->options.description, "ü");
  EXPECT_EQ(found->options.schema, "{}");
  EXPECT_EQ(found->created_us, 7);
  EXPECT_EQ(found->number, table_.number + 1);
  const auto names = [&](BytesView after, size_t limit) {
    std::vector<std::string> list;
    for (const Table& table :
         read([&](const kv::ReadTransaction& transaction) { return list_tables(transaction, after, limit); })) {
      list.push_back(table.name);
    }
    return list;
  };
  EXPECT_THAT(names("", 10), ElementsAre("b", "test"));
  EXPECT_THAT(names("b", 10), ElementsAre("test"));
  EXPECT_THAT(names("", 1), ElementsAre("b"));
  put("k", "{\"a\":\"" + Bytes(200'000, 'x') + "\"}");
  EXPECT_TRUE(run([&](kv::Transaction& transaction) { return drop_table(transaction, "test"); }));
  EXPECT_FALSE(run([&](kv::Transaction& transaction) { return drop_table(transaction, "test"); }));
  EXPECT_EQ(dump().size(), 2u);  // the counter and b
  // A number is never given out again.
  EXPECT_EQ(run([&](kv::Transaction& transaction) { return make_table(transaction, "c", {}, 7); })->number,
            made->number + 1);
}

TEST_F(Documents, NamesOfTables) {
  EXPECT_TRUE(table_names.validate("a").ok());
  EXPECT_TRUE(table_names.validate("_A.b-9").ok());
  EXPECT_TRUE(table_names.validate(Bytes(128, 'a')).ok());
  for (const Bytes& name :
       {Bytes(), Bytes(129, 'a'), Bytes(".a"), Bytes("-"), Bytes("a b"), Bytes("a/b"), Bytes("ü"), Bytes("a\0b", 3)}) {
    EXPECT_FALSE(table_names.validate(name).ok());
  }
}

}  // namespace
}  // namespace strata::documents
