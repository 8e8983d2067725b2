#include "engine/rocksdb/sync_spinner.h"

#include <gtest/gtest.h>

namespace strata::kv {
namespace {

// Plays `syncs` syncs that take `without_us` without spinning and `with_us` with it; how many were spun for.
int play(SpinPolicy& policy, int syncs, int64_t without_us, int64_t with_us) {
  int spun = 0;
  for (int i = 0; i < syncs; ++i) {
    const bool spin = policy.should_spin();
    spun += spin ? 1 : 0;
    policy.took(spin ? with_us : without_us);
  }
  return spun;
}

TEST(SpinPolicy, NeverSpinsWhereSyncsAreFast) {
  SpinPolicy policy;
  EXPECT_EQ(play(policy, 10'000, 200, 50), 0);
}

TEST(SpinPolicy, SpinsWhereItHelpsAndLooksNowAndThen) {
  SpinPolicy policy;
  const int spun = play(policy, 10'000, 4'000, 150);
  EXPECT_GT(spun, 9'900);
  EXPECT_LT(spun, 10'000);
}

TEST(SpinPolicy, GivesUpWhereTheDiskIsSlow) {
  SpinPolicy policy;
  EXPECT_LT(play(policy, 10'000, 8'000, 8'000), 100);
}

TEST(SpinPolicy, FollowsAChange) {
  SpinPolicy policy;
  EXPECT_GT(play(policy, 1'000, 4'000, 150), 950);
  EXPECT_LT(play(policy, 1'000, 150, 150), 300);
  EXPECT_GT(play(policy, 1'000, 4'000, 150), 950);
}

TEST(SyncSpinner, StartsAndStops) {
  SyncSpinner spinner;
  for (int i = 0; i < 100; ++i) {
    spinner.begin();
    spinner.end(i % 2 == 0 ? 5'000 : 100);
  }
}

}  // namespace
}  // namespace strata::kv
