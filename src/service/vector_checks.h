// What the files of Vectors share of checking requests. Internal to the service.
#pragma once

#include "base/result.h"
#include "service/vector_types.h"

namespace strata::service {

// invalid_argument: another dimension, or a number that is not finite.
Result<void> check_values(std::span<const float> values, uint32_t dimension);

// invalid_argument.
Result<void> check_index_mode(std::string_view mode, uint32_t ef_construction);

}  // namespace strata::service
