// Histories over crashes: concurrent clients append to lists and cut a ring while syncs fail, the power goes and the
// store is opened again. All of them together must be serializable; a commit whose client was never told may be there
// or not. And three planted bugs, each of which must be found in the same way.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "crash/simulation/crash_suite.h"
#include "serializability/faulty_engine.h"
#include "serializability/history_checker.h"

namespace strata::crash {
namespace {

using kv::SimulatedDisk;
using serializability::Element;
using serializability::Fault;
using serializability::FinalLists;
using serializability::History;
using serializability::List;
using serializability::Operation;
using serializability::RecordedTransaction;
using Outcome = RecordedTransaction::Outcome;

constexpr uint32_t lists = 6;
constexpr uint64_t ring_nodes = 12;
constexpr size_t clients = 6;

Bytes list_key(uint32_t list) { return fmt::format("list/{}", list); }
Bytes node_key(uint64_t node) { return fmt::format("ring/{:02}", node); }

List decode(const std::optional<Bytes>& value) {
  List list;
  for (BytesView left = value ? BytesView(*value) : BytesView(); left.size() >= 4; left.remove_prefix(4)) {
    list.push_back(read_le32(left));
  }
  return list;
}

enum class Crash { power_cut, kill, failing_sync };

// One store over many lives, and all that its clients did and saw.
class Chronicle {
 public:
  Chronicle(uint64_t seed, Fault fault) : random_(seed), fault_(fault), disk_(std::make_shared<SimulatedDisk>()) {}

  Finding run(size_t lives) {
    if (Finding failed = set_up()) return failed;
    for (size_t life = 0; life < lives; ++life) {
      if (Finding failed = live(life)) return failed;
      if (Finding broken = check_ring()) return broken;
    }
    FinalLists final_lists;
    auto store = open();
    if (!store.ok()) return std::string(store.error().message());
    for (uint32_t list = 0; list < lists * (generation_ + 1); ++list) {
      const auto value =
          (*store)->database().read([&](const kv::ReadTransaction& reads) { return reads.get(list_key(list)).get(); });
      if (!value.ok()) return std::string(value.error().message());
      if (*value) final_lists[list] = decode(*value);
    }
    const auto anomaly = serializability::find_anomaly(history_, final_lists);
    if (!anomaly) return std::nullopt;
    return anomaly->name + ": " + anomaly->description;
  }

  size_t transactions() const { return history_.size(); }
  size_t unknown() const {
    return static_cast<size_t>(std::count_if(history_.begin(), history_.end(), [](const RecordedTransaction& each) {
      return each.outcome == Outcome::unknown;
    }));
  }

 private:
  Result<std::unique_ptr<SimulatedStore>> open() { return SimulatedStore::open(disk_); }

  Finding set_up() {
    auto store = open();
    if (!store.ok()) return std::string(store.error().message());
    const Result<void> done = (*store)->database().run([](kv::Transaction& transaction) -> Result<void> {
      for (uint64_t node = 0; node < ring_nodes; ++node) {
        transaction.set(node_key(node), std::to_string((node + 1) % ring_nodes));
      }
      return {};
    });
    return done.ok() ? Finding() : Finding(std::string(done.error().message()));
  }

  // Until the moment comes: then what is under way has no answer that anybody would hear.
  Finding live(size_t life) {
    auto store = open();
    if (!store.ok()) return fmt::format("life {}: cannot open: {}", life, store.error().message());
    const auto how = static_cast<Crash>(random_.below(3));
    std::shared_ptr<SimulatedDisk> after;
    std::mutex moment;
    crashed_ = false;
    const int64_t at_call = 40 + static_cast<int64_t>(random_.below(400));
    const uint64_t seed = random_.next();
    int64_t calls = 0;
    disk_->watch_changes([&, raw = disk_.get()](int64_t) {
      std::lock_guard lock(moment);
      if (++calls != at_call) return;
      if (how == Crash::failing_sync) {
        raw->fail({kv::DiskCall::sync, 1, ".log", false, 1});
        return;
      }
      // Nobody is answered from here on; who was answered before is in what is left.
      crashed_ = true;
      after = how == Crash::power_cut ? raw->cut_power(seed) : raw->killed();
    });
    const auto engine = std::make_shared<serializability::FaultyEngine>(
        std::shared_ptr<kv::Engine>(&(*store)->engine(), [](kv::Engine*) {}), fault_);
    kv::DatabaseOptions options;
    options.max_retry_delay_ms = 1;
    const kv::Database database(engine, options);
    std::vector<std::thread> threads;
    for (size_t client = 0; client < clients; ++client) {
      threads.emplace_back([&, client, client_seed = random_.next()] { work(database, client, client_seed); });
    }
    for (std::thread& thread : threads) thread.join();
    disk_->watch_changes(nullptr);
    if (!after) after = disk_->cut_power(seed);
    store->reset();
    disk_ = std::move(after);
    ++generation_;
    return std::nullopt;
  }

  void work(const kv::Database& database, size_t client, uint64_t seed) {
    Random random(seed);
    for (size_t left = 60; left > 0 && !crashed_; --left) {
      const bool goes_on = client == 0 ? turn_ring(database, random) : append_and_read(database, random);
      if (!goes_on) return;
    }
  }

  // False: the store is gone.
  bool append_and_read(const kv::Database& database, Random& random) {
    RecordedTransaction record{Outcome::failed, clock_++, 0, {}};
    kv::Transaction transaction = database.create_transaction();
    Result<void> done = operate(transaction, record, random);
    if (done.ok()) {
      done = transaction.commit().get();
      record.outcome = done.ok() ? Outcome::committed : Outcome::failed;
      if (!done.ok() && done.error().code() == ErrorCode::commit_unknown_result) record.outcome = Outcome::unknown;
    }
    const bool writes = std::any_of(record.operations.begin(), record.operations.end(),
                                    [](const Operation& each) { return each.kind == Operation::Kind::append; });
    // Its answer came after the crash: it never came. What it read, it may have read from a store that is no more.
    if (crashed_ && record.outcome != Outcome::failed) record.outcome = writes ? Outcome::unknown : Outcome::failed;
    record.ended = record.outcome == Outcome::unknown ? UINT64_MAX : clock_++;
    {
      std::lock_guard lock(mutex_);
      history_.push_back(std::move(record));
    }
    if (done.ok()) return true;
    return done.error().code() == ErrorCode::not_committed || done.error().code() == ErrorCode::transaction_too_old;
  }

  Result<void> operate(kv::Transaction& transaction, RecordedTransaction& record, Random& random) {
    for (uint64_t left = 1 + random.below(3); left > 0; --left) {
      // Short lists: the history of a life stays small. The last life's are read and appended to as well.
      const uint32_t generation = generation_ > 0 && random.one_in(4) ? generation_ - 1 : generation_;
      const auto list = static_cast<uint32_t>(generation * lists + random.below(lists));
      const uint64_t draw = random.below(10);
      if (draw < 7) {
        ASSIGN_OR_RETURN(const std::optional<Bytes> value, transaction.get(list_key(list)).get());
        record.operations.push_back({Operation::Kind::read, list, 0, decode(value)});
        if (draw < 4) continue;
        RETURN_IF_ERROR(append(transaction, record, list, value.value_or(Bytes())));
      } else {
        RETURN_IF_ERROR(append(transaction, record, list, std::nullopt));
      }
      if (random.one_in(3)) std::this_thread::yield();
    }
    return {};
  }

  Result<void> append(kv::Transaction& transaction, RecordedTransaction& record, uint32_t list,
                      const std::optional<Bytes>& to) {
    const Element element = next_element_++;
    Bytes bytes;
    append_le32(bytes, element);
    if (to) {
      transaction.set(list_key(list), *to + bytes);
    } else {
      transaction.mutate(kv::MutationType::append_if_fits, list_key(list), bytes);
    }
    record.operations.push_back({Operation::Kind::append, list, element, {}});
    return {};
  }

  static Result<uint64_t> next_of(const kv::ReadTransaction& reads, uint64_t node) {
    ASSIGN_OR_RETURN(const std::optional<Bytes> value, reads.get(node_key(node)).get());
    if (!value) return Error(ErrorCode::corruption, fmt::format("node {} is gone", node));
    return std::stoull(*value);
  }

  // Cuts the ring and joins it in another order: one ring always, whichever attempts took effect.
  bool turn_ring(const kv::Database& database, Random& random) {
    kv::Transaction transaction = database.create_transaction();
    const uint64_t a = random.below(ring_nodes);
    const Result<void> done = [&]() -> Result<void> {
      ASSIGN_OR_RETURN(const uint64_t b, next_of(transaction, a));
      ASSIGN_OR_RETURN(const uint64_t c, next_of(transaction, b));
      ASSIGN_OR_RETURN(const uint64_t d, next_of(transaction, c));
      transaction.set(node_key(a), std::to_string(c));
      transaction.set(node_key(c), std::to_string(b));
      transaction.set(node_key(b), std::to_string(d));
      return transaction.commit().get();
    }();
    return done.ok() || done.error().code() == ErrorCode::not_committed;
  }

  Finding check_ring() {
    auto store = SimulatedStore::open(disk_->killed());
    if (!store.ok()) return std::string(store.error().message());
    const auto steps = (*store)->database().read([](const kv::ReadTransaction& reads) -> Result<uint64_t> {
      uint64_t at = 0;
      uint64_t steps = 0;
      do {
        ASSIGN_OR_RETURN(at, next_of(reads, at));
        ++steps;
      } while (at != 0 && steps <= ring_nodes);
      return steps;
    });
    if (!steps.ok()) return std::string(steps.error().message());
    if (*steps != ring_nodes) return fmt::format("a ring of {} instead of {}", *steps, ring_nodes);
    return std::nullopt;
  }

  Random random_;
  const Fault fault_;
  std::shared_ptr<SimulatedDisk> disk_;
  uint32_t generation_ = 0;
  std::atomic<bool> crashed_ = false;
  std::atomic<uint64_t> clock_ = 1;
  std::atomic<Element> next_element_ = 1;
  std::mutex mutex_;
  History history_;
};

TEST(Histories, AreSerializableOverCrashes) {
  size_t transactions = 0, unknown = 0, lives = 0;
  for (uint64_t seed = 1; seed <= times(6, 300); ++seed) {
    Chronicle chronicle(seed, Fault::none);
    const Finding finding = chronicle.run(8);
    EXPECT_EQ(finding, std::nullopt) << "seed " << seed << ": " << *finding;
    transactions += chronicle.transactions();
    unknown += chronicle.unknown();
    lives += 8;
  }
  std::printf("%zu transactions in %zu lives, %zu of them with an unknown end\n", transactions, lives, unknown);
  EXPECT_GT(unknown, 0u);
}

class PlantedBugs : public testing::TestWithParam<Fault> {};

TEST_P(PlantedBugs, AreFound) {
  int found = 0;
  const int tries = 4;
  for (uint64_t seed = 1; seed <= tries; ++seed) found += Chronicle(seed, GetParam()).run(6) ? 1 : 0;
  EXPECT_GE(found, tries - 1);
}

INSTANTIATE_TEST_SUITE_P(Faults, PlantedBugs,
                         testing::Values(Fault::loses_a_write, Fault::stale_reads, Fault::drops_read_conflicts),
                         [](const auto& info) {
                           return info.param == Fault::loses_a_write ? "a_lost_write"
                                  : info.param == Fault::stale_reads ? "a_stale_read"
                                                                     : "a_broken_conflict_range";
                         });

}  // namespace
}  // namespace strata::crash
