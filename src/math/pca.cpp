#include "math/pca.h"

#include <Eigen/Dense>
#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/assert.h"

namespace strata::math {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using FloatRows = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

constexpr size_t block_rows = 256;
// Parts of the rows that are summed apart: fixed, so that the sums are the same for any number of threads.
constexpr size_t parts = 8;

class Pca {
 public:
  Pca(const Rows& rows, size_t components, const Execution& execution)
      : rows_(rows),
        execution_(execution),
        data_(rows.values, static_cast<Eigen::Index>(rows.count), static_cast<Eigen::Index>(rows.dimension)),
        wanted_(static_cast<Eigen::Index>(components)) {}

  Result<PrincipalComponents> run() {
    find_mean();
    const bool gram = rows_.count < rows_.dimension;
    if (gram ? !solve_gram() : !solve_covariance()) return cancelled_error();
    for (Eigen::Index i = 0; i < wanted_; ++i) fix_sign(components_.col(i));
    return project();
  }

 private:
  // Rows [begin, begin + count) less the mean, as doubles.
  Matrix centred(size_t begin, size_t count) const {
    Matrix block = data_.middleRows(static_cast<Eigen::Index>(begin), static_cast<Eigen::Index>(count)).cast<double>();
    block.rowwise() -= mean_.transpose();
    return block;
  }

  void find_mean() {
    mean_ = Vector::Zero(data_.cols());
    for (Eigen::Index row = 0; row < data_.rows(); ++row) mean_ += data_.row(row).transpose().cast<double>();
    mean_ /= static_cast<double>(rows_.count);
  }

  bool solve_covariance() {
    std::vector<Matrix> sums(std::min(parts, rows_.count));
    const size_t part_rows = (rows_.count + sums.size() - 1) / sums.size();
    std::atomic<bool> cancelled{false};
    const bool done = for_pieces(execution_, sums.size(), 1, [&](size_t part, size_t) {
      Matrix sum = Matrix::Zero(data_.cols(), data_.cols());
      const size_t last = std::min((part + 1) * part_rows, rows_.count);
      for (size_t row = part * part_rows; row < last; row += block_rows) {
        if (execution_.is_cancelled()) cancelled = true;
        if (cancelled) return;
        sum.selfadjointView<Eigen::Lower>().rankUpdate(centred(row, std::min(block_rows, last - row)).transpose());
      }
      sums[part] = std::move(sum);
    });
    if (!done || cancelled) return false;
    for (size_t part = 1; part < sums.size(); ++part) sums[0] += sums[part];
    sums[0] /= static_cast<double>(rows_.count - 1);
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(sums[0]);
    take(solver, [](const Vector& vector, double) { return vector; });
    return !execution_.is_cancelled();
  }

  // Fewer rows than numbers: the eigenvectors of X Xt, taken back by Xt, are those of Xt X.
  bool solve_gram() {
    const Matrix centred_rows = centred(0, rows_.count);
    const auto size = static_cast<Eigen::Index>(rows_.count);
    Matrix gram(size, size);
    const bool done = for_pieces(execution_, rows_.count, 16, [&](size_t begin, size_t end) {
      const auto first = static_cast<Eigen::Index>(begin);
      const auto count = static_cast<Eigen::Index>(end - begin);
      gram.middleRows(first, count).noalias() = centred_rows.middleRows(first, count) * centred_rows.transpose();
    });
    if (!done) return false;
    gram /= static_cast<double>(rows_.count - 1);
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(gram);
    take(solver, [&](const Vector& vector, double) -> Vector { return centred_rows.transpose() * vector; });
    return !execution_.is_cancelled();
  }

  // The solver's values ascend.
  template <class Solver, class ToComponent>
  void take(const Solver& solver, const ToComponent& to_component) {
    STRATA_ASSERT(solver.info() == Eigen::Success);
    const Eigen::Index size = solver.eigenvalues().size();
    const double largest = std::max(0.0, solver.eigenvalues()(size - 1));
    components_.resize(data_.cols(), wanted_);
    variances_.resize(wanted_);
    for (Eigen::Index i = 0; i < wanted_; ++i) {
      const double value = solver.eigenvalues()(size - 1 - i);
      // What rounding makes of no variance; its eigenvector is noise.
      const bool is_none = value <= largest * 1e-13 * static_cast<double>(size);
      variances_(i) = is_none ? 0 : value;
      if (is_none) {
        components_.col(i) = free_direction(i);
      } else {
        components_.col(i) = to_component(solver.eigenvectors().col(size - 1 - i), value).normalized();
      }
    }
  }

  // A unit vector perpendicular to the first `count` components: an axis, less what they have of it.
  Vector free_direction(Eigen::Index count) const {
    const auto before = components_.leftCols(count);
    for (Eigen::Index axis = 0;; ++axis) {
      STRATA_ASSERT(axis < data_.cols());
      Vector direction = Vector::Unit(data_.cols(), axis);
      // Twice: once leaves what rounding left.
      for (int pass = 0; pass < 2; ++pass) direction -= before * (before.transpose() * direction);
      // Of all axes one is at least this long.
      if (direction.squaredNorm() * static_cast<double>(data_.cols()) >= 0.5) return direction.normalized();
    }
  }

  static void fix_sign(Eigen::Ref<Vector> component) {
    Eigen::Index largest = 0;
    component.cwiseAbs().maxCoeff(&largest);
    if (component(largest) < 0) component = -component;
  }

  Result<PrincipalComponents> project() {
    PrincipalComponents result;
    const auto wanted = static_cast<size_t>(wanted_);
    result.projected.resize(rows_.count * wanted);
    const bool done = for_pieces(execution_, rows_.count, block_rows, [&](size_t begin, size_t end) {
      const Matrix block = centred(begin, end - begin) * components_;
      for (size_t row = begin; row < end; ++row) {
        for (size_t i = 0; i < wanted; ++i) {
          result.projected[row * wanted + i] =
              static_cast<float>(block(static_cast<Eigen::Index>(row - begin), static_cast<Eigen::Index>(i)));
        }
      }
    });
    if (!done) return cancelled_error();
    result.components.resize(wanted * rows_.dimension);
    Eigen::Map<Eigen::MatrixXf>(result.components.data(), data_.cols(), wanted_) = components_.cast<float>();
    result.variances.resize(wanted);
    Eigen::Map<Eigen::VectorXf>(result.variances.data(), wanted_) = variances_.cast<float>();
    result.mean.resize(rows_.dimension);
    Eigen::Map<Eigen::VectorXf>(result.mean.data(), data_.cols()) = mean_.cast<float>();
    RETURN_IF_ERROR(check_finite(result.variances));
    RETURN_IF_ERROR(check_finite(result.projected));
    return result;
  }

  const Rows rows_;
  const Execution& execution_;
  const FloatRows data_;
  const Eigen::Index wanted_;
  Vector mean_;
  Matrix components_;  // columns
  Vector variances_;
};

}  // namespace

Result<PrincipalComponents> principal_components(const Rows& rows, size_t components, const Execution& execution) {
  const size_t size = std::min(rows.count, rows.dimension);
  STRATA_ASSERT(rows.count >= 2 && components >= 1 && components <= size && size <= max_pca_size);
  return Pca(rows, components, execution).run();
}

}  // namespace strata::math
