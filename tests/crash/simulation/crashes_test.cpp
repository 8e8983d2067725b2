// Power cuts and kills at any call of the file system. With STRATA_TEST_LONG: thousands.
#include <gtest/gtest.h>

#include <cstdio>

#include "crash/simulation/ledger.h"
#include "crash/simulation/records_workload.h"
#include "crash/simulation/vectors_workload.h"

namespace strata::crash {
namespace {

void run(Workload& workload, const CrashOptions& options, const char* what) {
  CrashSuite suite(workload, options);
  const Finding finding = suite.run();
  const CrashCounts& counts = suite.counts();
  std::printf("%s: %zu power cuts, %zu kills in %zu lives, %zu of them while the store was opened\n", what,
              counts.power_cuts, counts.kills, counts.lives, counts.while_opening);
  EXPECT_EQ(finding, std::nullopt) << *finding;
}

class Crashes : public testing::TestWithParam<kv::Durability> {};

TEST_P(Crashes, LoseNothingThatWasAnsweredAndHalfOfNothing) {
  Ledger ledger(GetParam());
  CrashOptions options;
  options.durability = GetParam();
  options.seed = GetParam() == kv::Durability::sync ? 1 : 2;
  options.power_cuts = times(150, 2'500);
  options.kills = times(50, 1'000);
  run(ledger, options, GetParam() == kv::Durability::sync ? "sync" : "async");
}

INSTANTIATE_TEST_SUITE_P(Durability, Crashes, testing::Values(kv::Durability::sync, kv::Durability::async),
                         [](const auto& info) { return info.param == kv::Durability::sync ? "sync" : "async"; });

TEST(CrashesOfRecords, ObjectsAreWholeAndTheLogIsTheState) {
  RecordsWorkload records;
  CrashOptions options;
  options.seed = 3;
  options.power_cuts = times(40, 1'000);
  options.kills = times(20, 500);
  run(records, options, "records");
}

TEST(CrashesOfVectors, KeysLogAndSearchesAgree) {
  VectorsWorkload vectors;
  CrashOptions options;
  options.seed = 4;
  options.power_cuts = times(40, 1'000);
  options.kills = times(20, 500);
  run(vectors, options, "vectors");
}

}  // namespace
}  // namespace strata::crash
