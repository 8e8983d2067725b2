#include "engine/rocksdb/value_survey.h"

#include <gtest/gtest.h>

#include "engine/rocksdb/engine_fixture.h"
#include "engine/rocksdb/store.h"

namespace strata::kv {
namespace {

// Much more than a record's header.
constexpr uint64_t each_bytes = 500;

class ValueSurveyTest : public RocksdbTest {
 protected:
  ValueSurveyTest() {
    auto opened = open_store(options);
    STRATA_ASSERT(opened.ok());
    store = *std::move(opened);
    survey = std::make_unique<ValueSurvey>(*store.db, *store.values, 1'000);
  }
  // All in a file of their own.
  uint64_t put_file(int from, int to) {
    uint64_t file = 0;
    for (int i = from; i < to; ++i) {
      const auto appended = store.values->append(std::to_string(i), Bytes(each_bytes, 'v'));
      STRATA_ASSERT(appended.ok());
      file = appended->reference.file;
      Bytes reference(ValueReference::encoded_bytes, '\0');
      encode_reference(appended->reference, reference.data());
      put(i, reference);
    }
    EXPECT_TRUE(store.values->sync().ok());
    store.values->seal();
    return file;
  }
  void put(int i, BytesView stored) { EXPECT_TRUE(store.db->Put({}, std::to_string(i), to_slice(stored)).ok()); }
  void look() { ASSERT_TRUE(survey->look(store.values->sealed_and_unused(), stop).ok()); }
  size_t known(const std::vector<uint64_t>& numbers) const {
    size_t count = 0;
    for (const uint64_t number : numbers) count += survey->find(number) ? 1 : 0;
    return count;
  }

  Store store;
  std::unique_ptr<ValueSurvey> survey;
  std::atomic<bool> stop = false;
};

TEST_F(ValueSurveyTest, CountsWhatKeysHold) {
  const uint64_t file = put_file(0, 10);
  const uint64_t other = put_file(10, 12);
  look();
  ASSERT_TRUE(survey->find(file));
  EXPECT_EQ(survey->find(file)->living_bytes, 10 * each_bytes);
  put(1, "small");
  ASSERT_TRUE(store.db->Delete({}, "2").ok());
  ASSERT_TRUE(store.db->DeleteRange({}, store.db->DefaultColumnFamily(), "3", "5").ok());
  put_file(5, 6);
  look();
  EXPECT_EQ(survey->find(file)->living_bytes, 5 * each_bytes);
  EXPECT_EQ(survey->find(other)->living_bytes, 2 * each_bytes);
}

// Whoever reads at `at` or later does not see what was found dead.
TEST_F(ValueSurveyTest, SaysSinceWhenTheyAreDead) {
  const uint64_t file = put_file(0, 1);
  const rocksdb::Snapshot* const before = store.db->GetSnapshot();
  put(0, "small");
  look();
  EXPECT_EQ(survey->find(file)->living_bytes, 0u);
  EXPECT_GT(survey->find(file)->at, before->GetSequenceNumber());
  EXPECT_GT(survey->find(file)->at, oldest_visible(*store.db));
  store.db->ReleaseSnapshot(before);
  EXPECT_LE(survey->find(file)->at, oldest_visible(*store.db));
}

TEST_F(ValueSurveyTest, LooksAtABoundedNumberInTurn) {
  constexpr int each = ValueSurvey::least_lookups;
  std::vector<uint64_t> numbers;
  for (int i = 0; i < 5; ++i) numbers.push_back(put_file(i * each, (i + 1) * each));
  // It starts with what was appended before.
  look();
  survey = std::make_unique<ValueSurvey>(*store.db, *store.values, 1'000'000'000);
  for (size_t looks = 1; looks <= numbers.size(); ++looks) {
    look();
    EXPECT_EQ(known(numbers), looks);
    put(-1, "something is written");
  }
  // The one that was looked at first comes first again.
  put(0, "small");
  look();
  EXPECT_EQ(survey->find(numbers[0])->living_bytes, each_bytes * (each - 1));
}

TEST_F(ValueSurveyTest, GoesOnWhileMostIsDead) {
  constexpr int each = ValueSurvey::least_lookups;
  std::vector<uint64_t> numbers;
  for (int i = 0; i < 5; ++i) numbers.push_back(put_file(i * each, (i + 1) * each));
  ASSERT_TRUE(store.db->DeleteRange({}, store.db->DefaultColumnFamily(), "0", "a").ok());
  survey = std::make_unique<ValueSurvey>(*store.db, *store.values, 1'000'000'000);
  look();
  EXPECT_EQ(known(numbers), 5u);
}

TEST_F(ValueSurveyTest, KnowsNothingOfWhatItDidNotFinish) {
  const uint64_t file = put_file(0, 10);
  stop = true;
  look();
  EXPECT_FALSE(survey->find(file));
  stop = false;
  look();
  ASSERT_TRUE(survey->find(file));
  survey->forget(file);
  EXPECT_FALSE(survey->find(file));
}

}  // namespace
}  // namespace strata::kv
