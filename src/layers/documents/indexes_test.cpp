#include "layers/documents/indexes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "base/hex.h"
#include "base/random.h"
#include "layers/documents/documents_fixture_test.h"
#include "layers/documents/filter_match.h"
#include "layers/documents/filter_parser.h"
#include "layers/documents/index_plan.h"
#include "layers/documents/index_values.h"

namespace strata::documents {
namespace {

using testing::ElementsAre;

IndexDefinition definition(uint32_t id, const char* field, IndexType type, IndexState state = IndexState::ready) {
  IndexDefinition index{.id = id, .name = "i" + std::to_string(id), .field = DocumentPath::parse(field).value()};
  index.type = type;
  index.state = state;
  if (type == IndexType::fulltext) index.analyzer = *text::Analyzer::find("english");
  return index;
}

class IndexesTest : public DocumentsTest {
 protected:
  void use(std::vector<IndexDefinition> indexes) {
    table_.indexes = std::move(indexes);
    table_.next_index = 100;
    run([&](kv::Transaction& transaction) -> Result<bool> {
      put_table(transaction, table_);
      return true;
    });
  }
  void remove(BytesView key) {
    Batch batch;
    batch.deletes.push_back(key);
    ASSERT_TRUE(apply(batch).ok());
  }
  // Keys and values below an index's prefixes, without them.
  std::map<Bytes, Bytes> rows_of(uint32_t id) {
    std::map<Bytes, Bytes> found;
    for (const Bytes& prefix : {index_prefix(table_.prefix, id), fulltext_prefix(table_.prefix, id)}) {
      for (const auto& [key, value] : dump()) {
        if (key.starts_with(prefix)) found.emplace(key.substr(prefix.size()), value);
      }
    }
    return found;
  }
  std::map<Bytes, Bytes> documents() {
    std::map<Bytes, Bytes> found;
    for (const auto& [key, value] : dump()) {
      const Bytes prefix = documents_prefix(table_.prefix);
      if (key.starts_with(prefix)) found.emplace(key.substr(prefix.size()), text(key.substr(prefix.size())));
    }
    return found;
  }
};

const std::pair<const char*, IndexType> fields[] = {{"s", IndexType::string},
                                                    {"n", IndexType::number},
                                                    {"b", IndexType::boolean},
                                                    {"d", IndexType::date},
                                                    {"t", IndexType::fulltext}};

std::vector<IndexDefinition> one_of_each(uint32_t first_id) {
  std::vector<IndexDefinition> all;
  for (const auto& [field, type] : fields) all.push_back(definition(first_id++, field, type));
  return all;
}

std::string random_text(Random& random) {
  constexpr const char* words[] = {"fox", "Foxes", "dog", "running", "ran", "New York", "user:7", "", "é"};
  std::string made = words[random.below(9)];
  for (uint64_t n = random.below(3); n > 0; --n) made += std::string(" ") + words[random.below(9)];
  return made;
}

std::string random_document(Random& random) {
  std::string made = "{\"x\":1";
  const auto text = [&] { return "\"" + random_text(random) + "\""; };
  const auto date = [&] { return "\"20" + std::to_string(10 + random.below(20)) + "-03-04T05:06:07Z\""; };
  const auto number = [&] {
    constexpr const char* numbers[] = {"0",    "-0.0", "1", "-3", "2.5", "9007199254740993", "18446744073709551615",
                                       "1e300"};
    return std::string(numbers[random.below(8)]);
  };
  const auto add = [&](const char* name, auto value) {
    if (random.one_in(4)) return;
    const std::string one = value();
    const std::string more = random.one_in(3) ? "," + value() + ",[" + value() + ",null]" : "";
    made += std::string(",\"") + name + "\":" + (more.empty() ? one : "[" + one + more + "]");
  };
  add("s", text);
  add("t", text);
  add("n", number);
  add("d", date);
  add("b", [&] { return std::string(random.one_in(2) ? "true" : "false"); });
  return made + "}";
}

TEST_F(IndexesTest, EntriesFollowTheDocument) {
  use({definition(1, "tags", IndexType::string), definition(2, "n", IndexType::number)});
  put("k", R"({"tags":["New York","x"],"n":[1,1.0,2]})");
  EXPECT_EQ(rows_of(1).size(), 4u);  // two whole strings, two words of the first
  EXPECT_EQ(rows_of(2).size(), 2u);
  put("k", R"({"tags":"x","n":"no number"})");
  EXPECT_THAT(rows_of(1), ElementsAre(testing::Key(whole_string_value("x") + "k")));
  EXPECT_TRUE(rows_of(2).empty());
  remove("k");
  EXPECT_TRUE(rows_of(1).empty());
}

TEST_F(IndexesTest, WhatWritersKeepIsWhatABuildMakes) {
  use(one_of_each(1));
  Random random(3);
  for (int round = 0; round < 150; ++round) {
    const std::string key = "k" + std::to_string(random.below(12));
    if (random.one_in(5)) {
      remove(key);
    } else {
      put(key, random_document(random));
    }
    // Building late meets documents that writers have indexed already, and others.
    if (round == 75) {
      auto all = one_of_each(1);
      for (auto& index : one_of_each(11)) all.push_back(index);
      use(all);
    }
  }
  const auto stored = documents();
  ASSERT_GT(stored.size(), 5u);
  for (uint32_t first : {11u, 21u}) {
    for (const auto& index : one_of_each(first)) {
      for (const auto& [key, document] : stored) {
        run([&, &key = key, &document = document](kv::Transaction& transaction) -> Result<bool> {
          RETURN_IF_ERROR(add_to_index(transaction, table_.prefix, index, key, document));
          return true;
        });
      }
      EXPECT_EQ(rows_of(index.id), rows_of(index.id - first + 1)) << index.name;
      EXPECT_FALSE(rows_of(index.id).empty());
    }
  }
  for (const auto& [key, document] : stored) remove(key);
  for (uint32_t id = 1; id <= 5; ++id) EXPECT_TRUE(rows_of(id).empty()) << id;
}

TEST_F(IndexesTest, FulltextCounts) {
  use({definition(1, "t", IndexType::fulltext)});
  put("a", R"({"t":"The fox runs"})");
  put("b", R"({"t":"foxes"})");
  put("c", R"({"t":7})");
  const auto statistics =
      read([&](const kv::ReadTransaction& transaction) { return read_statistics(transaction, table_.prefix, 1); });
  EXPECT_EQ(statistics.documents, 2u);
  EXPECT_EQ(statistics.terms, 4u);
  const auto frequency = [&](const char* word) {
    return read([&](const kv::ReadTransaction& transaction) {
      return read_frequency(transaction, table_.prefix, 1, term_value(word));
    });
  };
  EXPECT_EQ(frequency("fox"), 2u);
  EXPECT_EQ(frequency("run"), 1u);
  EXPECT_EQ(frequency("foxes"), 0u);
}

TEST_F(IndexesTest, ClearingLeavesNothingAndTouchesNoOther) {
  use({definition(1, "t", IndexType::fulltext), definition(2, "t", IndexType::string)});
  put("a", R"({"t":"The fox runs"})");
  const auto other = rows_of(2);
  run([&](kv::Transaction& transaction) -> Result<bool> {
    write_progress(transaction, table_.prefix, 1, {.last_key = "a", .documents = 1});
    clear_index(transaction, table_.prefix, 1);
    return true;
  });
  EXPECT_TRUE(rows_of(1).empty());
  EXPECT_EQ(rows_of(2), other);
}

TEST_F(IndexesTest, TheRowOfATableKeepsThem) {
  auto indexes = one_of_each(1);
  indexes[2].state = IndexState::building;
  use(indexes);
  const auto found = read([&](const kv::ReadTransaction& transaction) { return find_table(transaction, "test"); });
  ASSERT_TRUE(found.has_value());
  ASSERT_EQ(found->indexes.size(), indexes.size());
  EXPECT_EQ(found->next_index, 100u);
  for (size_t i = 0; i < indexes.size(); ++i) {
    EXPECT_EQ(found->indexes[i].id, indexes[i].id);
    EXPECT_EQ(found->indexes[i].name, indexes[i].name);
    EXPECT_EQ(found->indexes[i].field, indexes[i].field);
    EXPECT_EQ(found->indexes[i].type, indexes[i].type);
    EXPECT_EQ(found->indexes[i].state, indexes[i].state);
    EXPECT_EQ(found->indexes[i].analyzer, indexes[i].analyzer);
  }
  Bytes row;
  append_indexes(row, indexes, 100);
  for (size_t size = 1; size < row.size(); ++size) {
    std::vector<IndexDefinition> taken;
    uint32_t next = 0;
    const auto result = take_indexes(BytesView(row).substr(0, size), taken, next);
    // Cut between two of them it is a shorter list.
    if (result.ok()) EXPECT_LT(taken.size(), indexes.size());
  }
}

TEST_F(IndexesTest, PlansFindEveryDocumentThatMatches) {
  use(one_of_each(1));
  Random random(9);
  for (int i = 0; i < 60; ++i) put("k" + std::to_string(i), random_document(random));
  const auto stored = documents();
  const auto rows = dump();
  const char* filters[] = {
      R"({"term":"fox","field":"s"})",
      R"({"term":"New York","field":"s"})",
      R"({"term":"york","field":"s"})",
      R"({"term":"","field":"s"})",
      R"({"term":"user:7","field":"t"})",
      R"({"match":"fox dog","field":"s"})",
      R"({"match":"new york","field":"s","operator":"and"})",
      R"({"match_phrase":"new york","field":"s"})",
      R"({"match":"foxes run","field":"t"})",
      R"({"match_phrase":"run fox","field":"t"})",
      R"({"terms":["fox","New York"],"field":"s"})",
      R"({"terms":["new","york"],"field":"s"})",
      R"({"terms":[1,2.5],"field":"n"})",
      R"({"prefix":"f","field":"s"})",
      R"({"prefix":"New Y","field":"s"})",
      R"({"wildcard":"us*","field":"s"})",
      R"({"min":"f","max":"n","field":"s"})",
      R"({"min":"f","field":"s"})",
      R"({"min":0,"max":0,"inclusive_max":true,"field":"n"})",
      R"({"min":9007199254740993,"field":"n"})",
      R"({"max":9007199254740993,"field":"n"})",
      R"({"max":0,"field":"n"})",
      R"({"min":-5,"max":3,"field":"n"})",
      R"({"start":"2015-01-01","end":"2020-01-01","field":"d"})",
      R"({"start":"2025-01-01","field":"d"})",
      R"({"end":"2015-03-04T05:06:07Z","inclusive_end":true,"field":"d"})",
      R"({"bool":true,"field":"b"})",
      R"({"ids":["k1","k7","nobody"]})",
      R"({"match_none":{}})",
      R"({"query":"+s:fox n:>0"})",
      R"({"query":"s:dog t:fox"})",
      R"({"must":[{"bool":true,"field":"b"},{"prefix":"z","field":"q"}],"should":[{"match_all":{}}]})",
      R"({"disjuncts":[{"term":"dog","field":"s"},{"min":2,"field":"n"},{"match":"ran","field":"t"}],"min":2})",
  };
  for (const char* json : filters) {
    simdjson::dom::parser parser;
    const simdjson::padded_string padded{std::string_view(json)};
    const auto filter = parse_filter(parser.parse(padded).value(), field_analyzers(table_.indexes));
    ASSERT_TRUE(filter.ok()) << json << filter.error().message();
    const auto plan = plan_filter(*filter, table_.prefix, table_.indexes);
    ASSERT_TRUE(plan.has_value()) << json;
    std::set<Bytes> candidates(plan->keys.begin(), plan->keys.end());
    for (const auto& range : plan->ranges) {
      for (const auto& [key, value] : rows) {
        if (key < range.range.begin || key >= range.range.end) continue;
        candidates.insert(Bytes(key_behind_value(BytesView(key).substr(range.prefix_bytes)).value()));
      }
    }
    FilterMatcher matcher(*filter);
    for (const auto& [key, document] : stored) {
      const bool matches = matcher.matches(key, parse_stored(document).value());
      if (matches) EXPECT_TRUE(candidates.contains(key)) << json << "\n" << key << document;
    }
    EXPECT_LE(candidates.size(), stored.size() + 1);
  }
}

TEST_F(IndexesTest, NothingHelpsWhereNothingFits) {
  auto indexes = one_of_each(1);
  indexes[1].state = IndexState::building;
  for (const char* json : {R"({"min":1,"field":"n"})", R"({"term":"a"})", R"({"must_not":[{"term":"a","field":"s"}]})",
                           R"({"match_all":{}})", R"({"regexp":"a.*","field":"s"})", R"({"wildcard":"*a","field":"s"})",
                           R"({"match":"a","field":"s","fuzziness":1})", R"({"match":"a","field":"t","analyzer":"de"})",
                           R"({"disjuncts":[{"term":"a","field":"s"},{"term":"b","field":"q"}]})"}) {
    simdjson::dom::parser parser;
    const simdjson::padded_string padded{std::string_view(json)};
    const auto filter = parse_filter(parser.parse(padded).value(), field_analyzers(indexes));
    ASSERT_TRUE(filter.ok());
    EXPECT_FALSE(plan_filter(*filter, table_.prefix, indexes).has_value()) << json;
  }
}

TEST_F(IndexesTest, FormatIsTheGoldenOne) {
  use(one_of_each(1));
  put("k",
      R"({"s":["New York","x"],"n":[1,-2.5],"b":true,"d":"2021-06-01T12:00:00.5Z","t":"foxes ran: the fox runs"})");
  run([&](kv::Transaction& transaction) -> Result<bool> {
    write_progress(transaction, table_.prefix, 1, {.last_key = "k", .documents = 1});
    return true;
  });
  std::string dumped;
  for (const auto& [key, value] : dump()) {
    if (key.starts_with(documents_prefix(table_.prefix)) || key == table_names.next_number_key()) continue;
    dumped += to_hex(key) + " " + to_hex(value) + "\n";
  }
  if (std::getenv("STRATA_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(STRATA_GOLDEN_DIRECTORY "/documents-indexes.txt") << dumped;
  }
  std::ifstream file(STRATA_GOLDEN_DIRECTORY "/documents-indexes.txt");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(dumped, golden.str());
}

}  // namespace
}  // namespace strata::documents
