// What the files of Vectors share of checking requests and of refusing them. Internal to the service.
#pragma once

#include "base/result.h"
#include "service/vector_types.h"

namespace strata::service {

inline Error no_such_vector(uint64_t id) {
  return Error(ErrorCode::not_found, "vector " + std::to_string(id) + " not found");
}
inline Error no_such_collection(std::string_view name) {
  return Error(ErrorCode::not_found, "collection '" + printable(name) + "' not found");
}

// invalid_argument: another dimension, or a number that is not finite.
Result<void> check_values(std::span<const float> values, uint32_t dimension);

// invalid_argument.
Result<void> check_index_mode(std::string_view mode, uint32_t ef_construction);

}  // namespace strata::service
