#include "layers/documents/batch.h"

#include <fstream>
#include <sstream>

#include "base/hex.h"
#include "layers/documents/documents_fixture_test.h"

namespace strata::documents {
namespace {

using testing::HasSubstr;

Transform change(BytesView key, std::string_view op, std::string_view path, std::string_view value,
                 bool upsert = false) {
  Transform made{.key = key, .upsert = upsert};
  made.operations.push_back(*make_transform_operation(op, path, value));
  return made;
}

class BatchTest : public DocumentsTest {};

TEST_F(BatchTest, DeletesThenInsertsThenTransforms) {
  put("a", R"({"n":1})");
  put("b", R"({"n":1})");
  put("c", R"({"n":1})");
  Batch batch;
  batch.deletes = {"a", "b", "a", "missing"};
  batch.inserts.push_back({"b", R"({"n":10})"});
  batch.inserts.push_back({"d", R"({"n":20})"});
  batch.transforms.push_back(change("a", "$inc", "n", "1"));
  batch.transforms.push_back(change("b", "$inc", "n", "1"));
  batch.transforms.push_back(change("c", "$inc", "n", "1"));
  batch.transforms.push_back(change("c", "$mul", "n", "5"));
  batch.transforms.push_back(change("e", "$inc", "n", "7", true));
  batch.transforms.push_back(change("f", "$inc", "n", "7"));
  ASSERT_TRUE(apply(batch).ok());
  EXPECT_EQ(text("a"), "");
  EXPECT_EQ(text("b"), R"({"n":11})");
  EXPECT_EQ(text("c"), R"({"n":10})");
  EXPECT_EQ(text("d"), R"({"n":20})");
  EXPECT_EQ(text("e"), R"({"n":7})");
  EXPECT_EQ(text("f"), "");
}

TEST_F(BatchTest, ADeletedDocumentIsMadeAnewByATransformWithUpsert) {
  put("a", R"({"n":1,"old":true})");
  Batch batch;
  batch.deletes = {"a"};
  batch.transforms.push_back(change("a", "$inc", "n", "5"));
  batch.transforms.push_back(change("a", "$inc", "n", "7", true));
  batch.transforms.push_back(change("a", "$inc", "n", "1"));
  ASSERT_TRUE(apply(batch).ok());
  EXPECT_EQ(text("a"), R"({"n":8})");
}

TEST_F(BatchTest, OneBadTransformAndNothingIsWritten) {
  put("a", R"({"n":"text"})");
  const auto before = dump();
  Batch batch;
  batch.inserts.push_back({"b", "{}"});
  batch.transforms.push_back(change("a", "$inc", "n", "1"));
  const auto failed = apply(batch);
  EXPECT_EQ(failed.error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(failed.error().message(), "document a: $inc of n: the field is a string, not a number");
  EXPECT_EQ(dump(), before);
}

TEST_F(BatchTest, WhatATransformMakesIsADocumentToo) {
  put("a", R"({"s":"xxxxxxxxxx"})");
  Batch batch;
  batch.transforms.push_back(change("a", "$push", "l", "\"0123456789\""));
  EXPECT_THAT(apply(batch, {.document_limit_bytes = 30}).error().message(), HasSubstr("document a: has 37 bytes"));
  EXPECT_TRUE(apply(batch, {.document_limit_bytes = 37}).ok());
  std::string path = "a";
  for (size_t i = 1; i < max_document_depth; ++i) path += ".a";
  Batch deep;
  deep.transforms.push_back(change("a", "$set", path, "[]"));
  EXPECT_THAT(apply(deep).error().message(), HasSubstr("nested deeper"));
  deep.transforms[0] = change("a", "$set", path, "1");
  EXPECT_TRUE(apply(deep).ok());
}

TEST_F(BatchTest, TheSchemaHoldsForInsertsAndForWhatTransformsMake) {
  const auto schema = *Schema::compile(R"({"properties":{"n":{"type":"integer","maximum":10}}})");
  const BatchContext context{.schema = schema.get()};
  Batch batch;
  batch.inserts.push_back({"a", R"({"n":"x"})"});
  EXPECT_EQ(apply(batch, context).error().message(), "document a: $.n must be an integer");
  batch.inserts[0].text = R"({"n":10})";
  EXPECT_TRUE(apply(batch, context).ok());
  Batch second;
  second.transforms.push_back(change("a", "$inc", "n", "1"));
  EXPECT_EQ(apply(second, context).error().message(), "document a: $.n is too large");
  EXPECT_EQ(text("a"), R"({"n":10})");
}

TEST_F(BatchTest, ManyKeysAndOneKeyManyTimes) {
  Batch batch;
  std::vector<std::string> keys;
  for (int i = 0; i < 3'000; ++i) keys.push_back("k" + std::to_string(i % 1'500));
  for (int i = 0; i < 1'500; ++i) batch.inserts.push_back({keys[i], "{\"n\":0}"});
  for (int i = 0; i < 3'000; ++i) batch.transforms.push_back(change(keys[i], "$inc", "n", "1"));
  for (int i = 0; i < 3'000; ++i) batch.transforms.push_back(change("k7", "$push", "l", std::to_string(i)));
  ASSERT_TRUE(apply(batch).ok());
  EXPECT_EQ(text("k0"), "{\"n\":2}");
  EXPECT_EQ(text("k1499"), "{\"n\":2}");
  const Value tree = *parse_value(text("k7"));
  const Array& list = std::get<Array>(find_member(std::get<Object>(tree.data), "l")->data);
  ASSERT_EQ(list.size(), 3'000u);
  for (int i = 0; i < 3'000; ++i) EXPECT_EQ(std::get<int64_t>(list[static_cast<size_t>(i)].data), i);
}

TEST_F(BatchTest, TimesAreRfc3339) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_time(1'767'323'045'000'006), "2026-01-02T03:04:05.000006Z");
}

// Every byte that this layer stores, compared with tests/golden/documents.txt.
TEST_F(BatchTest, FormatIsTheGoldenOne) {
  const TableOptions options{.shards = 4, .description = "Users", .schema = R"({"type":"object"})"};
  run([&](kv::Transaction& transaction) { return make_table(transaction, "users", options, 1'700'000'000'000'000); });
  put("key", R"({"name":"Ünal","tags":[1,2.50,null]})");
  put("key:1", "{}");
  put("large", "{\"a\":\"" + Bytes(100'000, 'x') + "\"}");
  Batch batch;
  batch.deletes = {"key:1"};
  batch.inserts.push_back({BytesView("\0\x7F", 2), "{}"});
  batch.transforms.push_back(change("key", "$inc", "n", "1"));
  ASSERT_TRUE(apply(batch).ok());
  std::string dumped;
  for (const auto& [key, value] : dump()) {
    std::string shown = to_hex(value);
    const bool is_head = key.starts_with(documents_prefix(table_.prefix));
    if (is_head) shown = to_hex(BytesView(value).substr(0, 2)) + "<stamp>" + to_hex(BytesView(value).substr(12));
    const std::string run_of_x = to_hex(Bytes(1'000, 'x'));
    if (const size_t at = shown.find(run_of_x); at != std::string::npos) {
      size_t end = at;
      while (shown.compare(end, 2, "78") == 0) end += 2;
      shown = shown.substr(0, at) + "[" + std::to_string((end - at) / 2) + " x 78]" + shown.substr(end);
    }
    dumped += to_hex(key) + " " + shown + "\n";
  }
  if (std::getenv("STRATA_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(STRATA_GOLDEN_DIRECTORY "/documents.txt") << dumped;
  }
  std::ifstream file(STRATA_GOLDEN_DIRECTORY "/documents.txt");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(dumped, golden.str());
}

}  // namespace
}  // namespace strata::documents
