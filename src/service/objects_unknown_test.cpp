// Objects and transactions that were not told the outcome of their commit: nothing is applied twice, and nothing that
// came through is cleared.
#include <gtest/gtest.h>

#include "engine/memory/memory_engine.h"
#include "layers/records/log_record.h"
#include "layers/records/namespaces.h"
#include "layers/records/objects.h"
#include "service/intercepted_engine_test.h"
#include "service/namespace_loader.h"
#include "service/records.h"
#include "service/transactions.h"

namespace strata::service {
namespace {

class LostAnswers : public testing::Test {
 protected:
  LostAnswers()
      : engine_(std::make_shared<kv::InterceptedEngine>(
            std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{.clock = &clock_}))),
        database_(engine_, {.clock = &clock_, .max_retry_delay_ms = 1}),
        records_(database_, {.clock = &clock_}),
        objects_(database_, {.clock = &clock_, .pass_interval_ms = 3'600'000}),
        transactions_(database_, objects_, {.clock = &clock_, .sweep_interval_ms = 3'600'000}) {
    EXPECT_TRUE(records_.open({}).ok());
    EXPECT_TRUE(objects_.open().ok());
    EXPECT_TRUE(transactions_.open().ok());
  }

  std::unique_ptr<ObjectWriter> staged(BytesView bytes) {
    auto writer = objects_.create({}, "default").value();
    EXPECT_TRUE(writer->append(bytes).ok());
    EXPECT_TRUE(writer->rest().ok());
    return writer;
  }
  Result<records::Stamp> commit(ObjectWriter* writer, const Context& context = {}) {
    const ObjectChange change{.key = "k", .writer = writer};
    return objects_.commit(context, {.name_space = "default", .changes = std::span(&change, 1)});
  }
  Context soon() { return {.caller = {}, .deadline_steady_us = clock_.steady_us() + 1'000'000}; }
  std::function<void()> too_late() {
    return [this] { clock_.advance_us(2'000'000); };
  }
  std::function<void()> others_put(BytesView bytes) {
    return [this, bytes] {
      const auto writer = staged(bytes);
      EXPECT_TRUE(commit(writer.get()).ok());
    };
  }
  Bytes get() {
    auto reader = objects_.read({}, "default", "k");
    if (!reader.ok() || !*reader) return "<absent>";
    Bytes all;
    for (;;) {
      const auto piece = (*reader)->next();
      if (!piece.ok()) return Bytes(piece.error().message());
      if (piece->empty()) return all;
      all.append(*piece);
    }
  }
  std::vector<records::StoredLogRecord> log() {
    return database_
        .read([](const kv::ReadTransaction& transaction) -> Result<std::vector<records::StoredLogRecord>> {
          ASSIGN_OR_RETURN(const auto space, records::find_namespace(transaction, "default"));
          return records::read_log(transaction, *space, nullptr, 100);
        })
        .value();
  }

  // What is staged and neither kept nor cleared: whoever's pass cleared it.
  size_t staged_count() {
    return database_
        .read([](const kv::ReadTransaction& transaction) -> Result<size_t> {
          ASSIGN_OR_RETURN(const auto space, records::find_namespace(transaction, "default"));
          ASSIGN_OR_RETURN(const auto staged, records::read_staged_objects(transaction, *space, nullptr, 100));
          return staged.size();
        })
        .value();
  }

  ManualClock clock_;
  std::shared_ptr<kv::InterceptedEngine> engine_;
  kv::Database database_;
  Records records_;
  Objects objects_;
  Transactions transactions_;
};

TEST_F(LostAnswers, AnObjectThatCameThroughIsNotCleared) {
  const Bytes bytes(300'000, 'o');
  auto writer = staged(bytes);
  engine_->lose_answer(too_late());
  EXPECT_FALSE(commit(writer.get(), soon()).ok());
  writer.reset();
  EXPECT_TRUE(objects_.run_pass().ok());
  EXPECT_EQ(get(), bytes);
}

TEST_F(LostAnswers, AnObjectThatDidNotComeThroughIsCleared) {
  auto writer = staged(Bytes(300'000, 'o'));
  engine_->lose_commit(too_late());
  EXPECT_FALSE(commit(writer.get(), soon()).ok());
  EXPECT_EQ(staged_count(), 1u);
  // Wakes the background's pass too: how many the one below clears depends on which comes first.
  writer.reset();
  EXPECT_TRUE(objects_.run_pass().ok());
  EXPECT_EQ(staged_count(), 0u);
  EXPECT_EQ(get(), "<absent>");
}

TEST_F(LostAnswers, AnObjectIsNotPutOverTheOneThatReplacedIt) {
  for (const size_t size : {0, 300'000}) {
    const size_t before = log().size();
    const auto writer = staged(Bytes(size, 'o'));
    engine_->lose_answer(others_put("theirs"));
    const auto done = commit(writer.get());
    ASSERT_TRUE(done.ok()) << done.error().message();
    EXPECT_EQ(get(), "theirs");
    const auto records = log();
    ASSERT_EQ(records.size(), before + 2);
    EXPECT_EQ(*done, records[before].stamp);
  }
}

TEST_F(LostAnswers, ADeleteDoesNotTakeALaterObject) {
  engine_->lose_answer(others_put("theirs"));
  EXPECT_TRUE(commit(nullptr).ok());
  EXPECT_EQ(get(), "theirs");
  EXPECT_EQ(log().size(), 2u);
}

TEST_F(LostAnswers, ATransactionThatCameThroughCommitsAgainWithoutHarm) {
  const std::string id = transactions_.begin({}, {.name_space = "default"}).value();
  ASSERT_TRUE(
      transactions_.append({}, "default", id, {.type = OperationType::put_value, .key = "k", .value = "mine"}).ok());
  engine_->lose_answer(too_late());
  EXPECT_FALSE(transactions_.commit(soon(), "default", id).ok());
  const Operation theirs{.type = OperationType::put_value, .key = "k", .value = "theirs"};
  ASSERT_TRUE(records_.write({}, {"default", {&theirs, 1}}).ok());
  const auto again = transactions_.commit({}, "default", id);
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(records_.read_value({}, "default", "k").value().value().value(), "theirs");
  EXPECT_EQ(log().size(), 2u);
  EXPECT_EQ(transactions_.open_count(), 0u);
}

TEST_F(LostAnswers, ARestoredNamespaceThatIsThereStays) {
  for (const bool replace : {false, true}) {
    {
      const auto loader = NamespaceLoader::begin(database_, {.clock = &clock_}).value();
      ASSERT_TRUE(loader->put({.type = records::BackupItemType::value, .key = "k", .bytes = "restored"}).ok());
      // The second commit is the reveal; the first writes what was put.
      engine_->intercept([this](kv::Engine& target, kv::CommitRequest request) -> Result<kv::Committed> {
        engine_->lose_answer();
        auto done = target.commit(std::move(request)).get();
        if (!done.ok()) return done.error();
        return *done;
      });
      const auto revealed = loader->reveal({.name = "copy", .place = {}, .replace = replace});
      ASSERT_TRUE(revealed.ok()) << revealed.error().message();
    }
    const auto value = records_.read_value({}, "copy", "k");
    ASSERT_TRUE(value.ok() && value->has_value());
    EXPECT_EQ((*value)->value(), "restored");
  }
}

TEST_F(LostAnswers, ANamespaceThatHasItsNameIsNotDroppedAsUnfinished) {
  const auto space = database_.run([](kv::Transaction& transaction) -> Result<records::Namespace> {
    ASSIGN_OR_RETURN(const auto hidden, records::begin_hidden_namespace(transaction, 1));
    return hidden;
  });
  const auto drop = [&](kv::Transaction& transaction) { return records::drop_hidden_namespace(transaction, *space); };
  ASSERT_TRUE(database_
                  .run([&](kv::Transaction& transaction) -> Result<void> {
                    ASSIGN_OR_RETURN(const auto before, records::reveal_namespace(transaction, *space, "copy", 1));
                    static_cast<void>(before);
                    return {};
                  })
                  .ok());
  const Operation operation{.type = OperationType::put_value, .key = "k", .value = "v"};
  ASSERT_TRUE(records_.write({}, {"copy", {&operation, 1}}).ok());
  ASSERT_TRUE(database_.run(drop).ok());
  EXPECT_EQ(records_.read_value({}, "copy", "k").value().value().value(), "v");
}

}  // namespace
}  // namespace strata::service
