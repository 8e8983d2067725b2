// Each formula beside one of its own: written out plainly, in doubles, without the library that computes it.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numbers>
#include <numeric>
#include <set>

#include "base/random.h"
#include "math/arithmetic.h"
#include "math/diversity.h"
#include "math/kmeans.h"
#include "math/pca.h"

namespace strata::math {
namespace {

using hnsw::Metric;

std::vector<float> random_rows(size_t count, size_t dimension, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count * dimension);
  for (float& value : values) value = static_cast<float>(random.fraction() * 2 - 1);
  return values;
}

Rows rows_of(const std::vector<float>& values, size_t dimension) {
  return {.values = values.data(), .count = values.size() / dimension, .dimension = dimension};
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

double length(std::span<const float> a) { return std::sqrt(dot(a, a)); }

double distance(Metric metric, std::span<const float> a, std::span<const float> b) {
  double squares = 0;
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double step = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    squares += step * step;
    sum += std::abs(step);
  }
  switch (metric) {
    case Metric::cosine:
      return length(a) == 0 || length(b) == 0 ? 1 : 1 - dot(a, b) / (length(a) * length(b));
    case Metric::euclidean:
      return std::sqrt(squares);
    case Metric::dot_product:
      return -dot(a, b);
    case Metric::manhattan:
      return sum;
  }
  return 0;
}

void expect_near(std::span<const float> values, std::span<const float> expected, double tolerance = 1e-6) {
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], tolerance) << i;
}

const Execution alone{};

TEST(Pieces, CoverEverythingOnceOnAnyNumberOfThreads) {
  for (const size_t threads : {1, 2, 5}) {
    std::vector<std::atomic<int>> seen(1'003);
    EXPECT_TRUE(for_pieces({.threads = threads}, seen.size(), 10, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) ++seen[i];
    }));
    for (const auto& count : seen) EXPECT_EQ(count, 1);
    EXPECT_TRUE(for_pieces({.threads = threads}, 0, 10, [](size_t, size_t) { FAIL(); }));
    EXPECT_FALSE(for_pieces({.threads = threads, .cancelled = [] { return true; }}, 5, 1, [](size_t, size_t) {}));
  }
}

TEST(KMeans, AssignsToTheNearestAndCentroidsAreMeans) {
  constexpr size_t dimension = 5;
  const auto values = random_rows(300, dimension, 3);
  const Rows rows = rows_of(values, dimension);
  for (const Metric metric : {Metric::euclidean, Metric::cosine, Metric::manhattan, Metric::dot_product}) {
    SCOPED_TRACE(static_cast<int>(metric));
    const auto found = k_means(rows, {.k = 7, .max_iterations = 300, .tolerance = 0, .metric = metric}, alone);
    ASSERT_TRUE(found.ok());
    const Rows centroids = rows_of(found->centroids, dimension);
    ASSERT_EQ(centroids.count, 7u);
    std::vector<double> sums(centroids.count * dimension);
    std::vector<double> sizes(centroids.count);
    for (size_t row = 0; row < rows.count; ++row) {
      const uint32_t mine = found->assignments[row];
      const double nearest = distance(metric, rows[row], centroids[mine]);
      EXPECT_NEAR(found->distances[row], nearest, 1e-5);
      for (size_t other = 0; other < centroids.count; ++other) {
        EXPECT_LE(nearest, distance(metric, rows[row], centroids[other]) + 1e-5);
      }
      ++sizes[mine];
      for (size_t i = 0; i < dimension; ++i) sums[mine * dimension + i] += static_cast<double>(rows[row][i]);
    }
    if (!found->converged) continue;  // a mean is not what dot products ask for: they may go round
    for (size_t i = 0; i < sums.size(); ++i) {
      EXPECT_NEAR(found->centroids[i], sums[i] / sizes[i / dimension], 1e-5);
    }
  }
}

TEST(KMeans, FindsSeparateGroupsWhateverTheThreads) {
  Random random(5);
  std::vector<float> values;
  for (int i = 0; i < 400; ++i) {
    const auto group = static_cast<float>(i % 4);
    for (int d = 0; d < 3; ++d) values.push_back(group * 10 + static_cast<float>(random.fraction()));
  }
  const Rows rows = rows_of(values, 3);
  const auto one = k_means(rows, {.k = 4}, {.threads = 1});
  const auto many = k_means(rows, {.k = 4}, {.threads = 3});
  ASSERT_TRUE(one.ok() && many.ok());
  EXPECT_TRUE(one->converged);
  EXPECT_EQ(one->centroids, many->centroids);
  EXPECT_EQ(one->assignments, many->assignments);
  EXPECT_EQ(one->iterations, many->iterations);
  for (size_t row = 4; row < rows.count; ++row) EXPECT_EQ(one->assignments[row], one->assignments[row % 4]);
  EXPECT_EQ(std::set<uint32_t>(one->assignments.begin(), one->assignments.end()).size(), 4u);
}

TEST(KMeans, EqualRowsAndAsManyClustersAsRows) {
  const std::vector<float> same(20, 1.5f);
  const auto found = k_means(rows_of(same, 2), {.k = 10}, alone);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->centroids, same);
  for (const float distance : found->distances) EXPECT_EQ(distance, 0);
  const auto values = random_rows(6, 4, 1);
  const auto each = k_means(rows_of(values, 4), {.k = 6, .max_iterations = 1}, alone);
  ASSERT_TRUE(each.ok());
  EXPECT_EQ(std::set<uint32_t>(each->assignments.begin(), each->assignments.end()).size(), 6u);
}

TEST(KMeans, CanBeCancelled) {
  const auto values = random_rows(2'000, 4, 1);
  std::atomic<int> left{20};
  const auto found = k_means(rows_of(values, 4), {.k = 50}, {.threads = 2, .cancelled = [&] { return --left < 0; }});
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code(), ErrorCode::operation_cancelled);
}

// The definition itself: C v = lambda v, orthonormal, traces equal, projections are dot products.
void expect_pca(const Rows& rows, size_t components) {
  const auto found = principal_components(rows, components, {.threads = 2});
  ASSERT_TRUE(found.ok());
  std::vector<double> mean(rows.dimension);
  for (size_t row = 0; row < rows.count; ++row) {
    for (size_t i = 0; i < rows.dimension; ++i) mean[i] += static_cast<double>(rows[row][i]);
  }
  for (double& value : mean) value /= static_cast<double>(rows.count);
  const auto centred = [&](size_t row, size_t i) { return static_cast<double>(rows[row][i]) - mean[i]; };
  double total = 0;
  for (size_t row = 0; row < rows.count; ++row) {
    for (size_t i = 0; i < rows.dimension; ++i) total += centred(row, i) * centred(row, i);
  }
  total /= static_cast<double>(rows.count - 1);
  const Rows vectors = rows_of(found->components, rows.dimension);
  ASSERT_EQ(vectors.count, components);
  double explained = 0;
  for (size_t c = 0; c < components; ++c) {
    const auto component = vectors[c];
    explained += static_cast<double>(found->variances[c]);
    if (c > 0) EXPECT_LE(found->variances[c], found->variances[c - 1]);
    for (size_t other = 0; other <= c; ++other) EXPECT_NEAR(dot(component, vectors[other]), other == c, 1e-5);
    const auto largest =
        *std::ranges::max_element(component, {}, [](float value) { return std::abs(static_cast<double>(value)); });
    EXPECT_GT(largest, 0);
    std::vector<double> image(rows.dimension);  // the covariance matrix times the component
    for (size_t row = 0; row < rows.count; ++row) {
      double along = 0;
      for (size_t i = 0; i < rows.dimension; ++i) along += centred(row, i) * static_cast<double>(component[i]);
      EXPECT_NEAR(found->projected[row * components + c], along, 1e-5);
      for (size_t i = 0; i < rows.dimension; ++i) {
        image[i] += centred(row, i) * along / static_cast<double>(rows.count - 1);
      }
    }
    for (size_t i = 0; i < rows.dimension; ++i) {
      EXPECT_NEAR(image[i], static_cast<double>(found->variances[c]) * static_cast<double>(component[i]), 1e-5);
    }
  }
  if (components == std::min(rows.count, rows.dimension)) EXPECT_NEAR(explained, total, 1e-5 * (1 + total));
}

TEST(Pca, SatisfiesItsDefinition) {
  expect_pca(rows_of(random_rows(600, 7, 1), 7), 7);
  expect_pca(rows_of(random_rows(50, 20, 2), 20), 3);
  expect_pca(rows_of(random_rows(12, 12, 3), 12), 12);
  expect_pca(rows_of(random_rows(2, 1, 4), 1), 1);
}

TEST(Pca, OfFewerRowsThanNumbers) {
  expect_pca(rows_of(random_rows(5, 40, 4), 40), 5);
  expect_pca(rows_of(random_rows(2, 9, 5), 9), 2);
}

TEST(Pca, WithoutVarianceItGoesOnThroughTheAxes) {
  // All on a line in three dimensions, and all the same.
  std::vector<float> line;
  for (int i = 0; i < 10; ++i) line.insert(line.end(), {static_cast<float>(i), static_cast<float>(2 * i), 1});
  expect_pca(rows_of(line, 3), 3);
  const auto found = principal_components(rows_of(line, 3), 3, alone);
  EXPECT_EQ(found->variances[1], 0);
  expect_pca(rows_of(std::vector<float>(12, 3.5f), 4), 3);
}

TEST(Pca, DoesNotDependOnThreads) {
  const auto values = random_rows(3'000, 9, 11);
  const auto one = principal_components(rows_of(values, 9), 4, {.threads = 1});
  const auto many = principal_components(rows_of(values, 9), 4, {.threads = 4});
  EXPECT_EQ(one->components, many->components);
  EXPECT_EQ(one->projected, many->projected);
}

TEST(Arithmetic, CentroidIsTheWeightedMean) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 9};
  expect_near(*centroid(rows_of(values, 2), {}), std::vector<float>{3, 5});
  const std::vector<float> weights = {1, 0, 3};
  expect_near(*centroid(rows_of(values, 2), weights), std::vector<float>{4, 7.25});
  const std::vector<float> nothing = {1, -1, 0};
  EXPECT_EQ(centroid(rows_of(values, 2), nothing).error().code(), ErrorCode::invalid_argument);
}

TEST(Arithmetic, SumsAndTheirLength) {
  const std::vector<float> a = {1, 0, 0}, b = {0, 1, 0}, c = {0.5, 0, 0.5};
  const Term analogy[] = {{b, 1}, {a, -1}, {c, 1}};
  expect_near(*weighted_sum(analogy, false), std::vector<float>{-0.5, 1, 0.5});
  expect_near(*weighted_sum(analogy, true), std::vector<float>{-0.40824829f, 0.81649658f, 0.40824829f});
  const Term nothing[] = {{a, 1}, {a, -1}};
  expect_near(*weighted_sum(nothing, true), std::vector<float>{0, 0, 0});
  const Term huge[] = {{std::span(a), 1e39}};
  EXPECT_EQ(weighted_sum(huge, false).error().code(), ErrorCode::invalid_argument);
}

TEST(Arithmetic, SlerpKeepsToTheArc) {
  const std::vector<float> a = {1, 0, 0}, b = {0, 1, 0};
  const auto arc = Slerp::between(a, b);
  ASSERT_TRUE(arc.ok());
  for (const double t : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    const double turn = t * std::numbers::pi / 2;
    expect_near(arc->at(t),
                std::vector<float>{static_cast<float>(std::cos(turn)), static_cast<float>(std::sin(turn)), 0});
  }
  // Parallel ones: a line.
  const std::vector<float> longer = {3, 0, 0};
  expect_near(Slerp::between(a, longer)->at(0.5), std::vector<float>{2, 0, 0});
  const std::vector<float> zero = {0, 0, 0};
  EXPECT_FALSE(Slerp::between(a, zero).ok());
  EXPECT_FALSE(Slerp::between(zero, b).ok());
}

TEST(Arithmetic, SlerpOfOppositesGoesThroughAPerpendicular) {
  const std::vector<float> a = {3, 0, 4}, b = {-6, 0, -8};
  const auto turn = Slerp::between(a, b);
  ASSERT_TRUE(turn.ok());
  // The second axis is the one that a has least of.
  expect_near(turn->at(0.5), std::vector<float>{0, 7.5, 0}, 1e-5);
  expect_near(turn->at(0), a);
  expect_near(turn->at(1), b);
  EXPECT_NEAR(length(turn->at(0.25)), 6.25, 1e-5);
  const std::vector<float> one = {1}, other = {-2};
  EXPECT_FALSE(Slerp::between(one, other).ok());
}

TEST(Arithmetic, CosineAndLerp) {
  const std::vector<float> a = {1, 2, 2}, b = {2, 4, 4}, zero = {0, 0, 0};
  EXPECT_DOUBLE_EQ(cosine(a, b), 1);
  EXPECT_EQ(cosine(a, zero), 0);
  expect_near(lerp(a, zero, 0.25), std::vector<float>{0.75, 1.5, 1.5});
}

TEST(Diversity, IsTheGreedySelection) {
  constexpr size_t dimension = 4;
  const auto values = random_rows(60, dimension, 9);
  const auto query = random_rows(1, dimension, 10);
  const Rows rows = rows_of(values, dimension);
  for (const double lambda : {0.0, 0.3, 0.7, 1.0}) {
    const auto picks = most_diverse(rows, query, 12, lambda, {.threads = 2});
    ASSERT_TRUE(picks.ok());
    ASSERT_EQ(picks->size(), 12u);
    const auto likeness = [&](size_t row, size_t count) {
      double most = -2;
      for (size_t i = 0; i < count; ++i) {
        most = std::max(most, 1 - distance(Metric::cosine, rows[row], rows[(*picks)[i].row]));
      }
      return most;
    };
    const auto relevance = [&](size_t row) { return 1 - distance(Metric::cosine, query, rows[row]); };
    std::set<size_t> picked;
    for (size_t i = 0; i < picks->size(); ++i) {
      const DiversePick& pick = (*picks)[i];
      EXPECT_NEAR(pick.relevance, relevance(pick.row), 1e-9);
      const auto score = [&](size_t row) {
        return i == 0 ? lambda * relevance(row) : lambda * relevance(row) - (1 - lambda) * likeness(row, i);
      };
      EXPECT_NEAR(pick.score, score(pick.row), 1e-9);
      for (size_t row = 0; row < rows.count; ++row) {
        if (picked.contains(row)) continue;
        EXPECT_LE(i == 0 ? relevance(row) : score(row), (i == 0 ? pick.relevance : pick.score) + 1e-9);
      }
      EXPECT_TRUE(picked.insert(pick.row).second);
    }
  }
}

}  // namespace
}  // namespace strata::math
