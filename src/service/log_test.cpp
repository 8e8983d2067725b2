#include "service/log.h"

#include <algorithm>
#include <thread>

#include "base/random.h"
#include "layers/records/log_segments.h"
#include "service/log_test.h"

namespace strata::service {
namespace {

class LogService : public LogFixture {};

TEST_F(LogService, AFreshLogIsAtNothing) {
  const auto status = log_->status({}, "default");
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->end.position, LogPosition());
  EXPECT_EQ(status->durable_us, 0);
  EXPECT_FALSE(status->checkpoint);
  EXPECT_TRUE(read_all(*log_).empty());
  EXPECT_TRUE(read_all(*log_, LogPosition()).empty());
  EXPECT_EQ(read_error({0, 1}), ErrorCode::invalid_argument);
  EXPECT_EQ(read_error({1, 0}), ErrorCode::invalid_argument);
  EXPECT_EQ(*log_->seal({}, "default"), 0u);
  EXPECT_TRUE(log_->sealed_segments({}, "default", 0, 10)->empty());
  EXPECT_EQ(log_->status({}, "none").error().message(), "namespace not found: none");
}

TEST_F(LogService, ASegmentIsFilledToItsLimitExactly) {
  const size_t size = record_bytes("k", Bytes(200, 'v'));
  segment_bytes_ = 3 * size;
  restart();
  for (int i = 0; i < 7; ++i) put("k", Bytes(200, 'v'));
  EXPECT_EQ(end().position, (LogPosition{3, size}));
  const auto seen = read_all(*log_);
  ASSERT_EQ(seen.size(), 7u);
  EXPECT_EQ(seen[2].position, (LogPosition{1, 3 * size}));
  EXPECT_EQ(seen[3].position, (LogPosition{2, size}));
  for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i].lsn, i + 1);

  // One byte less, and two fit. The limit of segments that have begun stays.
  segment_bytes_ = 3 * size - 1;
  restart();
  for (int i = 0; i < 5; ++i) put("k", Bytes(200, 'v'));
  const auto more = read_all(*log_, seen.back().position);
  ASSERT_EQ(more.size(), 5u);
  EXPECT_EQ(more[1].position, (LogPosition{3, 3 * size}));
  EXPECT_EQ(more[3].position, (LogPosition{4, 2 * size}));
  EXPECT_EQ(more[4].position, (LogPosition{5, size}));
}

TEST_F(LogService, ARecordLargerThanASegmentHasOneOfItsOwn) {
  put("a", "1");
  put("b", Bytes(300'000, 'b'));
  put("c", "1");
  const auto seen = read_all(*log_);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[1].position, (LogPosition{2, record_bytes("b", Bytes(300'000, 'b'))}));
  EXPECT_EQ(seen[2].position, (LogPosition{3, record_bytes("c", "1")}));
}

TEST_F(LogService, EveryPositionContinuesWhereItWasWithEveryPageSize) {
  Random random(1);
  for (int i = 0; i < 60; ++i) put("k" + std::to_string(i), Bytes(random.below(300), 'v'));
  const auto seen = read_all(*log_);
  ASSERT_EQ(seen.size(), 60u);
  for (size_t i = 0; i <= seen.size(); ++i) {
    const LogPosition after = i == 0 ? LogPosition() : seen[i - 1].position;
    const LogBatchLimits limits{.records = i % 4, .bytes = i % 3 == 0 ? 1u : 2'000u};
    EXPECT_EQ(read_all(*log_, after, limits), (std::vector<Seen>(seen.begin() + static_cast<long>(i), seen.end())));
  }
  EXPECT_EQ(read_all(*log_, LogPosition{3, 0}).front().position.segment, 3u);
}

TEST_F(LogService, APositionThatDoesNotExistIsRefused) {
  for (int i = 0; i < 10; ++i) put("k", Bytes(200, 'v'));
  const auto seen = read_all(*log_);
  const LogPosition last = seen.back().position;
  EXPECT_EQ(read_error({last.segment, last.offset + 1}), ErrorCode::invalid_argument);
  EXPECT_EQ(read_error({last.segment, last.offset - 1}), ErrorCode::invalid_argument);
  EXPECT_EQ(read_error({last.segment + 1, 0}), ErrorCode::invalid_argument);
  EXPECT_EQ(read_error({UINT64_MAX, UINT64_MAX}), ErrorCode::invalid_argument);
  EXPECT_EQ(read_error({1, 1}), ErrorCode::invalid_argument);
  EXPECT_EQ(read_error({1, 5'000}), ErrorCode::invalid_argument);
  EXPECT_EQ(read_error({0, 1}), ErrorCode::invalid_argument);
}

TEST_F(LogService, ASealEndsASegment) {
  put("a", "1");
  EXPECT_EQ(*log_->seal({}, "default"), 1u);
  EXPECT_EQ(*log_->seal({}, "default"), 1u);
  const LogPosition sealed = end().position;
  EXPECT_EQ(sealed.segment, 1u);
  EXPECT_EQ(end().active, 2u);
  EXPECT_TRUE(read_all(*log_, LogPosition{2, 0}).empty());
  put("b", "1");
  put("c", "1");
  const auto seen = read_all(*log_);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[1].position, (LogPosition{2, record_bytes("b", "1")}));
  EXPECT_EQ(read_all(*log_, sealed), read_all(*log_, LogPosition{2, 0}));
  EXPECT_EQ(*log_->seal({}, "default"), 2u);

  const auto segments = log_->sealed_segments({}, "default", 0, 10);
  ASSERT_EQ(segments->size(), 2u);
  EXPECT_EQ((*segments)[1].number, 2u);
  EXPECT_EQ((*segments)[1].first_lsn, 2u);
  EXPECT_EQ((*segments)[1].records, 2u);
  EXPECT_EQ((*segments)[1].bytes, 2 * record_bytes("b", "1"));
  EXPECT_GE(records::view((*segments)[1].last), records::view(seen[2].stamp));
  EXPECT_EQ(log_->sealed_segments({}, "default", 1, 10)->size(), 1u);
  EXPECT_EQ(log_->sealed_segments({}, "default", 0, 1)->size(), 1u);
  EXPECT_TRUE(log_->sealed_segments({}, "default", UINT64_MAX, 10)->empty());
}

TEST_F(LogService, ARestartContinuesFromEveryKindOfState) {
  std::vector<Seen> before;
  for (int i = 0; i < 40; ++i) {
    put("k" + std::to_string(i), Bytes(100, 'v'));
    if (i % 7 == 3) EXPECT_TRUE(log_->seal({}, "default").ok());
    if (i % 5 == 2) log_->run_pass(true);
    const LogEnd known = end();
    restart();
    const LogEnd again = end();
    EXPECT_EQ(again.position, known.position);
    EXPECT_EQ(again.totals, known.totals);
    EXPECT_EQ(again.active, known.active);
    EXPECT_EQ(again.active_weight, known.active_weight);
    EXPECT_EQ(again.record_us, known.record_us);
    auto now = read_all(*log_);
    ASSERT_EQ(now.size(), before.size() + 1);
    EXPECT_TRUE(std::equal(before.begin(), before.end(), now.begin()));
    before = std::move(now);
  }
}

TEST_F(LogService, TheCheckpointIsWhatWasLastStored) {
  put("a", "1");
  EXPECT_FALSE(log_->status({}, "default")->checkpoint);
  log_->run_pass(false);
  put("b", "1");
  const auto status = log_->status({}, "default");
  ASSERT_TRUE(status->checkpoint);
  EXPECT_EQ(status->checkpoint->position, (LogPosition{1, record_bytes("a", "1")}));
  EXPECT_EQ(status->checkpoint->totals.records, 1u);
  EXPECT_EQ(status->end.totals.records, 2u);
  EXPECT_EQ(status->durable_operations, 2u);
  EXPECT_EQ(status->durable_us, clock_.wall_us());
}

TEST_F(LogService, OldSegmentsGoBySize) {
  retention_bytes_ = 5'000;
  restart();
  for (int i = 0; i < 100; ++i) put("k", Bytes(200, 'v'));
  const auto all = read_all(*log_);
  log_->run_pass(false);
  const auto kept = read_all(*log_);
  ASSERT_FALSE(kept.empty());
  EXPECT_LT(kept.size(), 25u);
  EXPECT_GT(kept.size(), 15u);
  EXPECT_EQ(kept.back(), all.back());
  EXPECT_EQ(read_error({}), ErrorCode::gone);
  EXPECT_EQ(read_error(all[10].position), ErrorCode::gone);
  // Who has read all of the last segment that went has missed nothing.
  const Seen& last_gone = all[all.size() - kept.size() - 1];
  EXPECT_EQ(read_all(*log_, last_gone.position), kept);
  EXPECT_EQ(read_error(all[all.size() - kept.size() - 2].position), ErrorCode::gone);
  restart();
  EXPECT_EQ(read_all(*log_), kept);
  EXPECT_EQ(end().totals.records, 100u);
  const auto first = database_.read([&](const kv::ReadTransaction& transaction) {
    return records::read_first_kept(transaction, records::make_namespace(1));
  });
  EXPECT_GE(records::view(*first), records::view(last_gone.stamp));
  EXPECT_LT(records::view(*first), records::view(kept[0].stamp));
}

TEST_F(LogService, OldSegmentsGoByAgeAlsoWhereNobodyWrites) {
  put("a", "1");
  const LogPosition last = end().position;
  log_->run_pass(true);
  clock_.advance_us(options().retention_age_us / 8);
  log_->run_pass(true);
  EXPECT_EQ(end().active, 2u);
  EXPECT_EQ(read_all(*log_).size(), 1u);
  clock_.advance_us(options().retention_age_us);
  log_->run_pass(true);
  EXPECT_TRUE(read_all(*log_).empty());
  EXPECT_EQ(read_error({}), ErrorCode::gone);
  EXPECT_TRUE(read_all(*log_, last).empty());
  EXPECT_EQ(end().position, last);
  restart();
  EXPECT_EQ(end().position, last);
  put("b", "1");
  EXPECT_EQ(read_all(*log_, last).front().position, (LogPosition{2, record_bytes("b", "1")}));
}

TEST_F(LogService, APinHoldsBackWhatIsDropped) {
  retention_bytes_ = 2'000;
  restart();
  for (int i = 0; i < 20; ++i) put("k", Bytes(200, 'v'));
  const auto all = read_all(*log_);
  auto pin = log_->pin({}, "default", {3, 0});
  ASSERT_TRUE(pin.ok());
  log_->run_pass(true);
  EXPECT_EQ(read_all(*log_).front().position.segment, 3u);
  EXPECT_EQ(log_->pin({}, "default", {2, 0}).error().code(), ErrorCode::gone);
  EXPECT_EQ(log_->pin({}, "default", {}).error().code(), ErrorCode::gone);
  pin = LogPin();
  log_->run_pass(true);
  EXPECT_GT(read_all(*log_).front().position.segment, 3u);
}

TEST_F(LogService, APinAtTheEndOfASegmentNeedsNothingOfIt) {
  put("a", "1");
  const LogPosition end = log_->status({}, "default")->end.position;
  ASSERT_TRUE(log_->seal({}, "default").ok());
  clock_.advance_us(2 * options().retention_age_us);
  log_->run_pass(true);
  ASSERT_TRUE(read_all(*log_).empty());
  const auto pin = log_->pin({}, "default", end);
  ASSERT_TRUE(pin.ok());
  // What comes behind it is held.
  put("b", "1");
  ASSERT_TRUE(log_->seal({}, "default").ok());
  clock_.advance_us(2 * options().retention_age_us);
  log_->run_pass(true);
  EXPECT_EQ(read_all(*log_, end).size(), 1u);
  EXPECT_EQ(log_->pin({}, "default", {1, 0}).error().code(), ErrorCode::gone);
}

TEST_F(LogService, AReaderThatIsOvertakenIsTold) {
  retention_bytes_ = 1'000;
  restart();
  for (int i = 0; i < 20; ++i) put("k", Bytes(200, 'v'));
  auto reader = log_->read({}, {.name_space = "default", .after = {}, .log_id = {}});
  ASSERT_EQ(reader->next({}, {.records = 2})->entries.size(), 2u);
  log_->run_pass(true);
  EXPECT_EQ(reader->next({}).error().code(), ErrorCode::gone);
}

TEST_F(LogService, AReaderThatAgeOvertakesIsTold) {
  for (int i = 0; i < 10; ++i) put("k", Bytes(200, 'v'));
  auto reader = log_->read({}, {.name_space = "default", .after = {}, .log_id = {}});
  ASSERT_EQ(reader->next({}, {.records = 2})->entries.size(), 2u);
  const LogPosition after = reader->position();
  ASSERT_TRUE(log_->seal({}, "default").ok());
  clock_.advance_us(2 * options().retention_age_us);
  put("new", "1");
  log_->run_pass(true);
  EXPECT_EQ(reader->next({}).error().code(), ErrorCode::gone);
  EXPECT_EQ(read_error(after), ErrorCode::gone);
  EXPECT_EQ(read_all(*log_).size(), 1u);
}

TEST_F(LogService, AReaderAtTheEndIsNotOvertakenByWhatItHasRead) {
  put("a", "1");
  auto reader = log_->read({}, {.name_space = "default", .after = {}, .log_id = {}});
  ASSERT_EQ(drain(*reader).size(), 1u);
  ASSERT_TRUE(log_->seal({}, "default").ok());
  clock_.advance_us(2 * options().retention_age_us);
  log_->run_pass(true);
  EXPECT_TRUE(drain(*reader).empty());
  put("b", "1");
  const auto seen = drain(*reader);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].lsn, 2u);
}

TEST_F(LogService, ANamespaceMadeAnewHasAnotherLog) {
  ASSERT_TRUE(records_.ensure_namespace({}, "n").ok());
  put("a", "1", "n");
  const std::string log_id = log_->status({}, "n")->log_id;
  auto reader = log_->read({}, {.name_space = "n", .after = {}, .log_id = log_id});
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(records_.remove_namespace({}, "n").ok());
  EXPECT_EQ(log_->status({}, "n").error().code(), ErrorCode::not_found);
  ASSERT_TRUE(records_.ensure_namespace({}, "n").ok());
  EXPECT_EQ(reader->next({}).error().code(), ErrorCode::not_found);
  EXPECT_NE(log_->status({}, "n")->log_id, log_id);
  EXPECT_EQ(log_->read({}, {.name_space = "n", .after = {}, .log_id = log_id}).error().code(), ErrorCode::gone);
  EXPECT_EQ(log_->status({}, "n")->end.position, LogPosition());
  log_->run_pass(true);
}

TEST_F(LogService, TheStoreKeepsItsId) {
  const Bytes id = log_->store_id();
  EXPECT_EQ(id.size(), 16u);
  restart();
  EXPECT_EQ(log_->store_id(), id);
  EXPECT_EQ(log_->status({}, "default")->log_id.size(), 34u);
}

TEST_F(LogService, NamespacesAreListedByName) {
  for (const char* name : {"b", "a", "ab", "c"}) ASSERT_TRUE(records_.ensure_namespace({}, name).ok());
  std::vector<std::string> names;
  for (std::string after;;) {
    const auto list = log_->list_namespaces({}, after, 2);
    ASSERT_TRUE(list.ok());
    for (const auto& entry : list->entries) names.push_back(entry.name);
    if (!list->more) break;
    after = names.back();
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a", "ab", "b", "c", "default"}));
  EXPECT_TRUE(log_->list_namespaces({}, std::string(20'000, 'z'), 5)->entries.empty());
}

TEST_F(LogService, WhoFollowsWakesWhenSomethingIsWritten) {
  auto reader = log_->read({}, {.name_space = "default", .after = {}, .log_id = {}});
  EXPECT_TRUE(reader->next({})->entries.empty());
  Future<void> change = reader->changed();
  EXPECT_FALSE(change.is_ready());
  put("a", "1");
  EXPECT_TRUE(change.is_ready());
  EXPECT_EQ(drain(*reader).size(), 1u);
}

TEST_F(LogService, ABrokenSegmentRowIsCorruption) {
  for (int i = 0; i < 20; ++i) put("k", Bytes(200, 'v'));
  ASSERT_EQ(read_all(*log_).size(), 20u);
  const records::Namespace space = records::make_namespace(1);
  ASSERT_TRUE(database_
                  .run([&](kv::Transaction& transaction) -> Result<void> {
                    ASSIGN_OR_RETURN(auto segment, records::read_log_segment(transaction, space, 2));
                    segment->before.records += 1;
                    write_log_segment(transaction, space, *segment);
                    return {};
                  })
                  .ok());
  auto reader = log_->read({}, {.name_space = "default", .after = {}, .log_id = {}});
  ASSERT_EQ(reader->next({})->entries.size(), 4u);
  EXPECT_EQ(reader->next({}).error().code(), ErrorCode::corruption);
}

TEST_F(LogService, ARowThatIsMissingIsCorruptionAndNoEndlessWalk) {
  for (int i = 0; i < 20; ++i) put("k", Bytes(200, 'v'));
  log_->run_pass(true);
  ASSERT_EQ(end().active, 5u);
  const records::Namespace space = records::make_namespace(1);
  const auto clear = [&](uint64_t number) {
    ASSERT_TRUE(database_
                    .run([&](kv::Transaction& transaction) -> Result<void> {
                      transaction.clear(records::log_segment_key(space, number));
                      return {};
                    })
                    .ok());
    restart();
    EXPECT_EQ(log_->status({}, "default").error().code(), ErrorCode::corruption);
    log_->run_pass(true);
    EXPECT_EQ(log_->counters().failed_passes.value(), 1u);
  };
  // The one that the checkpoint is in; then, without the checkpoint, one in the middle.
  clear(5);
  ASSERT_TRUE(database_
                  .run([&](kv::Transaction& transaction) -> Result<void> {
                    transaction.clear(records::log_checkpoint_key(space));
                    ASSIGN_OR_RETURN(auto segment, records::read_log_segment(transaction, space, 4));
                    segment->totals_known = false;
                    segment->before = {};
                    segment->previous_bytes = 0;
                    write_log_segment(transaction, space, *segment);
                    return {};
                  })
                  .ok());
  clear(3);
}

TEST_F(LogService, MetricsTellWhatIsThere) {
  EXPECT_EQ(log_->kept().since_us, 0);
  retention_bytes_ = 2'000;
  restart();
  put("k", "v");
  const int64_t since_us = clock_.wall_us();
  log_->run_pass(true);
  EXPECT_EQ(log_->counters().records.value(), 1u);
  EXPECT_EQ(log_->counters().record_bytes.value(), record_bytes("k", "v"));
  EXPECT_EQ(log_->kept().weight, record_bytes("k", "v"));
  EXPECT_EQ(log_->kept().since_us, since_us);
  clock_.advance_us(1'000'000);
  ASSERT_TRUE(records_.ensure_namespace({}, "other").ok());
  put("k", "v", "other");
  log_->run_pass(true);
  EXPECT_EQ(log_->kept().weight, 2 * record_bytes("k", "v"));
  EXPECT_EQ(log_->kept().since_us, since_us);
  for (int i = 0; i < 20; ++i) put("k", Bytes(200, 'v'));
  log_->run_pass(true);
  EXPECT_EQ(log_->counters().records.value(), 22u);
  EXPECT_GT(log_->kept().since_us, since_us);
  EXPECT_LT(log_->kept().weight, 2'100u);
  EXPECT_GT(log_->kept().weight, 1'000u);
}

}  // namespace
}  // namespace strata::service
