#include "hnsw/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "hnsw/distance.h"
#include "hnsw/kernels.h"
#include "hnsw/vectors_test.h"

namespace strata::hnsw {
namespace {

using Vectors = std::map<uint64_t, std::vector<float>>;

std::unique_ptr<Index> make(const Options& options) {
  Result<std::unique_ptr<Index>> index = Index::create(options);
  EXPECT_TRUE(index.ok());
  return std::move(index).value();
}

// By the definition of the metric, in float64.
double reference_score(Metric metric, const std::vector<float>& a, const std::vector<float>& b) {
  double dot = 0, aa = 0, bb = 0, l1 = 0, l2 = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
    l1 += std::fabs(double{a[i]} - b[i]);
    l2 += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  }
  switch (metric) {
    case Metric::cosine:
      return aa == 0 || bb == 0 ? 1 : 1 - dot / std::sqrt(aa) / std::sqrt(bb);
    case Metric::euclidean:
      return std::sqrt(l2);
    case Metric::dot_product:
      return -dot;
    default:
      return l1;
  }
}

std::vector<Match> brute_force(const Vectors& vectors, Metric metric, const std::vector<float>& query, size_t k,
                               const std::set<uint64_t>* allowed = nullptr) {
  std::vector<Match> matches;
  for (const auto& [label, values] : vectors) {
    if (allowed != nullptr && !allowed->contains(label)) continue;
    matches.push_back({label, score(metric, query.data(), values.data(), query.size())});
  }
  std::sort(matches.begin(), matches.end());
  if (matches.size() > k) matches.resize(k);
  return matches;
}

double recall(const std::vector<Match>& found, const std::vector<Match>& right) {
  if (right.empty()) return 1;
  size_t hits = 0;
  for (const Match& match : right) hits += std::find(found.begin(), found.end(), match) != found.end();
  return static_cast<double>(hits) / static_cast<double>(right.size());
}

SlotSet slots_of(const Index& index, const std::set<uint64_t>& labels) {
  SlotSet slots(index.slot_end());
  const std::vector<uint64_t> list(labels.begin(), labels.end());
  index.add_slots(list, slots);
  return slots;
}

class EveryMetric : public testing::TestWithParam<std::tuple<Metric, Quantization>> {
 protected:
  Options options(uint32_t dimension) const {
    return {.dimension = dimension,
            .metric = std::get<0>(GetParam()),
            .quantization = std::get<1>(GetParam()),
            .m = 8,
            .ef_construction = 60};
  }
};

INSTANTIATE_TEST_SUITE_P(Metrics, EveryMetric,
                         testing::Combine(testing::Values(Metric::cosine, Metric::euclidean, Metric::dot_product,
                                                          Metric::manhattan),
                                          testing::Values(Quantization::none, Quantization::int8)));

TEST_P(EveryMetric, ScoresAreThoseOfTheDefinition) {
  for (const size_t dimension : {1, 3, 16, 37, 128, 200}) {
    ClusteredVectors source(dimension, 3, 4, dimension);
    const Metric metric = std::get<0>(GetParam());
    for (int i = 0; i < 20; ++i) {
      const std::vector<float> a = source.next();
      const std::vector<float> b = source.next();
      const double right = reference_score(metric, a, b);
      EXPECT_NEAR(score(metric, a.data(), b.data(), dimension), right, 1e-4 * (1 + std::fabs(right)));
    }
  }
}

// What searches leave unread rests on it.
TEST(Codes, HowFarTheyAreIsNeverMoreThanIsSaid) {
  Random random(5);
  for (const size_t dimension : {1, 7, 16, 100, 768}) {
    for (const float size : {1e-35f, 1e-20f, 1e-8f, 1.0f, 1e15f, 1e30f}) {
      std::vector<float> values(dimension);
      for (float& value : values) value = size * static_cast<float>(random.fraction() * 2 - 1);
      const std::vector<float> center(dimension);
      std::vector<int8_t> codes(dimension);
      const Encoded encoded = encode(values.data(), center.data(), 1, dimension, codes.data());
      const float said = encoded.error;
      double squares = 0;
      for (size_t i = 0; i < dimension; ++i) {
        const double error = double{values[i]} - double{encoded.scale} * codes[i];
        squares += error * error;
      }
      const double error = std::sqrt(squares);
      EXPECT_GE(said, error) << dimension << " " << size;
      const double allowance = 1e-3 * encoded.scale * std::sqrt(static_cast<double>(dimension));
      if (size > 1e-10f && size < 1e20f) EXPECT_LE(said, 1.01 * error + allowance) << dimension << " " << size;
    }
  }
}

// Inserts, updates and removes at random; searches with ef above the number of vectors are exact, the others nearly so.
TEST_P(EveryMetric, FollowsAModel) {
  const Options made_with = options(20);
  const auto index = make(made_with);
  ClusteredVectors source(20, 8, 6, 7);
  Random random(11);
  Vectors model;
  double sum = 0;
  int searches = 0;
  for (int step = 0; step < 1200; ++step) {
    const uint64_t label = random.below(300);
    if (random.below(100) < 60) {
      const std::vector<float> values = source.next();
      ASSERT_TRUE(index->insert(label, values).ok());
      model[label] = values;
    } else {
      EXPECT_EQ(index->remove(label), model.erase(label) == 1);
    }
    ASSERT_EQ(index->size(), model.size());
    if (step % 12 != 0) continue;
    const std::vector<float> query = source.next();
    const std::vector<Match> right = brute_force(model, made_with.metric, query, 10);
    const auto exact = index->exact_search(query, 10);
    ASSERT_TRUE(exact.ok());
    EXPECT_EQ(*exact, right);
    EXPECT_EQ(index->search(query, 10, {.ef = 1000}).value(), right);
    const auto found = index->search(query, 10, {.ef = 60, .plan = Plan::gated});
    EXPECT_TRUE(std::is_sorted(found->begin(), found->end()));
    sum += recall(*found, right);
    ++searches;
  }
  // The largest dot products belong to few vectors that a graph of nearest ones does not lead to as well.
  EXPECT_GT(sum / searches, made_with.metric == Metric::dot_product ? 0.9 : 0.97);
  for (const auto& [label, values] : model) {
    const std::optional<uint32_t> slot = index->slot_of(label);
    ASSERT_TRUE(slot);
    EXPECT_EQ(index->label_of(*slot), label);
    EXPECT_THAT(index->row(*slot), testing::ElementsAreArray(values));
  }
  // Removed slots are used again: never twice as many as there were vectors at once.
  EXPECT_LT(index->slot_end(), 600u);
}

TEST_P(EveryMetric, FiltersAreCompleteAtEverySelectivity) {
  const Options made_with = options(16);
  const auto index = make(made_with);
  ClusteredVectors source(16, 10, 5, 3);
  Vectors model;
  for (uint64_t label = 0; label < 1000; ++label) {
    model[label] = source.next();
    ASSERT_TRUE(index->insert(label, model[label]).ok());
  }
  Random random(5);
  for (const uint64_t one_in : {1, 2, 10, 100}) {
    std::set<uint64_t> allowed;
    for (uint64_t label = 0; label < 1000; ++label) {
      if (random.one_in(one_in)) allowed.insert(label);
    }
    const SlotSet slots = slots_of(*index, allowed);
    ASSERT_EQ(slots.count(), allowed.size());
    for (const Plan plan : {Plan::automatic, Plan::scan, Plan::gated}) {
      double sum = 0;
      for (int i = 0; i < 15; ++i) {
        const std::vector<float> query = source.next();
        const std::vector<Match> right = brute_force(model, made_with.metric, query, 10, &allowed);
        const auto found = index->search(query, 10, {.ef = 80, .allowed = &slots, .plan = plan});
        ASSERT_TRUE(found.ok());
        ASSERT_EQ(found->size(), right.size());
        if (plan == Plan::scan) EXPECT_EQ(*found, right);
        sum += recall(*found, right);
      }
      EXPECT_GT(sum / 15, made_with.metric == Metric::dot_product && plan != Plan::automatic ? 0.8 : 0.95)
          << "one in " << one_in << ", plan " << static_cast<int>(plan);
    }
  }
}

TEST(Index, ScansEndWhenTheyAreTold) {
  for (const Metric metric : {Metric::euclidean, Metric::manhattan}) {
    const auto index = make({.dimension = 1, .metric = metric, .m = 2, .ef_construction = 1});
    const size_t count = 40'000;
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i);
    const auto row = [&](uint64_t place) { return BuildRow{.label = place, .values = {&values[place], 1}}; };
    ASSERT_TRUE(index->build({.count = count, .row = row}, {.threads = 2}).ok());
    SlotSet even(index->slot_end());
    for (uint32_t slot = 0; slot < even.end(); slot += 2) even.insert(slot);
    int asked = 0;
    const StopCheck second_time = [&] { return ++asked == 2; };
    const StopCheck never = [] { return false; };
    const std::vector<float> query = {7'000.25F};
    EXPECT_EQ(index->exact_search(query, 1, nullptr, &second_time).error().code(), ErrorCode::operation_cancelled);
    EXPECT_EQ(asked, 2);
    asked = 1;
    EXPECT_EQ(index->search(query, 1, {.allowed = &even, .plan = Plan::scan, .stopped = &second_time}).error().code(),
              ErrorCode::operation_cancelled);
    EXPECT_EQ(index->exact_search(query, 1, nullptr, &never)->front(), (Match{7'000, 0.25F}));
    // A scan of half of them costs half of a scan of all; the shortest walks cost less.
    const uint64_t all = index->expected_bytes(query, count, {});
    EXPECT_EQ(index->expected_bytes(query, count, {.allowed = &even}), all / 2);
    EXPECT_LT(index->expected_bytes(query, 1, {}), all / 2);
  }
}

TEST(Index, RefusesWhatIsOutOfBounds) {
  EXPECT_EQ(Index::create({.dimension = 0}).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(Index::create({.dimension = 65'537}).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(Index::create({.dimension = 2, .m = 1}).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(Index::create({.dimension = 2, .m = 513}).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(Index::create({.dimension = 2, .ef_construction = 0}).error().code(), ErrorCode::invalid_argument);
  const auto index = make({.dimension = 2});
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(index->insert(1, std::vector<float>{1}).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(index->insert(1, std::vector<float>{1, nan}).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(index->search(std::vector<float>{infinity, 1}, 1, {}).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(index->size(), 0u);
  EXPECT_TRUE(index->search(std::vector<float>{0, 1}, 5, {})->empty());
  EXPECT_FALSE(index->remove(1));
}

TEST(Index, TiesGoByLabel) {
  const auto index = make({.dimension = 3, .metric = Metric::euclidean});
  for (const uint64_t label : {9, 3, 7, 1, 5}) ASSERT_TRUE(index->insert(label, std::vector<float>{1, 2, 3}).ok());
  EXPECT_THAT(index->search(std::vector<float>{1, 2, 3}, 3, {}).value(),
              testing::ElementsAre(Match{1, 0}, Match{3, 0}, Match{5, 0}));
}

TEST(Index, VectorsWithoutDirectionAreAtDistanceOne) {
  const auto index = make({.dimension = 2, .metric = Metric::cosine});
  ASSERT_TRUE(index->insert(1, std::vector<float>{0, 0}).ok());
  ASSERT_TRUE(index->insert(2, std::vector<float>{1, 0}).ok());
  ASSERT_TRUE(index->insert(3, std::vector<float>{-1, 0}).ok());
  EXPECT_THAT(index->search(std::vector<float>{2, 0}, 3, {}).value(),
              testing::ElementsAre(Match{2, 0}, Match{1, 1}, Match{3, 2}));
  EXPECT_THAT(index->search(std::vector<float>{0, 0}, 2, {.ef = 2}).value(),
              testing::ElementsAre(Match{1, 1}, Match{2, 1}));
}

TEST(Index, ValuesAtTheEndsOfTheRangeAreScoredRight) {
  const auto index = make({.dimension = 2, .metric = Metric::euclidean});
  ASSERT_TRUE(index->insert(1, std::vector<float>{3e37f, 4e37f}).ok());
  ASSERT_TRUE(index->insert(2, std::vector<float>{-3e38f, 3e38f}).ok());
  ASSERT_TRUE(index->insert(3, std::vector<float>{1e-30f, 0}).ok());
  const auto found = index->search(std::vector<float>{0, 0}, 3, {});
  ASSERT_EQ(found->size(), 3u);
  EXPECT_EQ((*found)[0], (Match{3, 1e-30f}));
  EXPECT_EQ((*found)[1].label, 1u);
  EXPECT_NEAR((*found)[1].score / 5e37f, 1, 1e-5);
  EXPECT_EQ((*found)[2].label, 2u);
}

TEST(Index, EverythingCanGoAndComeAgain) {
  const auto index = make({.dimension = 8, .metric = Metric::euclidean, .m = 4, .ef_construction = 20});
  ClusteredVectors source(8, 4, 3, 1);
  for (int round = 0; round < 3; ++round) {
    Vectors model;
    for (uint64_t label = 0; label < 150; ++label) {
      model[label] = source.next();
      ASSERT_TRUE(index->insert(label, model[label]).ok());
    }
    const std::vector<float> query = source.next();
    EXPECT_GT(recall(index->search(query, 10, {.ef = 100, .plan = Plan::gated}).value(),
                     brute_force(model, Metric::euclidean, query, 10)),
              0.8);
    for (uint64_t label = 0; label < 150; ++label) {
      ASSERT_TRUE(index->remove(label));
      ASSERT_EQ(index->search(query, 500, {}).value().size(), 149 - label);
    }
    index->repair();
  }
  EXPECT_EQ(index->size(), 0u);
  EXPECT_LT(index->slot_end(), 400u);
}

TEST(Index, WhoIsPinnedKeepsItsSlot) {
  const auto index = make({.dimension = 2, .metric = Metric::euclidean});
  for (uint64_t label = 0; label < 100; ++label) {
    ASSERT_TRUE(index->insert(label, std::vector<float>{static_cast<float>(label), 0}).ok());
  }
  {
    const Index::Pin pin(*index);
    const std::optional<uint32_t> slot = index->slot_of(7);
    ASSERT_TRUE(slot);
    ASSERT_TRUE(index->remove(7));
    EXPECT_EQ(index->label_of(*slot), std::nullopt);
    index->repair();
    ASSERT_TRUE(index->insert(200, std::vector<float>{200, 0}).ok());
    EXPECT_NE(index->slot_of(200), slot);
    EXPECT_EQ(index->row(*slot)[0], 7.0f);
  }
  index->repair();
  ASSERT_TRUE(index->insert(201, std::vector<float>{201, 0}).ok());
  EXPECT_LT(*index->slot_of(201), 100u);
}

TEST(Index, ScanTellsAllWithinALimit) {
  const auto index = make({.dimension = 2, .metric = Metric::euclidean});
  for (uint64_t label = 0; label < 1000; ++label) {
    ASSERT_TRUE(index->insert(label, std::vector<float>{static_cast<float>(label), 0}).ok());
  }
  index->remove(3);
  std::vector<Match> found;
  for (uint32_t first = 0; first < index->slot_end(); first += 300) {
    ASSERT_TRUE(index->scan(std::vector<float>{0, 0}, first, first + 300, 5, found).ok());
  }
  EXPECT_THAT(found, testing::UnorderedElementsAre(Match{0, 0}, Match{1, 1}, Match{2, 2}, Match{4, 4}, Match{5, 5}));
}

TEST(Index, BuildsWithSeveralThreadsAndCanBeStopped) {
  const auto index = make({.dimension = 12, .metric = Metric::cosine, .m = 8, .ef_construction = 60});
  ClusteredVectors source(12, 6, 4, 2);
  Vectors model;
  for (uint64_t label = 1; label <= 600; ++label) model[label] = source.next();
  std::atomic<uint64_t> progress{0};
  const BuildSource rows{.count = 600, .row = [&](uint64_t place) { return BuildRow{place + 1, model[place + 1]}; }};
  const auto report = index->build(rows, {.threads = 3, .inserted = &progress});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->inserted, 600u);
  EXPECT_EQ(progress.load(), 600u);
  double sum = 0;
  for (int i = 0; i < 50; ++i) {
    const std::vector<float> query = source.next();
    sum += recall(index->search(query, 10, {.ef = 80, .plan = Plan::gated}).value(),
                  brute_force(model, Metric::cosine, query, 10));
  }
  EXPECT_GT(sum / 50, 0.97);

  const std::atomic<bool> cancelled{true};
  const auto stopped = index->build(rows, {.threads = 2, .cancelled = &cancelled});
  ASSERT_TRUE(stopped.ok());
  EXPECT_TRUE(stopped->cancelled);
  EXPECT_EQ(stopped->inserted, 0u);
  const BuildSource wrong{.count = 5, .row = [&](uint64_t) { return BuildRow{1, {}}; }};
  EXPECT_EQ(index->build(wrong, {.threads = 2}).error().code(), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace strata::hnsw
