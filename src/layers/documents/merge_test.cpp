#include "layers/documents/merge.h"

#include "base/random.h"
#include "layers/documents/documents_fixture_test.h"

namespace strata::documents {
namespace {

using testing::ElementsAre;

class Merge : public DocumentsTest {
 protected:
  MergeOutcome merge(const std::map<Bytes, Bytes>& page, BytesView after, bool final = false,
                     size_t budget_bytes = 1u << 20) {
    std::vector<MergeRecord> records;
    for (const auto& [key, text] : page) records.push_back({key, text});
    MergeRequest request{.records = records, .after = after, .final = final, .budget_bytes = budget_bytes};
    return run([&](kv::Transaction& transaction) { return merge_page(transaction, table_, request); });
  }

  std::map<Bytes, Bytes> contents() {
    std::map<Bytes, Bytes> found;
    for (const auto& [key, value] : dump()) {
      const Bytes prefix = documents_prefix(table_.prefix);
      if (key.starts_with(prefix)) found.emplace(key.substr(prefix.size()), text(key.substr(prefix.size())));
    }
    return found;
  }
};

TEST_F(Merge, WhatDoesNotFitIsLeftForTheNextCall) {
  for (const char* key : {"a", "b", "c", "d"}) put(key, R"({"old":true})");
  const std::map<Bytes, Bytes> page = {{"b", R"({"new":1})"}, {"bb", R"({"new":2})"}, {"d", R"({"new":3})"}};
  // A change a call: the first one always fits.
  MergeOutcome outcome = merge(page, "", false, 1);
  EXPECT_TRUE(outcome.partial);
  EXPECT_EQ(outcome.reached, "a");
  EXPECT_EQ(outcome.deleted, 1u);
  std::vector<Bytes> reached;
  for (int calls = 0; outcome.partial && calls < 10; ++calls) {
    std::map<Bytes, Bytes> rest(page.upper_bound(outcome.reached), page.end());
    outcome = merge(rest, outcome.reached, false, 1);
    reached.push_back(outcome.reached);
  }
  EXPECT_THAT(reached, ElementsAre("b", "bb", "c", "d"));
  EXPECT_EQ(contents(), page);
}

TEST_F(Merge, RecordsBelowTheCursorAreToldApart) {
  const std::map<Bytes, Bytes> page = {{"a", "{}"}, {"b", "{}"}, {"c", "{}"}};
  const MergeOutcome outcome = merge(page, "m", false, 1);
  EXPECT_TRUE(outcome.partial);
  EXPECT_FALSE(outcome.below_done);
  EXPECT_EQ(outcome.records_below, 1u);
  EXPECT_EQ(outcome.reached, "m");
  EXPECT_EQ(contents().size(), 1u);
}

// Pages of random sources over random tables, compared with what the rules say.
TEST_F(Merge, AgreesWithItsRulesOnRandomPages) {
  Random random(11);
  std::map<Bytes, Bytes> model;
  const auto random_key = [&] {
    return Bytes(1, static_cast<char>('a' + random.next() % 6)) + Bytes(random.next() % 3, ':');
  };
  const auto random_text = [&] { return "{\"n\":" + std::to_string(random.next() % 3) + "}"; };
  for (int round = 0; round < 400; ++round) {
    std::map<Bytes, Bytes> page;
    for (uint64_t i = random.next() % 8; i > 0; --i) page[random_key()] = random_text();
    const Bytes after = random.next() % 3 == 0 ? "" : random_key();
    const bool final = page.empty() || random.next() % 8 == 0;
    size_t upserted = 0;
    size_t skipped = 0;
    size_t deleted = 0;
    for (auto entry = model.begin(); entry != model.end();) {
      const bool inside = entry->first > after && (final || entry->first <= page.rbegin()->first);
      if (inside && !page.contains(entry->first)) {
        entry = model.erase(entry);
        ++deleted;
      } else {
        ++entry;
      }
    }
    for (const auto& [key, text] : page) {
      const auto found = model.find(key);
      (found != model.end() && found->second == text ? skipped : upserted) += 1;
      model[key] = text;
    }
    const MergeOutcome outcome = merge(page, after, final);
    EXPECT_EQ(outcome.upserted, upserted);
    EXPECT_EQ(outcome.skipped, skipped);
    EXPECT_EQ(outcome.deleted, deleted);
    EXPECT_FALSE(outcome.partial);
    ASSERT_EQ(contents(), model) << "round " << round;
    for (uint64_t i = random.next() % 4; i > 0; --i) {
      const Bytes key = random_key();
      model[key] = random_text();
      put(key, model[key]);
    }
  }
}

}  // namespace
}  // namespace strata::documents
