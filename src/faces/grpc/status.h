// The one map from our errors to gRPC's status codes.
//
// Purpose:       what base/error.h's HTTP column is for HTTP.
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    clients depend on the codes: a row never changes. UNAVAILABLE and DEADLINE_EXCEEDED alone are what
//                clients try again by themselves.
#pragma once

#include <string_view>

#include "base/error.h"

namespace strata::rpc {

// With the numbers of grpc::StatusCode.
enum class StatusCode : int {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};
inline constexpr size_t status_codes = 17;

StatusCode status_code(ErrorCode code);
// "NOT_FOUND"
std::string_view status_name(StatusCode code);

}  // namespace strata::rpc
