// Writes of vectors that were not told the outcome of an attempt: done once, and shown by the next search.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/memory_engine.h"
#include "service/intercepted_engine_test.h"
#include "service/vectors.h"

namespace strata::service {
namespace {

class VectorsUnknown : public testing::Test {
 protected:
  VectorsUnknown() {
    EXPECT_TRUE(vectors_.open().ok());
    EXPECT_TRUE(vectors_.make_collection({}, {.name = "c", .dimension = 2}).ok());
  }
  Result<uint64_t> insert() { return vectors_.insert({}, "c", {.values = values_}); }
  std::vector<uint64_t> search() {
    std::vector<uint64_t> ids;
    const auto answer = vectors_.search({}, {.collection = "c", .query = values_, .k = 10});
    EXPECT_TRUE(answer.ok());
    for (const ScoredVector& result : answer->results) ids.push_back(result.id);
    return ids;
  }
  uint64_t lsn() { return vectors_.persistence_status({}, "c")->current_lsn; }

  const std::vector<float> values_ = {1, 2};
  std::shared_ptr<kv::InterceptedEngine> engine_ =
      std::make_shared<kv::InterceptedEngine>(std::make_shared<kv::MemoryEngine>());
  kv::Database database_{engine_};
  Vectors vectors_{database_, {.threads = 1}};
};

TEST_F(VectorsUnknown, AnInsertThatCameThroughIsNotMadeTwice) {
  engine_->lose_answer();
  EXPECT_EQ(*insert(), 1);
  EXPECT_EQ(lsn(), 1);
  EXPECT_THAT(search(), testing::ElementsAre(1));
  EXPECT_EQ(*insert(), 2);
}

TEST_F(VectorsUnknown, AnInsertThatWasLostIsMade) {
  engine_->lose_commit();
  EXPECT_EQ(*insert(), 1);
  EXPECT_EQ(lsn(), 1);
  EXPECT_THAT(search(), testing::ElementsAre(1));
}

TEST_F(VectorsUnknown, ARemovalThatCameThroughIsNoError) {
  ASSERT_TRUE(insert().ok());
  engine_->lose_answer();
  EXPECT_TRUE(vectors_.remove({}, "c", 1).ok());
  EXPECT_EQ(lsn(), 2);
  EXPECT_THAT(search(), testing::IsEmpty());
  EXPECT_EQ(vectors_.collection({}, "c")->vector_count, 0);
}

TEST_F(VectorsUnknown, ACollectionThatWasMadeIsNotThereAlready) {
  engine_->lose_answer();
  EXPECT_TRUE(vectors_.make_collection({}, {.name = "d", .dimension = 2}).ok());
  EXPECT_EQ(vectors_.make_collection({}, {.name = "d", .dimension = 2}).error().code(), ErrorCode::already_exists);
}

// Two servers over one store.
TEST_F(VectorsUnknown, AViewCatchesUpWithWhatAnotherWrote) {
  Vectors other(database_, {.threads = 1});
  ASSERT_TRUE(insert().ok());
  ASSERT_TRUE(other.open().ok());
  ASSERT_EQ(*other.insert({}, "c", {.values = values_}), 2);
  EXPECT_EQ(*insert(), 3);
  EXPECT_THAT(search(), testing::ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace strata::service
