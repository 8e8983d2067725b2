#include "service/vector_pace.h"

#include "service/run.h"

namespace strata::service {

Result<void> VectorPace::check() const {
  if (stop_ != nullptr && stop_->is_set()) return Error(ErrorCode::operation_cancelled, "the search was stopped");
  RETURN_IF_ERROR(timeout_ms(context_, clock_));
  return {};
}

}  // namespace strata::service
