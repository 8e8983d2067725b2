#include "service/document_indexes.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/memory/memory_engine.h"
#include "service/document_query.h"
#include "service/documents.h"
#include "service/intercepted_engine_test.h"

namespace strata::service {
namespace {

using testing::HasSubstr;

class DocumentIndexesTest : public testing::Test {
 protected:
  static kv::MemoryEngineOptions options(Clock& clock) {
    kv::MemoryEngineOptions options{.clock = &clock};
    options.limits.transaction_bytes = 1'000'000;
    return options;
  }
  DocumentIndexesTest() {
    EXPECT_TRUE(documents_.make_table({}, {.name = "t"}).ok());
    EXPECT_TRUE(documents_.make_table({}, {.name = "u"}).ok());
  }

  // Documents k0000.. with n = their number.
  void fill(const std::string& table, int count) {
    for (int begin = 0; begin < count; begin += 500) {
      std::vector<std::pair<Bytes, Bytes>> made;
      for (int i = begin; i < std::min(count, begin + 500); ++i) {
        made.emplace_back(fmt::format("k{:04}", i),
                          fmt::format(R"({{"n":{},"t":"words of number{} {}"}})", i, i % 10, Bytes(150, 'x')));
      }
      put(table, made);
    }
  }
  void put(const std::string& table, const std::vector<std::pair<Bytes, Bytes>>& made) {
    TableBatch batch{.table = table};
    for (const auto& [key, json] : made) batch.inserts.push_back({key, json});
    EXPECT_TRUE(documents_.batch({}, std::span(&batch, 1)).ok());
  }
  Result<IndexStatus> make(std::string_view table, std::string_view name, std::string_view field,
                           std::string_view type) {
    return indexes_.make({}, {.table = table, .name = name, .field = field, .type = type});
  }
  IndexStatus status(std::string_view table, std::string_view name) {
    const auto found = indexes_.get({}, table, name);
    EXPECT_TRUE(found.ok());
    return found.ok() ? *found : IndexStatus();
  }
  // How many documents match; by the index, if it is to be read.
  uint64_t count(std::string_view filter, bool indexed) {
    const auto answer = queries_.query({}, {.table = "t", .filter_query = filter, .limit = 0});
    EXPECT_TRUE(answer.ok());
    EXPECT_EQ(!answer->indexes.empty(), indexed) << filter;
    return answer->result.total;
  }
  size_t raw_rows() {
    const auto rows = database_.read([](const kv::ReadTransaction& transaction) -> Result<size_t> {
      size_t count = 0;
      kv::RangeIterator range(transaction, "", "\xFF", {.mode = kv::StreamingMode::want_all});
      while (range.next()) ++count;
      RETURN_IF_ERROR(range.status());
      return count;
    });
    return *rows;
  }

  ManualClock clock_;
  std::shared_ptr<kv::InterceptedEngine> engine_ =
      std::make_shared<kv::InterceptedEngine>(std::make_shared<kv::MemoryEngine>(options(clock_)));
  kv::Database database_{engine_, kv::DatabaseOptions{.clock = &clock_, .random_seed = 1}};
  Documents documents_{database_, {.clock = &clock_}};
  DocumentIndexes indexes_{database_, {.clock = &clock_}};
  DocumentQueries queries_{database_, clock_};
};

TEST_F(DocumentIndexesTest, ABuildThatBrokeOffGoesOnWhereItWas) {
  fill("t", 1'500);
  ASSERT_TRUE(make("t", "n", "n", "number").ok());
  int commits = 0;
  const std::function<Result<kv::Committed>(kv::Engine&, kv::CommitRequest)> third_fails =
      [&](kv::Engine& target, kv::CommitRequest request) -> Result<kv::Committed> {
    if (++commits == 3) return Error(ErrorCode::internal, "the disk is gone");
    engine_->intercept(third_fails);
    return target.commit(std::move(request)).get();
  };
  engine_->intercept(third_fails);
  EXPECT_TRUE(indexes_.build_all().ok());
  const IndexStatus broken_off = status("t", "n");
  EXPECT_FALSE(broken_off.ready);
  EXPECT_GT(broken_off.documents, 0u);
  EXPECT_LT(broken_off.documents, 1'500u);
  EXPECT_EQ(broken_off.error, "the disk is gone");
  EXPECT_EQ(count(R"({"min":10,"max":20,"field":"n"})", false), 10u);
  // Another server, or the same one after a restart.
  DocumentIndexes other(database_, {.clock = &clock_});
  EXPECT_TRUE(other.build_all().ok());
  const auto done = other.get({}, "t", "n");
  EXPECT_TRUE(done->ready);
  EXPECT_EQ(done->documents, 1'500u);
  EXPECT_EQ(done->error, "");
  EXPECT_EQ(count(R"({"min":10,"max":20,"field":"n"})", true), 10u);
}

TEST_F(DocumentIndexesTest, ADocumentThatIsWrittenAllTheTimeKeepsNoOtherOut) {
  fill("t", 300);
  ASSERT_TRUE(make("t", "ft", "t", "fulltext").ok());
  std::vector<size_t> sizes;
  // Somebody is faster seven times.
  const std::function<Result<kv::Committed>(kv::Engine&, kv::CommitRequest)> hot =
      [&](kv::Engine& target, kv::CommitRequest request) -> Result<kv::Committed> {
    sizes.push_back(request.mutations.size());
    put("t", {{"k0100", fmt::format(R"({{"t":"written {} times"}})", sizes.size())}});
    if (sizes.size() < 7) engine_->intercept(hot);
    return target.commit(std::move(request)).get();
  };
  engine_->intercept(hot);
  EXPECT_TRUE(indexes_.build_all().ok());
  EXPECT_TRUE(status("t", "ft").ready);
  EXPECT_EQ(status("t", "ft").documents, 300u);
  ASSERT_EQ(sizes.size(), 7u);
  EXPECT_LT(sizes[6], sizes[0] / 10);
  EXPECT_EQ(count(R"({"match":"words","field":"t"})", true), 299u);
  EXPECT_EQ(count(R"({"match":"7 time","field":"t"})", true), 1u);
  EXPECT_EQ(count(R"({"match":"6","field":"t"})", true), 0u);
}

TEST_F(DocumentIndexesTest, ADocumentOfTooManyWordsStopsNoOtherIndex) {
  Bytes words;
  for (int i = 0; i < 20'000; ++i) words += fmt::format("w{} ", i);
  fill("t", 50);
  put("t", {{"k0020x", fmt::format(R"({{"n":5,"t":"{}"}})", words)}});
  fill("u", 10);
  ASSERT_TRUE(make("t", "ft", "t", "fulltext").ok());
  ASSERT_TRUE(make("t", "s", "t", "string").ok());
  ASSERT_TRUE(make("t", "n", "n", "number").ok());
  ASSERT_TRUE(make("u", "n", "n", "number").ok());
  EXPECT_TRUE(indexes_.build_all().ok());
  for (const char* name : {"ft", "s"}) {
    const IndexStatus stuck = status("t", name);
    EXPECT_FALSE(stuck.ready);
    EXPECT_EQ(stuck.documents, 21u);
    EXPECT_EQ(stuck.error, "document k0020x: what the index holds of it does not fit one transaction");
  }
  EXPECT_TRUE(status("t", "n").ready);
  EXPECT_TRUE(status("u", "n").ready);
  // Nor is such a one written any more while they are there; without the words it is, and the builds go on.
  TableBatch batch{.table = "t"};
  const Bytes json = fmt::format(R"({{"t":"{}"}})", words);
  batch.inserts.push_back({"k0020y", json});
  EXPECT_EQ(documents_.batch({}, std::span(&batch, 1)).error().code(), ErrorCode::transaction_too_large);
  put("t", {{"k0020x", R"({"t":"few words"})"}});
  EXPECT_TRUE(indexes_.build_all().ok());
  for (const char* name : {"ft", "s"}) {
    EXPECT_TRUE(status("t", name).ready);
    EXPECT_EQ(status("t", name).error, "");
  }
  EXPECT_EQ(count(R"({"match":"words","field":"t"})", true), 51u);
}

// Words by which a fulltext index fills a transaction: removing them must not take more of it.
TEST_F(DocumentIndexesTest, WhatJustFitsATransactionCanBeRemoved) {
  ASSERT_TRUE(make("t", "ft", "t", "fulltext").ok());
  ASSERT_TRUE(indexes_.build_all().ok());
  Bytes json;
  TableBatch insert{.table = "t"};
  int words = 10'000;
  for (bool fits = false; !fits; words -= 100) {
    json = R"({"t":")";
    for (int i = 0; i < words; ++i) json += fmt::format("{}w ", i);
    json += "\"}";
    insert.inserts.assign(1, {"large", json});
    fits = documents_.batch({}, std::span(&insert, 1)).ok();
  }
  ASSERT_GT(words, 5'000);
  EXPECT_EQ(count(R"({"match":"77w","field":"t"})", true), 1u);
  TableBatch remove{.table = "t"};
  remove.deletes.push_back("large");
  EXPECT_TRUE(documents_.batch({}, std::span(&remove, 1)).ok());
  EXPECT_EQ(count(R"({"match":"77w","field":"t"})", true), 0u);
  // Nothing else is left of it: what comes then is scored as if it had not been there.
  put("t", {{"a", R"({"t":"77w 78w"})"}, {"b", R"({"t":"78w"})"}});
  EXPECT_EQ(count(R"({"match":"77w","field":"t"})", true), 1u);
  EXPECT_EQ(count(R"({"match":"78w","field":"t"})", true), 2u);
}

TEST_F(DocumentIndexesTest, AWriteThatTheBuildOvertakesClearsWhatTheBuildMade) {
  fill("t", 10);
  ASSERT_TRUE(make("t", "n", "n", "number").ok());
  ASSERT_TRUE(make("t", "s", "t", "string").ok());
  ASSERT_TRUE(make("t", "ft", "t", "fulltext").ok());
  engine_->intercept([&](kv::Engine& target, kv::CommitRequest request) -> Result<kv::Committed> {
    EXPECT_TRUE(indexes_.build_all().ok());
    return target.commit(std::move(request)).get();
  });
  put("t", {{"k0004", R"({"n":40,"t":"other"})"}});
  for (const char* filter :
       {R"({"term":4,"field":"n"})", R"({"match":"number4","field":"t"})", R"({"term":"number4","field":"t"})"}) {
    const auto answer = queries_.query({}, {.table = "t", .filter_query = filter});
    ASSERT_TRUE(answer.ok());
    EXPECT_EQ(answer->indexes.size(), 1u) << filter;
    EXPECT_EQ(answer->examined, 0u) << filter;
  }
  EXPECT_EQ(count(R"({"term":40,"field":"n"})", true), 1u);
  EXPECT_EQ(count(R"({"match":"words","field":"t"})", true), 9u);
}

TEST_F(DocumentIndexesTest, WhatIsDroppedMeanwhileIsNotBuilt) {
  fill("t", 300);
  const size_t before = raw_rows();
  ASSERT_TRUE(make("t", "n", "n", "number").ok());
  engine_->intercept([&](kv::Engine& target, kv::CommitRequest request) -> Result<kv::Committed> {
    EXPECT_TRUE(indexes_.drop({}, "t", "n").ok());
    return target.commit(std::move(request)).get();
  });
  EXPECT_TRUE(indexes_.build_all().ok());
  EXPECT_EQ(raw_rows(), before);
  ASSERT_TRUE(make("t", "n", "n", "number").ok());
  engine_->intercept([&](kv::Engine& target, kv::CommitRequest request) -> Result<kv::Committed> {
    EXPECT_TRUE(documents_.drop_table({}, "t").ok());
    EXPECT_TRUE(documents_.make_table({}, {.name = "t"}).ok());
    EXPECT_TRUE(make("t", "n", "n", "number").ok());
    return target.commit(std::move(request)).get();
  });
  EXPECT_TRUE(indexes_.build_all().ok());
  EXPECT_EQ(status("t", "n").documents, 0u);
  EXPECT_TRUE(indexes_.build_all().ok());
  EXPECT_TRUE(status("t", "n").ready);
}

TEST_F(DocumentIndexesTest, ARequestThatWasNotToldItsOutcomeIsAnsweredAsIfItWas) {
  for (const bool happened : {true, false}) {
    const auto lose = [&] { happened ? engine_->lose_answer() : engine_->lose_commit(); };
    lose();
    const auto made = make("t", "n", "n", "number");
    ASSERT_TRUE(made.ok()) << made.error().message();
    EXPECT_EQ(made->name, "n");
    EXPECT_THAT(make("t", "n", "n", "number").error().message(), HasSubstr("already exists"));
    lose();
    EXPECT_TRUE(indexes_.drop({}, "t", "n").ok());
    EXPECT_EQ(indexes_.drop({}, "t", "n").error().code(), ErrorCode::not_found);
    lose();
    EXPECT_TRUE(documents_.drop_table({}, "u").ok());
    EXPECT_EQ(documents_.drop_table({}, "u").error().code(), ErrorCode::not_found);
    EXPECT_TRUE(documents_.make_table({}, {.name = "u"}).ok());
  }
  // Of another shape it is not what was asked for.
  engine_->lose_commit([&] {
    DocumentIndexes other(database_, {.clock = &clock_});
    EXPECT_TRUE(other.make({}, {.table = "t", .name = "n", .field = "m", .type = "number"}).ok());
  });
  EXPECT_THAT(make("t", "n", "n", "number").error().message(), HasSubstr("already exists"));
}

TEST_F(DocumentIndexesTest, DefinitionsAreBounded) {
  std::string field(4'000, 'f');
  Result<IndexStatus> made = IndexStatus();
  int count = 0;
  for (; made.ok() && count < 64; ++count) made = make("t", fmt::format("i{}", count), field, "number");
  EXPECT_EQ(made.error().message(), "names and fields of a table's indexes take at most 30000 bytes together");
  EXPECT_EQ(count, 8);
  for (count = 0, made = IndexStatus(); made.ok() && count < 100; ++count) {
    made = make("u", fmt::format("i{}", count), "n", "number");
  }
  EXPECT_EQ(made.error().message(), "a table has at most 64 indexes");
  EXPECT_EQ(count, 65);
  EXPECT_EQ(indexes_.list({}, "none").error().code(), ErrorCode::not_found);
  EXPECT_EQ(make("none", "n", "n", "number").error().code(), ErrorCode::not_found);
}

TEST_F(DocumentIndexesTest, ManyCandidatesAreReadPageByPageAndADeadlineIsKept) {
  fill("t", 1'000);
  ASSERT_TRUE(make("t", "n", "n", "number").ok());
  ASSERT_TRUE(make("t", "ft", "t", "fulltext").ok());
  EXPECT_TRUE(indexes_.build_all().ok());
  EXPECT_EQ(count(R"({"min":100,"max":900,"field":"n"})", true), 800u);
  EXPECT_EQ(count(R"({"match":"number3 number4","field":"t"})", true), 200u);
  // A page of each end: the last keys of one are the first of the next.
  std::vector<Bytes> keys;
  std::optional<Bytes> cursor;
  do {
    DocumentQuery query{.table = "t", .filter_query = R"({"min":100,"max":900,"field":"n"})", .limit = 300};
    query.order = {{"n", true}};
    if (cursor) query.cursor = *cursor;
    const auto answer = queries_.query({}, query);
    ASSERT_TRUE(answer.ok());
    for (const QueryHit& hit : answer->result.hits) keys.push_back(hit.key);
    cursor = answer->next_cursor;
  } while (cursor);
  EXPECT_EQ(keys.size(), 800u);
  EXPECT_EQ(keys.front(), "k0899");
  EXPECT_EQ(keys.back(), "k0100");
  const Context late{.deadline_steady_us = clock_.steady_us() - 1};
  EXPECT_EQ(queries_.query(late, {.table = "t"}).error().code(), ErrorCode::transaction_timed_out);
  EXPECT_EQ(queries_.query({}, {.table = "none"}).error().code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace strata::service
