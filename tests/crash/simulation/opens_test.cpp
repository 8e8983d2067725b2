// Opens that are cut short, again and again: the power goes at every call of an open, several times each, and what one
// of these cuts left is opened next and cut as well. An open recovers logs, makes a manifest that takes the place of
// another, and removes what the new one does not name; whoever looks at any moment must find what was answered before.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <set>

#include "crash/simulation/ledger.h"

namespace strata::crash {
namespace {

using Disk = std::shared_ptr<kv::SimulatedDisk>;

constexpr int most_cuts_of_a_call = 3;
constexpr int opens_in_a_row = 3;

class CutOpens {
 public:
  CutOpens(uint64_t seed, kv::Durability durability) : random_(seed), durability_(durability), ledger_(durability) {}

  Finding run() {
    if (Finding wrong = live()) return wrong;
    for (int open = 0; open < opens_in_a_row; ++open) {
      if (Finding wrong = cut_open()) return fmt::format("open {}: {}", open, *wrong);
      if (Finding wrong = check_cuts()) return fmt::format("open {}: {}", open, *wrong);
      disk_ = cuts_[random_.below(cuts_.size())];
    }
    return std::nullopt;
  }

  size_t cuts() const { return checked_; }

 private:
  // Some logs, tables and dead bytes, and then the power goes at some call.
  Finding live() {
    auto disk = std::make_shared<kv::SimulatedDisk>();
    const auto store = SimulatedStore::open(disk, durability_);
    if (!store.ok()) return std::string(store.error().message());
    const Result<void> adopted = ledger_.adopt((*store)->database());
    if (!adopted.ok()) return std::string(adopted.error().message());
    int64_t calls_left = 50 + static_cast<int64_t>(random_.below(800));
    const uint64_t seed = random_.next();
    std::atomic<bool> is_cut = false;
    disk->watch_changes([&, raw = disk.get()](int64_t) {
      if (--calls_left != 0) return;
      // What was answered comes first: the disk may only hold more.
      marks_ = ledger_.marks();
      disk_ = raw->cut_power(seed);
      is_cut = true;
    });
    Result<void> done;
    while (done.ok() && !is_cut) done = ledger_.step((*store)->database(), random_);
    disk->watch_changes(nullptr);
    return done.ok() ? Finding() : fmt::format("a step failed: {}", done.error().message());
  }

  // The engine's own threads have begun to flush and to compact before it returns.
  Finding cut_open() {
    cuts_.clear();
    std::set<uint64_t> seen;
    Random moments(random_.next());
    disk_->watch_changes([&](int64_t) {
      for (int i = 0; i < most_cuts_of_a_call; ++i) {
        Disk cut = disk_->cut_power(moments.next());
        if (seen.insert(cut->fingerprint()).second) cuts_.push_back(std::move(cut));
      }
    });
    const auto store = SimulatedStore::open(disk_, durability_);
    disk_->watch_changes(nullptr);
    if (!store.ok()) return fmt::format("cannot open: {}", store.error().message());
    return ledger_.check((*store)->database(), marks_.durable, marks_);
  }

  Finding check_cuts() {
    for (size_t cut = 0; cut < cuts_.size(); ++cut) {
      // A copy: the next open begins with what the cut left.
      const auto store = SimulatedStore::open(cuts_[cut]->killed(), durability_);
      if (!store.ok()) return fmt::format("cut {}: cannot open: {}", cut, store.error().message());
      if (const Finding wrong = ledger_.check((*store)->database(), marks_.durable, marks_)) {
        return fmt::format("cut {}: {}", cut, *wrong);
      }
      ++checked_;
    }
    return std::nullopt;
  }

  Random random_;
  const kv::Durability durability_;
  Ledger ledger_;
  Disk disk_;
  Marks marks_;  // when the power first went
  std::vector<Disk> cuts_;
  size_t checked_ = 0;
};

class Opens : public testing::TestWithParam<kv::Durability> {};

TEST_P(Opens, MayBeCutAtAnyCall) {
  size_t cuts = 0;
  const size_t seeds = times(2, 100);
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    CutOpens opens(seed, GetParam());
    const Finding finding = opens.run();
    EXPECT_EQ(finding, std::nullopt) << "seed " << seed << ": " << *finding;
    cuts += opens.cuts();
  }
  std::printf("%zu cuts of %zu opens\n", cuts, seeds * opens_in_a_row);
  EXPECT_GT(cuts, 50 * seeds);
}

INSTANTIATE_TEST_SUITE_P(Durability, Opens, testing::Values(kv::Durability::sync, kv::Durability::async),
                         [](const auto& info) { return info.param == kv::Durability::sync ? "sync" : "async"; });

}  // namespace
}  // namespace strata::crash
