#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "hnsw/index.h"
#include "hnsw/vectors_test.h"

namespace strata::hnsw {
namespace {

// The first value of a vector is its label, so that a reader can tell what it was given.
std::vector<float> vector_of(uint64_t label, ClusteredVectors& source) {
  std::vector<float> values = source.next();
  values[0] = static_cast<float>(label);
  return values;
}

TEST(Concurrent, WritersAndReadersDoNotDisturbOneAnother) {
  constexpr uint64_t labels_each = 120;
  constexpr uint64_t writers = 3;
  const auto index =
      Index::create({.dimension = 16, .metric = Metric::euclidean, .m = 6, .ef_construction = 30}).value();
  // Labels that stay: every exact search must show all of them.
  ClusteredVectors steady(16, 4, 3, 100);
  for (uint64_t label = 10'000; label < 10'050; ++label) {
    ASSERT_TRUE(index->insert(label, vector_of(label, steady)).ok());
  }
  std::atomic<uint64_t> running{writers};
  std::vector<std::thread> threads;
  std::vector<std::set<uint64_t>> left(writers);
  for (uint64_t writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&, writer] {
      ClusteredVectors source(16, 4, 3, writer);
      Random random(writer);
      for (int step = 0; step < 300; ++step) {
        const uint64_t label = writer * 1000 + random.below(labels_each);
        if (random.below(100) < 55) {
          EXPECT_TRUE(index->insert(label, vector_of(label, source)).ok());
          left[writer].insert(label);
        } else {
          EXPECT_EQ(index->remove(label), left[writer].erase(label) == 1);
        }
        if (step == 150) index->repair();
      }
      running.fetch_sub(1);
    });
  }
  for (uint64_t reader = 0; reader < 2; ++reader) {
    threads.emplace_back([&, reader] {
      ClusteredVectors source(16, 4, 3, 50 + reader);
      while (running.load() > 0) {
        const std::vector<float> query = source.next();
        const Index::Pin pin(*index);
        const auto found = index->search(query, 10, {.ef = 30, .plan = Plan::gated});
        EXPECT_TRUE(std::is_sorted(found->begin(), found->end()));
        std::set<uint64_t> once;
        for (const Match& match : *found) EXPECT_TRUE(once.insert(match.label).second);
        SlotSet steady_slots(index->slot_end());
        std::vector<uint64_t> labels;
        for (uint64_t label = 10'000; label < 10'050; ++label) labels.push_back(label);
        index->add_slots(labels, steady_slots);
        EXPECT_EQ(steady_slots.count(), 50u);
        EXPECT_EQ(index->search(query, 50, {.allowed = &steady_slots})->size(), 50u);
        steady_slots.for_each(
            [&](uint32_t slot) { EXPECT_EQ(index->row(slot)[0], static_cast<float>(*index->label_of(slot))); });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<uint64_t> expected;
  for (uint64_t label = 10'000; label < 10'050; ++label) expected.insert(label);
  for (const std::set<uint64_t>& some : left) expected.insert(some.begin(), some.end());
  std::set<uint64_t> seen;
  ClusteredVectors source(16, 4, 3, 77);
  const auto all = index->search(source.next(), 10'000, {});
  for (const Match& match : *all) seen.insert(match.label);
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(index->size(), expected.size());
}

}  // namespace
}  // namespace strata::hnsw
