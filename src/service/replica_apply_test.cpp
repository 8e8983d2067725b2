#include "service/replica_apply.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "engine/memory/memory_engine.h"
#include "layers/records/log_record.h"
#include "layers/records/values.h"

namespace strata::service {
namespace {

using records::FollowRow;
using records::Operation;
using records::OperationType;

class ReplicaApply : public testing::Test {
 protected:
  explicit ReplicaApply(kv::MemoryEngineOptions options = {})
      : database_(std::make_shared<kv::MemoryEngine>(std::move(options))) {
    const auto made = database_.run([&](kv::Transaction& transaction) -> Result<FollowedNamespace> {
      ASSIGN_OR_RETURN(const auto ensured, records::ensure_namespace(transaction, "n", 1));
      const FollowRow row{.log_id = "0a-1"};
      records::write_follow_row(transaction, ensured.space, row);
      return FollowedNamespace{ensured.space, row};
    });
    followed_ = *made;
  }

  // A record that puts lsn as the value of `key`.
  static void add(LeaderBatch& batch, uint64_t lsn, BytesView key) {
    LeaderRecord record{.position = {1, lsn * 100}, .lsn = lsn, .wall_us = static_cast<int64_t>(lsn)};
    record.stamp[9] = static_cast<char>(lsn);
    record.first_operation = batch.operations.size();
    batch.records.push_back(record);
    batch.operations.push_back({.type = OperationType::put_value,
                                .key = batch.arena.copy(key),
                                .value = batch.arena.copy(std::to_string(lsn))});
  }
  Result<void> apply(const LeaderBatch& batch) { return apply_leader_batch(store_, "n", followed_, batch); }
  std::string get(BytesView key) {
    const auto stored = database_.read(
        [&](const kv::ReadTransaction& transaction) { return records::read_value(transaction, followed_.space, key); });
    return stored.ok() && *stored ? std::string((*stored)->value()) : "<absent>";
  }
  // All operations of the replica's own log, in order.
  std::vector<std::string> logged() {
    const auto log = database_.read([&](const kv::ReadTransaction& transaction) {
      return records::read_log(transaction, followed_.space, nullptr, 10'000);
    });
    std::vector<std::string> values;
    for (const auto& stored : *log) {
      const auto record = records::decode_log_record(stored.bytes);
      for (const Operation& operation : record->operations) values.emplace_back(operation.value);
    }
    return values;
  }

  kv::Database database_;
  ReplicaStore store_{database_, system_clock(), kv::Durability::sync};
  FollowedNamespace followed_;
};

TEST_F(ReplicaApply, RecordsAndTheRowMoveTogether) {
  LeaderBatch batch;
  add(batch, 1, "a");
  add(batch, 2, "b");
  add(batch, 3, "a");
  ASSERT_TRUE(apply(batch).ok());
  EXPECT_EQ(get("a"), "3");
  EXPECT_EQ(get("b"), "2");
  EXPECT_EQ(logged(), (std::vector<std::string>{"1", "2", "3"}));
  const auto found = find_followed(store_, "n");
  ASSERT_TRUE(found.ok() && *found);
  EXPECT_EQ((*found)->row, followed_.row);
  EXPECT_EQ(followed_.row.position, (records::LogPosition{1, 300}));
  EXPECT_EQ(followed_.row.before, (records::LogPosition{1, 200}));
  EXPECT_EQ(followed_.row.lsn, 3u);
  EXPECT_EQ(followed_.row.wall_us, 3);
  LeaderBatch next;
  add(next, 4, "c");
  ASSERT_TRUE(apply(next).ok());
  EXPECT_EQ(followed_.row.before, (records::LogPosition{1, 300}));
}

TEST_F(ReplicaApply, OnlyTheRecordThatComesNext) {
  for (const uint64_t lsn : {0, 2, 7}) {
    LeaderBatch batch;
    add(batch, lsn, "a");
    EXPECT_EQ(apply(batch).error().code(), ErrorCode::corruption);
  }
  LeaderBatch gap;
  add(gap, 1, "a");
  add(gap, 3, "a");
  EXPECT_EQ(apply(gap).error().code(), ErrorCode::corruption);
  LeaderBatch backwards;
  add(backwards, 1, "a");
  add(backwards, 2, "a");
  backwards.records[1].position = {1, 100};
  EXPECT_EQ(apply(backwards).error().code(), ErrorCode::corruption);
  EXPECT_EQ(get("a"), "<absent>");
  EXPECT_EQ(followed_.row.lsn, 0u);
}

// A commit whose answer was lost, and a second follower that has not noticed: the row in the store decides.
TEST_F(ReplicaApply, ABatchIsAppliedOnce) {
  const FollowedNamespace before = followed_;
  LeaderBatch batch;
  add(batch, 1, "a");
  ASSERT_TRUE(apply(batch).ok());
  followed_ = before;
  ASSERT_TRUE(apply(batch).ok());
  EXPECT_EQ(logged(), std::vector<std::string>{"1"});
  LeaderBatch longer;
  add(longer, 1, "a");
  add(longer, 2, "a");
  followed_ = before;
  EXPECT_EQ(apply(longer).error().code(), ErrorCode::internal);
  EXPECT_EQ(logged(), std::vector<std::string>{"1"});
}

TEST_F(ReplicaApply, ANamespaceThatWasReplacedIsLeftAlone) {
  ASSERT_TRUE(database_
                  .run([&](kv::Transaction& transaction) -> Result<void> {
                    RETURN_IF_ERROR(records::remove_namespace(transaction, "n"));
                    ASSIGN_OR_RETURN(const auto made, records::ensure_namespace(transaction, "n", 1));
                    EXPECT_TRUE(made.created);
                    return {};
                  })
                  .ok());
  LeaderBatch batch;
  add(batch, 1, "a");
  EXPECT_EQ(apply(batch).error().code(), ErrorCode::not_found);
  EXPECT_EQ(get("a"), "<absent>");
  EXPECT_FALSE(find_followed(store_, "n").value().has_value());
  EXPECT_FALSE(find_followed(store_, "none").value().has_value());
}

TEST_F(ReplicaApply, RemovingKeepsDefault) {
  EXPECT_TRUE(remove_followed(store_, "n").value());
  EXPECT_FALSE(remove_followed(store_, "n").value());
  EXPECT_FALSE(remove_followed(store_, "default").value());
  const auto space = database_.read(
      [](const kv::ReadTransaction& transaction) { return records::find_namespace(transaction, "default"); });
  EXPECT_TRUE(space->has_value());
}

class SmallReplica : public ReplicaApply {
 protected:
  static kv::MemoryEngineOptions small() {
    kv::MemoryEngineOptions options;
    options.limits.transaction_bytes = 60'000;
    return options;
  }
  SmallReplica() : ReplicaApply(small()) {}
};

TEST_F(SmallReplica, WhatIsTooLargeTogetherGoesOneByOne) {
  LeaderBatch batch;
  const Bytes key(5'000, 'k');
  std::vector<std::string> expected;
  for (uint64_t lsn = 1; lsn <= 20; ++lsn) {
    add(batch, lsn, key + std::to_string(lsn));
    expected.push_back(std::to_string(lsn));
  }
  ASSERT_TRUE(apply(batch).ok());
  EXPECT_EQ(logged(), expected);
  EXPECT_EQ(followed_.row.lsn, 20u);
  EXPECT_EQ(followed_.row.before, (records::LogPosition{1, 1'900}));
  LeaderBatch large;
  add(large, 21, Bytes(8'000, 'k'));
  large.operations[0].value = large.arena.copy(Bytes(50'000, 'v'));
  EXPECT_EQ(apply(large).error().code(), ErrorCode::transaction_too_large);
  EXPECT_EQ(followed_.row.lsn, 20u);
}

class FaultyReplica : public ReplicaApply {
 protected:
  FaultyReplica()
      : ReplicaApply({.faults = {.transaction_too_old = 0.1,
                                 .not_committed = 0.2,
                                 .commit_unknown_result_applied = 0.2,
                                 .commit_unknown_result_lost = 0.2}}) {}
};

// Commits that fail, or succeed without saying so, and a process that forgets everything between batches.
TEST_F(FaultyReplica, EveryRecordOnceInOrder) {
  Random random(1);
  std::vector<std::string> expected;
  for (uint64_t lsn = 1; lsn <= 300;) {
    LeaderBatch batch;
    for (uint64_t count = 1 + random.below(5); count > 0; --count, ++lsn) {
      add(batch, lsn, "k" + std::to_string(lsn % 7));
      expected.push_back(std::to_string(lsn));
    }
    ASSERT_TRUE(apply(batch).ok());
    const auto found = find_followed(store_, "n");
    ASSERT_TRUE(found.ok() && *found);
    followed_ = **found;
  }
  EXPECT_EQ(logged(), expected);
}

}  // namespace
}  // namespace strata::service
