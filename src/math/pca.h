// principal_components: the directions along which vectors vary most.
//
// Purpose:       exact PCA by a solver for symmetric matrices (Eigen), in doubles.
// Ownership:     borrows the rows for the call.
// Thread safety: pure function; it uses threads of its own. The solver itself cannot be cancelled.
// Invariants:    variances are of the covariance matrix with n - 1, largest first. Components are orthonormal, and the
//                coordinate of a component with the largest absolute value, the first of equals, is positive; where
//                there is no variance left, they go on through the coordinate axes. The result does not depend on the
//                number of threads.
// Errors:        operation_cancelled; invalid_argument where the projection is beyond floats.
#pragma once

#include <vector>

#include "math/rows.h"

namespace strata::math {

// The smaller of rows and dimension: the solver's work grows with its third power (4,096: minutes).
inline constexpr size_t max_pca_size = 4'096;

struct PrincipalComponents {
  std::vector<float> components;  // one after another, each of the rows' dimension
  std::vector<float> variances;
  std::vector<float> mean;
  std::vector<float> projected;  // of each row, as many numbers as components
};

// At least 2 rows; components: 1 .. min(rows.count, rows.dimension); that minimum at most max_pca_size.
Result<PrincipalComponents> principal_components(const Rows& rows, size_t components, const Execution& execution);

}  // namespace strata::math
