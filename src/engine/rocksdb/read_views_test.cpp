#include "engine/rocksdb/read_views.h"

#include <thread>

#include "base/random.h"
#include "engine/rocksdb/engine_fixture.h"

namespace strata::kv {
namespace {

class ReadViewsTest : public RocksdbTest {
 protected:
  static constexpr int64_t lifetime_ms = 5'000;

  ReadViewsTest() {
    rocksdb::Options database;
    database.create_if_missing = true;
    rocksdb::DB* opened = nullptr;
    STRATA_ASSERT(rocksdb::DB::Open(database, (root / "db").string(), &opened).ok());
    db.reset(opened);
    views.emplace(*db, clock, lifetime_ms);
  }
  ~ReadViewsTest() override {
    views.reset();
    db.reset();
  }

  // The database holds the version's number from now on.
  void publish(Version version) {
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), "v", std::to_string(version)).ok());
    views->publish(version);
  }
  // What is read at the version, or the error.
  std::string read(Version version) {
    const Result<ReadViews::Pin> pin = views->pin(version);
    if (!pin.ok()) return code(pin);
    rocksdb::ReadOptions read;
    read.snapshot = pin->snapshot();
    std::string value;
    EXPECT_TRUE(db->Get(read, "v", &value).ok());
    return value;
  }
  uint64_t live_snapshots() {
    uint64_t count = 0;
    EXPECT_TRUE(db->GetIntProperty(rocksdb::DB::Properties::kNumSnapshots, &count));
    return count;
  }

  std::unique_ptr<rocksdb::DB> db;
  std::optional<ReadViews> views;
};

TEST_F(ReadViewsTest, VersionsReadAsTheyWere) {
  publish(10);
  publish(20);
  publish(30);
  EXPECT_EQ(read(9), "transaction_too_old");
  EXPECT_EQ(read(10), "10");
  EXPECT_EQ(read(19), "10");
  EXPECT_EQ(read(20), "20");
  EXPECT_EQ(read(30), "30");
  EXPECT_EQ(read(31), "future_version");
}

TEST_F(ReadViewsTest, NothingIsReleasedUnderAPin) {
  publish(10);
  EXPECT_EQ(views->hand_out(), 10);
  {
    const Result<ReadViews::Pin> pin = views->pin(10);
    ASSERT_TRUE(pin.ok());
    publish(20);
    clock.advance_us(lifetime_ms * 1'000 + 1);
    for (int i = 0; i < 5; ++i) views->expire();
    EXPECT_EQ(read(10), "transaction_too_old");
    EXPECT_EQ(live_snapshots(), 2u);
    // A pin that came after does not hold it, and the one that came before still does.
    const Result<ReadViews::Pin> later = views->pin(20);
    for (int i = 0; i < 5; ++i) views->expire();
    EXPECT_EQ(live_snapshots(), 2u);
    rocksdb::ReadOptions options_of_read;
    options_of_read.snapshot = pin->snapshot();
    std::string value;
    EXPECT_TRUE(db->Get(options_of_read, "v", &value).ok());
    EXPECT_EQ(value, "10");
  }
  for (int i = 0; i < 3; ++i) views->expire();
  EXPECT_EQ(live_snapshots(), 1u);
  EXPECT_FALSE(views->has_more_than_newest());
}

TEST_F(ReadViewsTest, PinsThatOverlapForeverDoNotKeepTheOldAlive) {
  publish(10);
  std::optional<Result<ReadViews::Pin>> held(views->pin(10));
  for (Version version = 11; version < 40; ++version) {
    publish(version);
    clock.advance_us(lifetime_ms * 1'000 + 1);
    // The next pin is there before the last one goes.
    Result<ReadViews::Pin> next = views->pin(version);
    held.reset();
    held.emplace(std::move(next));
  }
  views->expire();
  EXPECT_LT(live_snapshots(), 6u);
}

TEST_F(ReadViewsTest, HandedOutVersionsOutliveTheOthers) {
  publish(1);
  std::vector<Version> kept;
  for (Version version = 2; version < 10'000; ++version) {
    publish(version);
    if (version % 100 == 0) kept.push_back(views->hand_out());
  }
  for (const Version version : kept) EXPECT_EQ(read(version), std::to_string(version));
  EXPECT_EQ(read(9'999), "9999");
  EXPECT_EQ(read(9'000), "9000");
  EXPECT_EQ(read(1'501), "transaction_too_old");
  EXPECT_LT(live_snapshots(), ReadViews::recent_count + kept.size() + 200);
  clock.advance_us(lifetime_ms * 1'000 + 1);
  publish(20'000);
  clock.advance_us(lifetime_ms * 1'000 + 1);
  views->expire();
  views->expire();
  EXPECT_EQ(live_snapshots(), 1u);
  EXPECT_EQ(read(kept.back()), "transaction_too_old");
  EXPECT_EQ(read(20'000), "20000");
}

// Against a list of what was published and when it was replaced.
TEST_F(ReadViewsTest, AgreesWithAModel) {
  Random random(3);
  struct Published {
    Version version;
    int64_t replaced_us = INT64_MAX;
    bool handed_out = false;
  };
  std::vector<Published> model;
  Version next = 1'000;
  for (int step = 0; step < 20'000; ++step) {
    if (model.empty() || random.one_in(2)) {
      if (!model.empty()) model.back().replaced_us = clock.steady_us();
      next += 1 + static_cast<Version>(random.below(5));
      publish(next);
      model.push_back({next});
    }
    if (random.one_in(10)) clock.advance_us(static_cast<int64_t>(random.below(20'000)));
    if (random.one_in(3)) {
      EXPECT_EQ(views->hand_out(), model.back().version);
      model.back().handed_out = true;
    }
    const size_t at = model.size() - 1 - random.below(std::min<size_t>(model.size(), 6'000));
    const Published& one = model[at];
    const Version last = at + 1 < model.size() ? model[at + 1].version - 1 : one.version;
    const Version version =
        one.version + static_cast<Version>(random.below(static_cast<uint64_t>(last - one.version) + 1));
    const bool young = at + 1 == model.size() || one.replaced_us >= clock.steady_us() - lifetime_ms * 1'000;
    const bool recent = model.size() - at <= ReadViews::recent_count;
    const std::string found = read(version);
    if (young && (one.handed_out || recent)) {
      ASSERT_EQ(found, std::to_string(one.version)) << step;
    } else {
      ASSERT_TRUE(found == "transaction_too_old" || found == std::to_string(one.version)) << step << " " << found;
    }
  }
}

}  // namespace
}  // namespace strata::kv
