#include "service/vector_math.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <thread>

#include "hnsw/distance.h"
#include "math/arithmetic.h"
#include "math/diversity.h"
#include "math/kmeans.h"
#include "math/pca.h"
#include "service/vector_math_checks.h"
#include "service/vector_rows.h"

namespace strata::service {
namespace {

using vector_math::check_numbers;
using vector_math::check_vector;
using vector_math::invalid;
using vector_math::timed;
using vectors::Metric;

// Numbers that a computation may look at on the caller's thread: some milliseconds.
constexpr uint64_t short_work = 1u << 20;

Result<Metric> metric_of(std::string_view name) {
  if (name.empty()) return Metric::euclidean;
  const auto metric = vectors::parse_metric(name);
  if (metric) return *metric;
  return invalid(
      fmt::format("unknown metric {}: it is cosine, euclidean, dot_product or manhattan", printable(name, 40)));
}

// Rows of that length.
std::vector<FloatVector> split(const std::vector<float>& values, size_t length) {
  std::vector<FloatVector> rows;
  rows.reserve(values.size() / length);
  for (size_t begin = 0; begin < values.size(); begin += length) {
    const auto first = values.begin() + static_cast<ptrdiff_t>(begin);
    rows.emplace_back(first, first + static_cast<ptrdiff_t>(length));
  }
  return rows;
}

}  // namespace

// One computation over a collection: it is found, its vectors are read, and somebody may stop it.
class VectorMath::Run {
 public:
  Run(VectorMath& math, const Context& context, StopHandle stop)
      : math_(math), context_(context), stop_(std::move(stop)) {}

  Result<void> open(std::string_view name) { return take(collection_, find_vector_collection(math_.database_, name)); }
  const vectors::Collection& collection() const { return collection_; }
  size_t dimension() const { return collection_.options.dimension; }

  Result<void> check() const {
    if (stop_ && stop_->is_set()) return math::cancelled_error();
    if (is_late()) return ErrorCode::transaction_timed_out;
    return {};
  }
  math::Execution execution() const {
    return {.threads = math_.threads_, .cancelled = [this] { return !check().ok(); }};
  }
  // A computation that was stopped says why.
  Error stopped() const {
    const auto checked = check();
    return checked.ok() ? math::cancelled_error() : checked.error();
  }
  template <class T>
  Result<T> done(Result<T> result) const {
    if (!result.ok() && result.error().code() == ErrorCode::operation_cancelled) return stopped();
    return result;
  }

  Result<VectorRows> load(std::span<const uint64_t> ids) const {
    return load_vectors(math_.database_, collection_, ids, checker());
  }
  Result<VectorRows> load_all() const { return load_all_vectors(math_.database_, collection_, checker()); }
  Result<VectorRows> load_or_all(std::span<const uint64_t> ids) const { return ids.empty() ? load_all() : load(ids); }
  Result<void> visit(const std::function<Result<void>(const VectorRows&)>& visit) const {
    return visit_vectors(math_.database_, collection_, checker(), visit);
  }

  // Of the vectors that are named, or of all, each looked at so many times.
  Result<bool> is_short(size_t ids, uint64_t times = 1) const {
    uint64_t count = ids;
    if (ids == 0) {
      ASSIGN_OR_RETURN(count, count_vectors(math_.database_, collection_));
    }
    return count <= short_work / dimension() / std::max<uint64_t>(times, 1);
  }
  // Here when it is short, else on a thread of its own.
  template <class Answer, class Work>
  Result<Answer> compute(Result<bool> is_short, const Work& work) {
    if (!is_short.ok()) return is_short.error();
    if (*is_short) return work();
    ASSIGN_OR_RETURN(const Turns::Turn turn, math_.turns_.take());
    StopHandle stop = stop_ ? stop_ : std::make_shared<StopFlag>();
    stop_ = stop;
    return math_.jobs_.run<Answer>(std::move(stop), [&work] { return work(); });
  }

 private:
  template <class T>
  static Result<void> take(T& into, Result<T> result) {
    if (!result.ok()) return std::move(result).error();
    into = std::move(result).value();
    return {};
  }
  RowsCheck checker() const {
    return [this] { return check(); };
  }
  bool is_late() const {
    return context_.deadline_steady_us != 0 && math_.clock_.steady_us() >= context_.deadline_steady_us;
  }

  VectorMath& math_;
  const Context& context_;
  StopHandle stop_;
  vectors::Collection collection_;
};

VectorMath::VectorMath(const kv::Database& database, Clock& clock, size_t threads)
    : database_(database),
      clock_(clock),
      threads_(threads > 0 ? threads : std::max(1u, std::thread::hardware_concurrency())) {}
VectorMath::~VectorMath() = default;

Result<GhostsAnswer> VectorMath::ghosts(const Context& context, const GhostsRequest& request, const StopHandle& stop) {
  const int64_t begin_us = clock_.steady_us();
  Run run(*this, context, stop);
  RETURN_IF_ERROR(run.open(request.collection));
  ASSIGN_OR_RETURN(const Metric metric, metric_of(request.metric));
  if (!std::isfinite(request.threshold)) return invalid("threshold must be a finite number");
  if (request.auto_k > max_clusters) return invalid(fmt::format("auto_k is at most {}", max_clusters));
  std::vector<float> given;
  for (size_t i = 0; i < request.centroids.size(); ++i) {
    RETURN_IF_ERROR(check_vector(request.centroids[i], run.dimension(), fmt::format("centroids[{}]", i)));
    given.insert(given.end(), request.centroids[i].begin(), request.centroids[i].end());
  }
  const auto work = [&]() -> Result<GhostsAnswer> {
    ASSIGN_OR_RETURN(const VectorRows loaded, run.load_all());
    GhostsAnswer answer;
    const math::Rows rows = loaded.rows();
    if (rows.count == 0) return answer;
    math::Clusters clusters;
    if (given.empty()) {
      const size_t k = request.auto_k == 0 ? GhostsRequest{}.auto_k : request.auto_k;
      ASSIGN_OR_RETURN(
          clusters, run.done(math::k_means(rows, {.k = std::min(k, rows.count), .metric = metric}, run.execution())));
    } else {
      const math::Rows centroids{
          .values = given.data(), .count = request.centroids.size(), .dimension = rows.dimension};
      if (!math::assign_nearest(rows, centroids, metric, run.execution(), clusters)) return run.stopped();
    }
    for (size_t row = 0; row < rows.count; ++row) {
      if (request.threshold != 0 && !(clusters.distances[row] > request.threshold)) continue;
      answer.ghosts.push_back({.id = loaded.ids[row], .isolation_score = clusters.distances[row]});
    }
    // Ids ascend already.
    std::ranges::stable_sort(answer.ghosts, std::ranges::greater(), &GhostsAnswer::Ghost::isolation_score);
    return answer;
  };
  const uint64_t times = given.empty() ? uint64_t{100} * std::max(request.auto_k, 8u) : request.centroids.size();
  return timed(clock_, begin_us, run.compute<GhostsAnswer>(run.is_short(0, times), work));
}

Result<ConeAnswer> VectorMath::cone(const Context& context, const ConeRequest& request, const StopHandle& stop) {
  const int64_t begin_us = clock_.steady_us();
  Run run(*this, context, stop);
  RETURN_IF_ERROR(run.open(request.collection));
  RETURN_IF_ERROR(check_vector(request.direction, run.dimension(), "direction"));
  if (std::ranges::all_of(request.direction, [](float value) { return value == 0; })) {
    return invalid("direction must not be the zero vector");
  }
  const auto aperture = static_cast<double>(request.aperture_radians);
  // Pi as a 32-bit float is a little more than pi.
  if (!(aperture >= 0 && request.aperture_radians <= std::numbers::pi_v<float>)) {
    return invalid("aperture_radians must be from 0 to pi");
  }
  const double least = std::cos(std::min(aperture, std::numbers::pi));
  const auto work = [&]() -> Result<ConeAnswer> {
    ConeAnswer answer;
    RETURN_IF_ERROR(run.visit([&](const VectorRows& page) -> Result<void> {
      const math::Rows rows = page.rows();
      for (size_t row = 0; row < rows.count; ++row) {
        const double cosine = math::cosine(request.direction, rows[row]);
        // What doubles lose must not put the direction itself out of its cone.
        if (cosine < least - 1e-12) continue;
        answer.results.push_back({.id = page.ids[row],
                                  .cosine_similarity = static_cast<float>(cosine),
                                  .angle_radians = static_cast<float>(std::acos(cosine))});
      }
      return {};
    }));
    std::ranges::stable_sort(answer.results, std::ranges::greater(), &ConeAnswer::Match::cosine_similarity);
    return answer;
  };
  return timed(clock_, begin_us, run.compute<ConeAnswer>(run.is_short(0), work));
}

Result<CentroidAnswer> VectorMath::centroid(const Context& context, const CentroidRequest& request,
                                            const StopHandle& stop) {
  const int64_t begin_us = clock_.steady_us();
  Run run(*this, context, stop);
  RETURN_IF_ERROR(run.open(request.collection));
  RETURN_IF_ERROR(check_numbers(request.weights, "weights"));
  if (!request.ids.empty() && !request.weights.empty() && request.weights.size() != request.ids.size()) {
    return invalid(fmt::format("{} weights for {} vectors", request.weights.size(), request.ids.size()));
  }
  const auto work = [&]() -> Result<CentroidAnswer> {
    ASSIGN_OR_RETURN(const VectorRows loaded, run.load_or_all(request.ids));
    const math::Rows rows = loaded.rows();
    if (rows.count == 0) return invalid("the collection has no vectors");
    if (!request.weights.empty() && request.weights.size() != rows.count) {
      return invalid(fmt::format("{} weights for {} vectors", request.weights.size(), rows.count));
    }
    CentroidAnswer answer;
    ASSIGN_OR_RETURN(answer.centroid, math::centroid(rows, request.weights));
    return answer;
  };
  return timed(clock_, begin_us, run.compute<CentroidAnswer>(run.is_short(request.ids.size()), work));
}

Result<DriftAnswer> VectorMath::drift(const Context& context, const DriftRequest& request, const StopHandle& stop) {
  const int64_t begin_us = clock_.steady_us();
  Run run(*this, context, stop);
  RETURN_IF_ERROR(run.open(request.collection));
  ASSIGN_OR_RETURN(const Metric metric, metric_of(request.metric));
  if (request.window1_ids.empty() || request.window2_ids.empty()) return invalid("a window has no vectors");
  if (request.threshold && !std::isfinite(*request.threshold)) return invalid("threshold must be a finite number");
  // What leaves the range of floats is cut, so that there are no differences of infinities.
  const auto distance = [&](const float* a, const float* b) {
    const float score = hnsw::score(metric, a, b, run.dimension());
    return std::clamp(score, std::numeric_limits<float>::lowest(), std::numeric_limits<float>::max());
  };
  const auto work = [&]() -> Result<DriftAnswer> {
    std::vector<float> centroids[2];
    double means[2] = {0, 0};
    const std::span<const uint64_t> windows[2] = {request.window1_ids, request.window2_ids};
    for (int i = 0; i < 2; ++i) {
      ASSIGN_OR_RETURN(const VectorRows loaded, run.load(windows[i]));
      const math::Rows rows = loaded.rows();
      ASSIGN_OR_RETURN(centroids[i], math::centroid(rows, {}));
      for (size_t row = 0; row < rows.count; ++row) {
        means[i] += static_cast<double>(distance(rows[row].data(), centroids[i].data()));
      }
      means[i] /= static_cast<double>(rows.count);
    }
    DriftAnswer answer;
    answer.centroid_shift = distance(centroids[0].data(), centroids[1].data());
    answer.mean_distance_window1 = static_cast<float>(means[0]);
    answer.mean_distance_window2 = static_cast<float>(means[1]);
    answer.spread_change = static_cast<float>(means[1] - means[0]);
    answer.has_drifted = request.threshold && answer.centroid_shift > *request.threshold;
    return answer;
  };
  const size_t count = request.window1_ids.size() + request.window2_ids.size();
  return timed(clock_, begin_us, run.compute<DriftAnswer>(run.is_short(count), work));
}

Result<ClusterAnswer> VectorMath::cluster(const Context& context, const ClusterRequest& request,
                                          const StopHandle& stop) {
  const int64_t begin_us = clock_.steady_us();
  Run run(*this, context, stop);
  RETURN_IF_ERROR(run.open(request.collection));
  ASSIGN_OR_RETURN(const Metric metric, metric_of(request.metric));
  if (request.k == 0 || request.k > max_clusters) return invalid(fmt::format("k must be from 1 to {}", max_clusters));
  if (request.max_iterations > max_iterations) {
    return invalid(fmt::format("max_iterations is at most {}", max_iterations));
  }
  if (!(request.tolerance >= 0) || !std::isfinite(request.tolerance)) {
    return invalid("tolerance must be a finite number, 0 or more");
  }
  const uint32_t iterations = request.max_iterations == 0 ? ClusterRequest{}.max_iterations : request.max_iterations;
  const auto work = [&]() -> Result<ClusterAnswer> {
    ASSIGN_OR_RETURN(const VectorRows loaded, run.load_all());
    const math::Rows rows = loaded.rows();
    if (request.k > rows.count) {
      return invalid(fmt::format("k is {}, the collection has {} vectors", request.k, rows.count));
    }
    const math::KMeansOptions options{
        .k = request.k, .max_iterations = iterations, .tolerance = request.tolerance, .metric = metric};
    ASSIGN_OR_RETURN(const auto found, run.done(math::k_means(rows, options, run.execution())));
    ClusterAnswer answer{.centroids = split(found.centroids, rows.dimension),
                         .iterations = found.iterations,
                         .converged = found.converged};
    answer.assignments.reserve(rows.count);
    for (size_t row = 0; row < rows.count; ++row) {
      answer.assignments.push_back(
          {.id = loaded.ids[row], .cluster = found.assignments[row], .distance_to_centroid = found.distances[row]});
    }
    return answer;
  };
  const uint64_t times = uint64_t{request.k} * iterations;
  return timed(clock_, begin_us, run.compute<ClusterAnswer>(run.is_short(0, times), work));
}

Result<PcaAnswer> VectorMath::pca(const Context& context, const PcaRequest& request, const StopHandle& stop) {
  const int64_t begin_us = clock_.steady_us();
  Run run(*this, context, stop);
  RETURN_IF_ERROR(run.open(request.collection));
  const size_t wanted = request.n_components == 0 ? PcaRequest{}.n_components : request.n_components;
  const auto work = [&]() -> Result<PcaAnswer> {
    ASSIGN_OR_RETURN(const VectorRows loaded, run.load_or_all(request.ids));
    const math::Rows rows = loaded.rows();
    const size_t size = std::min(rows.count, rows.dimension);
    if (rows.count < 2) return invalid("principal components need 2 vectors at least");
    if (wanted > size) {
      return invalid(fmt::format("n_components is {}, {} vectors of dimension {} have {}", wanted, rows.count,
                                 rows.dimension, size));
    }
    if (size > math::max_pca_size) {
      return invalid(
          fmt::format("the smaller of vectors and dimension is {}, the limit is {}", size, math::max_pca_size));
    }
    ASSIGN_OR_RETURN(auto found, run.done(math::principal_components(rows, wanted, run.execution())));
    return PcaAnswer{.components = split(found.components, rows.dimension),
                     .explained_variance = std::move(found.variances),
                     .mean = std::move(found.mean),
                     .projected = split(found.projected, wanted)};
  };
  return timed(clock_, begin_us, run.compute<PcaAnswer>(run.is_short(request.ids.size(), run.dimension()), work));
}

Result<DiversityAnswer> VectorMath::diversity(const Context& context, const DiversityRequest& request,
                                              const StopHandle& stop) {
  const int64_t begin_us = clock_.steady_us();
  Run run(*this, context, stop);
  RETURN_IF_ERROR(run.open(request.collection));
  RETURN_IF_ERROR(check_vector(request.query, run.dimension(), "query"));
  if (!(request.lambda >= 0 && request.lambda <= 1)) return invalid("lambda must be from 0 to 1");
  if (request.k > max_search_results) return invalid(fmt::format("k is at most {}", max_search_results));
  // Of equals the one with the smallest id is taken, and none twice.
  std::vector<uint64_t> ids(request.candidate_ids.begin(), request.candidate_ids.end());
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const auto work = [&]() -> Result<DiversityAnswer> {
    ASSIGN_OR_RETURN(const VectorRows loaded, run.load_or_all(ids));
    const math::Rows rows = loaded.rows();
    if (request.k > rows.count) {
      return invalid(fmt::format("k is {}, there are {} vectors to choose from", request.k, rows.count));
    }
    const auto lambda = static_cast<double>(request.lambda);
    ASSIGN_OR_RETURN(const auto picks,
                     run.done(math::most_diverse(rows, request.query, request.k, lambda, run.execution())));
    DiversityAnswer answer;
    for (const math::DiversePick& pick : picks) {
      answer.results.push_back({.id = loaded.ids[pick.row],
                                .relevance_score = static_cast<float>(pick.relevance),
                                .mmr_score = static_cast<float>(pick.score)});
    }
    return answer;
  };
  return timed(clock_, begin_us, run.compute<DiversityAnswer>(run.is_short(ids.size(), request.k), work));
}

}  // namespace strata::service
