// Every call of the file system fails once, each n-th of every kind, with EIO and with ENOSPC: while a store is made,
// opened, written, closed. With STRATA_TEST_LONG: each and every n.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <thread>

#include "crash/simulation/ledger.h"

namespace strata::crash {
namespace {

using kv::DiskCall;
using kv::DiskFault;
using kv::SimulatedDisk;

constexpr int steps = 40;

struct Outcome {
  bool fired = false;
  bool opened = false;
  bool stopped = false;
  Finding wrong;
};

class FailingCalls : public testing::TestWithParam<kv::Durability> {
 protected:
  // A store of many files, from a life that ended in a crash: what opens it has logs to recover.
  void SetUp() override {
    used_ = std::make_shared<SimulatedDisk>();
    auto store = SimulatedStore::open(used_, GetParam());
    ASSERT_TRUE(store.ok());
    Ledger ledger(GetParam());
    Random random(7);
    ASSERT_TRUE(ledger.adopt((*store)->database()).ok());
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(ledger.step((*store)->database(), random).ok());
    ASSERT_TRUE((*store)->engine().sync().ok());
    used_ = used_->killed();
  }

  // What this disk gives when the fault strikes, whatever it strikes.
  Outcome run(const std::shared_ptr<SimulatedDisk>& disk, const DiskFault& fault) {
    Outcome outcome;
    Ledger ledger(GetParam());
    {
      auto before = SimulatedStore::open(disk->killed(), GetParam());
      if (!before.ok() || !ledger.adopt((*before)->database()).ok()) {
        outcome.wrong = "cannot begin";
        return outcome;
      }
    }
    disk->fail(fault);
    auto store = SimulatedStore::open(disk, GetParam());
    outcome.opened = store.ok();
    if (!store.ok()) {
      outcome.wrong = check_error(store.error(), *disk);
    } else {
      outcome.wrong = write(**store, ledger, *disk, fault);
      outcome.stopped = !(*store)->engine().health().ok();
    }
    outcome.fired = disk->failures() > 0;
    // At once, and after it was ended in peace.
    const Marks marks = ledger.marks();
    Random random(static_cast<uint64_t>(fault.nth));
    const auto killed = disk->killed();
    const auto cut = disk->cut_power(random.next());
    if (store.ok()) store->reset();
    const auto ended = disk->cut_power(random.next());
    // Ending syncs, and may have failed at that.
    const bool synced_at_end = disk->failures() == 0;
    if (!outcome.wrong) outcome.wrong = check(killed, ledger, marks.answered, marks, "killed");
    if (!outcome.wrong) outcome.wrong = check(cut, ledger, marks.durable, marks, "power cut");
    const uint64_t at_end = synced_at_end ? marks.answered : marks.durable;
    if (!outcome.wrong) outcome.wrong = check(ended, ledger, at_end, marks, "power cut after its end");
    return outcome;
  }

  struct Series {
    DiskCall call;
    bool used;
    bool no_space;
    // Of many calls that are alike, some are drawn: one in so many.
    int64_t stride;
  };
  // Every n until there is no n-th call. Series run beside each other: RocksDB sleeps a second after each flush that
  // failed.
  void fail_every(const Series& series) {
    Random random(static_cast<uint64_t>(series.call) + 1);
    for (int64_t nth = 1; findings_ < 10; ++nth) {
      if (series.stride > 1) nth += static_cast<int64_t>(random.below(static_cast<uint64_t>(2 * series.stride - 1)));
      const DiskFault fault{series.call, nth, {}, series.no_space, 1};
      const Outcome outcome = run(series.used ? used_->killed() : std::make_shared<SimulatedDisk>(), fault);
      if (outcome.wrong) {
        ++findings_;
        ADD_FAILURE() << fmt::format("{} {} {} on a {} store: {}", name_of(series.call), nth,
                                     series.no_space ? "ENOSPC" : "EIO", series.used ? "used" : "new", *outcome.wrong);
      }
      if (!outcome.fired) return;
      ++failed_[static_cast<size_t>(series.call)];
      refused_ += outcome.opened ? 0 : 1;
      stopped_ += outcome.stopped ? 1 : 0;
    }
  }

  std::array<std::atomic<size_t>, kv::disk_call_kinds> failed_ = {};
  std::atomic<size_t> refused_ = 0;
  std::atomic<size_t> stopped_ = 0;

 private:
  static Finding check_error(const Error& error, const SimulatedDisk& disk) {
    const ErrorCode code = error.code();
    const bool known = code == ErrorCode::io_error || code == ErrorCode::disk_full || code == ErrorCode::corruption ||
                       code == ErrorCode::commit_unknown_result;
    if (!known) return fmt::format("answered {}: {}", error_name(code), error.message());
    if (disk.failures() == 0) return fmt::format("failed though nothing did: {}", error.message());
    // RocksDB opens CURRENT twice, and makes this of a failure of the first time alone.
    if (error.message().find("Direct I/O is not supported") != std::string_view::npos) return std::nullopt;
    // Who reads it must learn which call failed.
    if (error.message().find("injected failure") == std::string_view::npos) {
      return fmt::format("does not name its cause: {}", error.message());
    }
    return std::nullopt;
  }

  Finding write(const SimulatedStore& store, Ledger& ledger, SimulatedDisk& disk, const DiskFault& fault) {
    Random random(5);
    Result<void> done;
    for (int i = 0; i < steps && done.ok(); ++i) done = ledger.step(store.database(), random);
    if (!done.ok()) {
      if (Finding wrong = check_error(done.error(), disk)) return wrong;
    }
    const bool log_sync = disk.failures() > 0 && fault.call == DiskCall::sync && disk.failed_name().ends_with(".log");
    const bool healthy = store.engine().health().ok();
    if (log_sync && healthy) return "goes on after a sync of its log failed";
    if (healthy) return std::nullopt;
    // For good: the disk works again, and nothing is written.
    const std::string why(store.engine().health().error().message());
    if (why.find("opened again") == std::string::npos) return "does not say what to do: " + why;
    disk.heal();
    for (int i = 0; i < 3; ++i) {
      kv::Transaction transaction = store.database().create_transaction();
      transaction.set("later", "");
      if (transaction.commit().get().ok()) return "writes again after a failure";
    }
    // Reads go on.
    const Marks marks = ledger.marks();
    if (Finding wrong = ledger.check(store.database(), marks.answered, marks)) return "stopped: " + *wrong;
    return std::nullopt;
  }

  Finding check(const std::shared_ptr<SimulatedDisk>& disk, Ledger& ledger, uint64_t at_least, const Marks& marks,
                const char* when) {
    auto store = SimulatedStore::open(disk, GetParam());
    if (!store.ok()) return fmt::format("{}: cannot open: {}", when, store.error().message());
    if (const Finding wrong = ledger.check((*store)->database(), at_least, marks)) {
      return fmt::format("{}: {}", when, *wrong);
    }
    Random random(3);
    kv::Transaction transaction = (*store)->database().create_transaction();
    transaction.set("later", "");
    if (const Result<void> written = transaction.commit().get(); !written.ok()) {
      return fmt::format("{}: cannot write: {}", when, written.error().message());
    }
    return std::nullopt;
  }

  std::shared_ptr<SimulatedDisk> used_;
  std::atomic<int> findings_ = 0;
};

TEST_P(FailingCalls, LeaveWhatWasAnsweredAndNameTheirCause) {
  // Of calls that take space: ENOSPC as well.
  const std::map<DiskCall, int64_t> strides = {{DiskCall::open, 4}, {DiskCall::read, 8},  {DiskCall::append, 8},
                                               {DiskCall::sync, 4}, {DiskCall::close, 2}, {DiskCall::sync_directory, 2},
                                               {DiskCall::list, 4}, {DiskCall::create, 2}};
  const std::set<DiskCall> take_space = {DiskCall::create,        DiskCall::append, DiskCall::sync,
                                         DiskCall::close,         DiskCall::rename, DiskCall::sync_directory,
                                         DiskCall::make_directory};
  rocksdb::Env::Default()->SetBackgroundThreads(32, rocksdb::Env::Priority::HIGH);
  rocksdb::Env::Default()->SetBackgroundThreads(32, rocksdb::Env::Priority::LOW);
  std::vector<std::thread> threads;
  for (size_t kind = 0; kind < kv::disk_call_kinds; ++kind) {
    const auto call = static_cast<DiskCall>(kind);
    const int64_t stride = strides.contains(call) ? static_cast<int64_t>(times(strides.at(call), 1)) : 1;
    for (const bool used : {false, true}) {
      for (const bool no_space : {false, true}) {
        if (no_space && !take_space.contains(call)) continue;
        threads.emplace_back([this, series = Series{call, used, no_space, stride}] { fail_every(series); });
      }
    }
  }
  for (std::thread& thread : threads) thread.join();
  size_t all = 0;
  for (size_t kind = 0; kind < kv::disk_call_kinds; ++kind) {
    std::printf("%s %zu, ", std::string(name_of(static_cast<DiskCall>(kind))).c_str(), failed_[kind].load());
    EXPECT_GT(failed_[kind], 0u);
    all += failed_[kind];
  }
  std::printf("%zu calls failed: %zu stores did not open, %zu stopped writing, %zu went on\n", all, refused_.load(),
              stopped_.load(), all - refused_ - stopped_);
  EXPECT_GT(refused_, 0u);
  EXPECT_GT(stopped_, 0u);
}

INSTANTIATE_TEST_SUITE_P(Durability, FailingCalls, testing::Values(kv::Durability::sync, kv::Durability::async),
                         [](const auto& info) { return info.param == kv::Durability::sync ? "sync" : "async"; });

}  // namespace
}  // namespace strata::crash
