// Whatever the magnitudes of vectors are, from the least float to the largest: scores are those of long double, and
// scans by codes lose nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "hnsw/distance.h"
#include "hnsw/index.h"

namespace strata::hnsw {
namespace {

constexpr float greatest = std::numeric_limits<float>::max();
constexpr float least = std::numeric_limits<float>::denorm_min();

long double exact_score(Metric metric, const std::vector<float>& a, const std::vector<float>& b) {
  long double dot = 0, aa = 0, bb = 0, l2 = 0, l1 = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const long double x = a[i], y = b[i];
    dot += x * y;
    aa += x * x;
    bb += y * y;
    l2 += (x - y) * (x - y);
    l1 += std::fabs(x - y);
  }
  switch (metric) {
    case Metric::cosine:
      return aa == 0 || bb == 0 ? 1 : 1 - dot / (std::sqrt(aa) * std::sqrt(bb));
    case Metric::euclidean:
      return std::sqrt(l2);
    case Metric::dot_product:
      return -dot;
    default:
      return l1;
  }
}

// What a sum of float32 may be off by.
long double tolerance(Metric metric, const std::vector<float>& a, const std::vector<float>& b, long double exact) {
  if (metric == Metric::cosine) return 3e-6L;
  long double size = std::fabs(exact);
  if (metric == Metric::dot_product) {
    for (size_t i = 0; i < a.size(); ++i) size += std::fabs(static_cast<long double>(a[i]) * b[i]);
  }
  return 3e-6L * size + static_cast<long double>(a.size()) * least;
}

// A length from 2^low to 2^high, and parts of it that may be far smaller.
struct Range {
  double low;
  double high;
};
constexpr Range ranges[] = {{-149, 128}, {-149, -126}, {-140, -110}, {-130, -90}, {-75, -60}, {-45, 45},
                            {-2, 2},     {40, 52},     {60, 66},     {100, 128},  {127, 128}};

std::vector<float> draw(size_t dimension, const Range& range, Random& random) {
  const double length = std::exp2(range.low + (range.high - range.low) * random.fraction());
  const bool uneven = random.one_in(4);
  std::vector<float> values(dimension);
  for (float& value : values) {
    double part = length * (2 * random.fraction() - 1);
    if (uneven) part *= std::exp2(-60 * random.fraction());
    if (random.one_in(20)) part = 0;
    value = static_cast<float>(std::clamp<double>(part, -greatest, greatest));
  }
  return values;
}

class Bounds : public testing::TestWithParam<Metric> {};

TEST_P(Bounds, HoldFromTheLeastFloatToTheLargest) {
  const Metric metric = GetParam();
  Random random(7);
  for (const Range& range : ranges) {
    for (const size_t dimension : {1, 3, 20, 130}) {
      const auto index = Index::create(
          {.dimension = static_cast<uint32_t>(dimension), .metric = metric, .m = 4, .ef_construction = 8});
      ASSERT_TRUE(index.ok());
      std::vector<std::vector<float>> rows;
      for (uint64_t label = 0; label < 80; ++label) {
        // A quarter are another's neighbours: what must be told apart.
        rows.push_back(draw(dimension, range, random));
        if (label > 0 && random.one_in(4)) {
          const std::vector<float>& other = rows[random.below(label)];
          for (size_t i = 0; i < dimension; ++i) {
            rows.back()[i] =
                std::clamp(other[i] * (1 + 0.02f * static_cast<float>(random.fraction())), -greatest, greatest);
          }
        }
        ASSERT_TRUE((*index)->insert(label, rows.back()).ok());
      }
      for (int round = 0; round < 40; ++round) {
        const std::vector<float> query = random.one_in(2)
                                             ? rows[random.below(rows.size())]
                                             : draw(dimension, ranges[random.below(std::size(ranges))], random);
        std::vector<Match> right;
        for (uint64_t label = 0; label < rows.size(); ++label) {
          const float told = score(metric, query.data(), rows[label].data(), dimension);
          const long double exact = exact_score(metric, query, rows[label]);
          const bool beyond = std::fabs(exact) > static_cast<long double>(greatest) * (1 - 1e-5L);
          ASSERT_TRUE(beyond || std::fabs(told - exact) <= tolerance(metric, query, rows[label], exact))
              << told << " instead of " << static_cast<double>(exact) << ", 2^" << range.low << ", " << dimension;
          ASSERT_TRUE(!beyond || std::fabs(told) > greatest / 2);
          right.push_back({label, told});
        }
        std::sort(right.begin(), right.end());
        const size_t k = 1 + random.below(12);
        const float limit = right[random.below(rows.size())].score;
        std::vector<Match> within;
        ASSERT_TRUE((*index)->scan(query, 0, (*index)->slot_end(), limit, within).ok());
        std::sort(within.begin(), within.end());
        std::vector<Match> expected = right;
        std::erase_if(expected, [&](const Match& match) { return match.score > limit; });
        ASSERT_EQ(within, expected) << "limit " << limit << ", 2^" << range.low << ", " << dimension;
        right.resize(k);
        ASSERT_EQ(*(*index)->exact_search(query, k), right) << "2^" << range.low << ", " << dimension;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Metrics, Bounds,
                         testing::Values(Metric::cosine, Metric::euclidean, Metric::dot_product, Metric::manhattan),
                         [](const auto& info) { return std::to_string(static_cast<int>(info.param)); });

}  // namespace
}  // namespace strata::hnsw
